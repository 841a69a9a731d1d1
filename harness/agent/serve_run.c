// SPDX-License-Identifier: GPL-2.0-only
/*
 * The call run: a command, its output and its end. The answer comes when the command is done; the agent goes on meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "harness/agent/core.h"
#include "harness/host/machine.h"
#include "harness/lib/spawn.h"

#define OUTPUT_MAX (256u << 10)
#define COMMANDS_MAX 8
#define RUN_LIMIT_MS (24 * 3600 * (int64_t)1000)
#define COMMAND_FDS 4
/* After SIGKILL a process may still sit in an uninterruptible wait: do not sit there with it for ever. */
#define KILL_PATIENCE_NS NSEC_PER_SEC

/* What came on one pipe of a command; the rest beyond OUTPUT_MAX is counted, not kept. */
struct output {
	int fd;
	char *text;
	size_t used;
	uint64_t dropped;
};

/*
 * @timer: until it must be done; then until it must be dead
 * @late:  the first deadline has passed, and it was killed
 */
struct command_run {
	struct agent_ticket ticket;
	struct output outputs[2];
	pid_t pid;
	int pidfd;
	int timer;
	bool late;
	struct command_run *next;
};

struct commands {
	struct command_run *first;
	size_t count;
};

static const struct agent_service run_service;

static struct commands *commands_of(const struct agent *agent)
{
	return agent_state(agent, &run_service);
}

static void output_close(struct output *output)
{
	if (output->fd >= 0)
		close(output->fd);
	output->fd = -1;
}

static void output_read(struct output *output)
{
	char bytes[8192];
	ssize_t got = read(output->fd, bytes, sizeof(bytes));
	size_t keep;

	if (got <= 0) {
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			return;
		output_close(output);
		return;
	}
	keep = OUTPUT_MAX - output->used < (size_t)got ? OUTPUT_MAX - output->used : (size_t)got;
	memcpy(output->text + output->used, bytes, keep);
	output->used += keep;
	output->dropped += (uint64_t)got - keep;
}

/* A program may print any bytes. The text of JSON has neither what is no UTF-8 nor, as readers take it, a NUL. */
static json_t *output_text(struct output *output)
{
	for (char *nul; (nul = memchr(output->text, '\0', output->used));)
		*nul = '?';
	return json_string(mend_text(output->text));
}

static void arm(const struct command_run *command, int64_t nanoseconds)
{
	struct itimerspec time = {.it_value = {.tv_sec = nanoseconds / NSEC_PER_SEC,
					       .tv_nsec = nanoseconds % NSEC_PER_SEC}};

	timerfd_settime(command->timer, 0, &time, NULL);
}

static int fork_command(struct command_run *command, const json_t *argv, struct reason *why)
{
	size_t count = json_array_size(argv);
	__cleanup_free char **arguments = xzalloc((count + 1) * sizeof(char *));
	struct spawn spawn = {.argv = (const char *const *)arguments,
			      .streams = {SPAWN_NULL, SPAWN_PIPE, SPAWN_PIPE},
			      .place = SPAWN_SESSION};
	int error;

	if (!count)
		return fail(why, -EINVAL, "run: 'argv' is missing");
	for (size_t i = 0; i < count; i++) {
		arguments[i] = (char *)json_string_value(json_array_get(argv, i));
		if (!arguments[i])
			return fail(why, -EINVAL, "run: 'argv' must be a list of texts");
	}
	error = spawn_start(&spawn, why);
	if (error)
		return error;
	command->pid = spawn.pid;
	for (int i = 0; i < 2; i++) {
		command->outputs[i].fd = spawn.ends[i + 1];
		fcntl(spawn.ends[i + 1], F_SETFL, O_RDONLY | O_NONBLOCK);
	}
	command->pidfd = pidfd_open(command->pid, 0);
	return command->pidfd < 0 ? fail_errno(why, -errno, "run: pidfd_open") : 0;
}

static void free_command(struct commands *all, struct command_run *command)
{
	struct command_run **link = &all->first;

	while (*link && *link != command)
		link = &(*link)->next;
	if (*link) {
		*link = command->next;
		all->count--;
	}
	for (size_t i = 0; i < ARRAY_SIZE(command->outputs); i++) {
		output_close(&command->outputs[i]);
		free(command->outputs[i].text);
	}
	if (command->pidfd >= 0)
		close(command->pidfd);
	if (command->timer >= 0)
		close(command->timer);
	json_decref(command->ticket.id);
	free(command);
}

static void kill_command(struct command_run *command)
{
	kill(-command->pid, SIGKILL);
	kill(command->pid, SIGKILL);
	command->late = true;
	arm(command, KILL_PATIENCE_NS);
}

static void answer(struct agent *agent, struct command_run *command, int status)
{
	json_t *reply =
		json_pack("{s:i, s:i, s:b, s:o, s:o, s:I}", "status",
			  WIFEXITED(status) ? WEXITSTATUS(status) : -1, "signal",
			  WIFSIGNALED(status) ? WTERMSIG(status) : 0, "timed_out", command->late,
			  "stdout", output_text(&command->outputs[0]), "stderr",
			  output_text(&command->outputs[1]), "dropped",
			  (json_int_t)(command->outputs[0].dropped + command->outputs[1].dropped));

	agent_answer(agent, &command->ticket, 0, reply, NULL);
	free_command(commands_of(agent), command);
}

static int serve_run(struct agent *agent, const json_t *arguments, json_t **reply,
		     struct reason *why)
{
	struct commands *all = commands_of(agent);
	int64_t timeout_ms = json_number(arguments, "timeout_ms", 60000);
	struct command_run *command;
	int error = machine_is_expendable(why);

	if (error)
		return error;
	if (all->count >= COMMANDS_MAX)
		return fail(why, -EBUSY, "run: %d commands run already; wait for one to end",
			    COMMANDS_MAX);
	command = xzalloc(sizeof(*command));
	*command = (struct command_run){.outputs = {{.fd = -1}, {.fd = -1}},
					.pidfd = -1,
					.timer = timerfd_create(CLOCK_MONOTONIC,
								TFD_CLOEXEC | TFD_NONBLOCK)};
	/* One byte more, in which the text that came ends. */
	command->outputs[0].text = xzalloc(OUTPUT_MAX + 1);
	command->outputs[1].text = xzalloc(OUTPUT_MAX + 1);
	if (command->timer < 0)
		error = fail(why, -EMFILE, "run: no timer for one more command");
	else
		error = fork_command(command, json_object_get(arguments, "argv"), why);
	if (error) {
		if (command->pid > 0) {
			kill(command->pid, SIGKILL);
			waitpid(command->pid, NULL, 0);
		}
		free_command(all, command);
		return error;
	}
	/* Zero would disarm it. */
	arm(command, timeout_ms <= 0		 ? 1
		     : timeout_ms < RUN_LIMIT_MS ? timeout_ms * NSEC_PER_MSEC
						 : RUN_LIMIT_MS * NSEC_PER_MSEC);
	command->ticket = agent_later(agent);
	command->next = all->first;
	all->first = command;
	all->count++;
	return AGENT_LATER;
}

/* Its four descriptors, always in this order; its end is looked at only when all was read. */
static size_t watch(struct agent *agent, struct pollfd *fds, size_t room)
{
	struct command_run *command = commands_of(agent)->first;
	size_t count = 0;

	for (; command && count + COMMAND_FDS <= room; command = command->next) {
		bool read = command->outputs[0].fd < 0 && command->outputs[1].fd < 0;
		const int watched[COMMAND_FDS] = {command->outputs[0].fd, command->outputs[1].fd,
						  command->timer,
						  read || command->late ? command->pidfd : -1};

		for (size_t i = 0; i < COMMAND_FDS; i++)
			fds[count++] = (struct pollfd){.fd = watched[i], .events = POLLIN};
	}
	return count;
}

static void dispatch_command(struct agent *agent, struct command_run *command,
			     const struct pollfd *fds)
{
	bool quiet = true;
	int status = SIGKILL;

	for (int i = 0; i < 2; i++) {
		if (command->outputs[i].fd >= 0 && fds[i].revents) {
			output_read(&command->outputs[i]);
			quiet = false;
		}
	}
	if (quiet && fds[3].revents && waitpid(command->pid, &status, WNOHANG) == command->pid) {
		answer(agent, command, status);
	} else if (fds[2].revents && command->late) {
		(void)waitpid(command->pid, &status, WNOHANG);
		answer(agent, command, status);
	} else if (fds[2].revents) {
		kill_command(command);
	}
}

static void dispatch(struct agent *agent, const struct pollfd *fds, size_t count)
{
	struct command_run *command = commands_of(agent)->first, *next;

	for (size_t i = 0; command && i + COMMAND_FDS <= count; i += COMMAND_FDS, command = next) {
		next = command->next;
		dispatch_command(agent, command, fds + i);
	}
}

static void close_commands(struct agent *agent)
{
	struct commands *all = commands_of(agent);

	while (all->first) {
		struct pollfd end = {.fd = all->first->pidfd, .events = POLLIN};

		kill_command(all->first);
		(void)poll(&end, 1, (int)(KILL_PATIENCE_NS / NSEC_PER_MSEC));
		(void)waitpid(all->first->pid, NULL, WNOHANG);
		free_command(all, all->first);
	}
}

static const struct agent_call calls[] = {{"run", serve_run}, {0}};

REGISTERED(agent_service, run_service) = {
	.name = "run",
	.roles = AGENT_HOST | AGENT_GUEST,
	.rank = 15,
	.state_size = sizeof(struct commands),
	.calls = calls,
	.watch = watch,
	.dispatch = dispatch,
	.close = close_commands,
};
