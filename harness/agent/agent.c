// SPDX-License-Identifier: GPL-2.0-only
/*
 * The agent: runs on the host under test, does what the controller asks, and sends what its witnesses and workloads
 * see. One loop, no threads; every call is answered, also when it is refused. docs/protocol.md lists the calls.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "harness/agent/agent.h"
#include "harness/agent/probe.h"
#include "harness/witness/witness.h"
#include "inject/injector.h"
#include "workloads/workload.h"

#define SEND_TIMEOUT_MS 10000
#define OUTPUT_MAX (256u << 10)
#define RUN_LIMIT_MS (24 * 3600 * (int64_t)1000)

struct agent_witness {
	const struct witness *witness;
	struct witness_run run;
	struct agent_witness *next;
};

struct agent_workload {
	struct workload_run run;
	struct agent_workload *next;
};

struct agent {
	struct channel *channel;
	struct agent_witness *witnesses;
	struct agent_workload *workloads;
	struct injection injection;
	bool injecting, fired;
	json_t *focus;
	int error;
};

struct agent_call {
	const char *name;
	int (*serve)(struct agent *agent, const json_t *arguments, json_t **reply,
		     struct reason *why);
};

/* Set by SIGTERM, SIGINT and SIGHUP: the agent ends, but not before it has restored what its injector set. */
static volatile sig_atomic_t ending;

static void on_ending(int signal)
{
	(void)signal;
	ending = 1;
}

static void agent_send(struct agent *agent, json_t *message)
{
	int error;

	/* What can not be said as JSON is told as such, for evidence must not be lost in silence. */
	if (!message)
		message = json_pack("{s:s, s:s}", "event", "protocol", "text",
				    "a message that can not be written as JSON was lost");
	error = channel_send(agent->channel, message, SEND_TIMEOUT_MS);
	json_decref(message);
	if (error && !agent->error)
		agent->error = error;
}

static char *boot_id(void)
{
	char path[4096];
	char *text;

	if (read_small_file(system_path(path, "/proc/sys/kernel/random/boot_id"), &text, NULL))
		return strdup("unknown");
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static json_t *agent_hello(void)
{
	__cleanup_free char *boot = boot_id();
	struct utsname name;
	bool rig = access("/etc/brinell/rig", F_OK) == 0;

	uname(&name);
	return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:i, s:I}", "event",
			 "hello", "protocol", PROTOCOL_VERSION, "version", BRINELL_VERSION,
			 "boot_id", boot, "kernel", name.release, "kernel_version", name.version,
			 "hostname", name.nodename, "rig", rig, "pid", (int)getpid(), "processors",
			 (int)sysconf(_SC_NPROCESSORS_ONLN), "time_ns",
			 (json_int_t)now_realtime_ns());
}

static int serve_hello(struct agent *agent, const json_t *arguments, json_t **reply,
		       struct reason *why)
{
	(void)agent;
	(void)arguments;
	(void)why;
	*reply = agent_hello();
	return 0;
}

static int serve_probe(struct agent *agent, const json_t *arguments, json_t **reply,
		       struct reason *why)
{
	(void)agent;
	(void)arguments;
	(void)why;
	*reply = json_pack("{s:o}", "findings", probe_machine());
	return 0;
}

static void witness_emit(void *context, const char *witness, int64_t time_ns, const char *text,
			 json_t *data)
{
	__cleanup_free char *shown = strndup(text, 4096);

	agent_send(context, json_pack("{s:s, s:s, s:I, s:s, s:o*}", "event", "witness", "witness",
				      witness, "time_ns", (json_int_t)time_ns, "text",
				      mend_text(shown), "data", data));
}

static void stop_witnesses(struct agent *agent)
{
	struct agent_witness *entry;

	while ((entry = agent->witnesses)) {
		agent->witnesses = entry->next;
		entry->witness->stop(&entry->run);
		free(entry);
	}
}

static int serve_witness_start(struct agent *agent, const json_t *arguments, json_t **reply,
			       struct reason *why)
{
	__cleanup_json json_t *started = json_array();
	__cleanup_json json_t *missing = json_array();

	(void)arguments;
	(void)why;
	stop_witnesses(agent);
	for (size_t i = 0; i < witness_count(); i++) {
		struct agent_witness *entry = calloc(1, sizeof(*entry));
		struct reason reason = {0};

		if (!entry)
			return -ENOMEM;
		entry->witness = witness_at(i);
		entry->run = (struct witness_run){
			.fd = -1, .emit = witness_emit, .context = agent, .focus = agent->focus};
		if (entry->witness->start(&entry->run, &reason)) {
			json_array_append_new(missing,
					      json_pack("{s:s, s:s}", "name", entry->witness->name,
							"reason", reason.text));
			free(entry);
			continue;
		}
		json_array_append_new(started, json_string(entry->witness->name));
		entry->next = agent->witnesses;
		agent->witnesses = entry;
	}
	*reply = json_pack("{s:O, s:O}", "started", started, "missing", missing);
	return 0;
}

static int serve_witness_collect(struct agent *agent, const json_t *arguments, json_t **reply,
				 struct reason *why)
{
	(void)arguments;
	(void)why;
	for (struct agent_workload *load = agent->workloads; load; load = load->next)
		load->run.workload->dispatch(&load->run);
	for (struct agent_witness *entry = agent->witnesses; entry; entry = entry->next)
		entry->witness->collect(&entry->run);
	*reply = json_object();
	return 0;
}

static int serve_witness_focus(struct agent *agent, const json_t *arguments, json_t **reply,
			       struct reason *why)
{
	(void)why;
	json_decref(agent->focus);
	agent->focus = json_deep_copy(arguments);
	for (struct agent_witness *entry = agent->witnesses; entry; entry = entry->next) {
		entry->run.focus = agent->focus;
		/* A witness that compares takes its first look now, before the fault. */
		entry->witness->collect(&entry->run);
	}
	*reply = json_object();
	return 0;
}

static int serve_witness_stop(struct agent *agent, const json_t *arguments, json_t **reply,
			      struct reason *why)
{
	(void)arguments;
	(void)why;
	stop_witnesses(agent);
	json_decref(agent->focus);
	agent->focus = NULL;
	*reply = json_object();
	return 0;
}

static void workload_emit(void *context, json_t *data)
{
	const char *what = json_text(data, "event", "event");
	__cleanup_free char *text =
		format_text("%s: %s", json_text(data, "workload", "workload"), what);
	int64_t time_ns = json_number(data, "time_ns", now_realtime_ns());

	witness_emit(context, "workload", time_ns, json_text(data, "text", text), data);
}

static struct agent_workload *find_workload(struct agent *agent, const char *name)
{
	for (struct agent_workload *load = agent->workloads; load; load = load->next)
		if (name && strcmp(load->run.name, name) == 0)
			return load;
	return NULL;
}

static void free_workload(struct agent_workload *load)
{
	json_decref(load->run.arguments);
	json_decref(load->run.facts);
	free(load->run.name);
	free(load);
}

static int serve_workload_start(struct agent *agent, const json_t *arguments, json_t **reply,
				struct reason *why)
{
	const char *name = json_text(arguments, "name", NULL);
	const char *kind = json_text(arguments, "kind", "");
	const struct workload *workload = workload_find(kind);
	struct agent_workload *load;
	int error;

	if (!name)
		return fail(why, -EINVAL, "workload.start: 'name' is missing");
	if (!workload)
		return fail(why, -ENOENT, "workload.start: no workload of kind '%s'", kind);
	if (find_workload(agent, name))
		return fail(why, -EEXIST, "workload.start: '%s' runs already", name);
	load = calloc(1, sizeof(*load));
	if (!load)
		return -ENOMEM;
	load->run = (struct workload_run){.workload = workload,
					  .name = strdup(name),
					  .facts = json_object(),
					  .fd = -1,
					  .emit = workload_emit,
					  .context = agent};
	error = param_check(workload->params, json_object_get(arguments, "arguments"),
			    &load->run.arguments, why);
	if (!error)
		error = workload->start(&load->run, why);
	if (error) {
		free_workload(load);
		return error;
	}
	*reply = json_pack("{s:O}", "facts", load->run.facts);
	load->next = agent->workloads;
	agent->workloads = load;
	return 0;
}

static int serve_workload_touch(struct agent *agent, const json_t *arguments, json_t **reply,
				struct reason *why)
{
	const char *name = json_text(arguments, "name", "");
	struct agent_workload *load = find_workload(agent, name);

	if (!load)
		return fail(why, -ENOENT, "workload.touch: no workload '%s' runs", name);
	*reply = json_object();
	return load->run.workload->touch(&load->run, why);
}

static void stop_workload(struct agent *agent, struct agent_workload *load)
{
	struct agent_workload **link = &agent->workloads;

	while (*link != load)
		link = &(*link)->next;
	*link = load->next;
	if (agent->injection.target == &load->run)
		agent->injection.target = NULL;
	load->run.workload->stop(&load->run);
	free_workload(load);
}

static int serve_workload_stop(struct agent *agent, const json_t *arguments, json_t **reply,
			       struct reason *why)
{
	const char *name = json_text(arguments, "name", "");
	struct agent_workload *load = find_workload(agent, name);

	if (!load)
		return fail(why, -ENOENT, "workload.stop: no workload '%s' runs", name);
	stop_workload(agent, load);
	*reply = json_object();
	return 0;
}

static int serve_inject_prepare(struct agent *agent, const json_t *arguments, json_t **reply,
				struct reason *why)
{
	const char *name = json_text(arguments, "injector", "");
	const char *target = json_text(arguments, "target", NULL);
	const struct injector *injector = injector_find(name);
	struct agent_workload *load = find_workload(agent, target);
	int error;

	if (agent->injecting)
		return fail(why, -EBUSY, "inject.prepare: an injection is prepared already");
	if (!injector)
		return fail(why, -ENOENT, "inject.prepare: no injector '%s'", name);
	if (target && !load)
		return fail(why, -ENOENT, "inject.prepare: no workload '%s' runs", target);
	error = machine_is_expendable(why);
	if (error)
		return error;
	error = injection_open(&agent->injection, injector, json_object_get(arguments, "arguments"),
			       false, why);
	if (error)
		return error;
	agent->injection.target = load ? &load->run : NULL;
	error = injector->prepare(&agent->injection, why);
	if (error) {
		injection_close(&agent->injection);
		return error;
	}
	agent->injecting = true;
	agent->fired = false;
	*reply = json_pack("{s:O, s:O}", "result", agent->injection.result, "writes",
			   agent->injection.writes);
	return 0;
}

static int serve_inject_fire(struct agent *agent, const json_t *arguments, json_t **reply,
			     struct reason *why)
{
	int64_t before = now_monotonic_ns();
	struct reason reason = {0};
	int error;

	(void)arguments;
	if (!agent->injecting)
		return fail(why, -EINVAL, "inject.fire: nothing is prepared");
	if (agent->fired)
		return fail(why, -EALREADY,
			    "inject.fire: what was prepared has been fired; prepare it again");
	agent->fired = true;
	error = agent->injection.injector->fire(&agent->injection, &reason);
	/* A fault that the machine refused is a result of the trial, not a failed call. */
	*reply = json_pack("{s:i, s:s, s:O, s:O, s:I}", "error", error, "reason", reason.text,
			   "result", agent->injection.result, "writes", agent->injection.writes,
			   "duration_ns", (json_int_t)(now_monotonic_ns() - before));
	return 0;
}

static int finish_injection(struct agent *agent, struct reason *why)
{
	int error;

	if (!agent->injecting)
		return 0;
	error = agent->injection.injector->restore(&agent->injection, why);
	injection_close(&agent->injection);
	agent->injecting = false;
	return error;
}

static int serve_inject_restore(struct agent *agent, const json_t *arguments, json_t **reply,
				struct reason *why)
{
	(void)arguments;
	*reply = json_object();
	return finish_injection(agent, why);
}

static int from_base64(const char *text, unsigned char **bytes, size_t *length)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t size = strlen(text) / 4 * 3 + 3, put = 0;
	unsigned char *out = malloc(size);
	uint32_t word = 0;
	int bits = 0;

	if (!out)
		return -ENOMEM;
	for (; *text && *text != '='; text++) {
		const char *place = strchr(alphabet, *text);

		if (!place) {
			free(out);
			return -EINVAL;
		}
		word = word << 6 | (uint32_t)(place - alphabet);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[put++] = (unsigned char)(word >> bits);
		}
	}
	*bytes = out;
	*length = put;
	return 0;
}

static int serve_file_put(struct agent *agent, const json_t *arguments, json_t **reply,
			  struct reason *why)
{
	const char *path = json_text(arguments, "path", "");
	bool append = json_is_true(json_object_get(arguments, "append"));
	mode_t mode = (mode_t)json_number(arguments, "mode", 0644);
	__cleanup_free unsigned char *bytes = NULL;
	__cleanup_close int fd = -1;
	size_t length = 0;
	int error;

	(void)agent;
	error = machine_is_expendable(why);
	if (error)
		return error;
	error = from_base64(json_text(arguments, "data_base64", ""), &bytes, &length);
	if (error)
		return fail(why, error, "file.put %s: bad base64", path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), mode);
	if (fd < 0)
		return fail(why, -errno, "file.put: open %s: %s", path, strerror(errno));
	error = write_all(fd, bytes, length);
	if (error)
		return fail(why, error, "file.put: write %s: %s", path, strerror(-error));
	fchmod(fd, mode);
	*reply = json_object();
	return 0;
}

/* What came on one pipe of a command; the rest beyond OUTPUT_MAX is counted, not kept. */
struct output {
	int fd;
	char *text;
	size_t used;
	uint64_t dropped;
};

static void output_read(struct output *output)
{
	char bytes[8192];
	ssize_t got = read(output->fd, bytes, sizeof(bytes));
	size_t keep;

	if (got <= 0) {
		if (got < 0 && errno == EINTR)
			return;
		close(output->fd);
		output->fd = -1;
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

/* Return: whether it ended by itself before the deadline. */
static bool await_end(pid_t pid, int64_t deadline)
{
	struct pollfd state = {.fd = pidfd_open(pid, 0), .events = POLLIN};
	bool ended = false;

	while (state.fd >= 0 && !ended) {
		int64_t left = (deadline - now_monotonic_ns()) / NSEC_PER_MSEC;

		if (left <= 0)
			break;
		ended = poll(&state, 1, left < INT32_MAX ? (int)left : INT32_MAX) > 0;
	}
	if (state.fd >= 0)
		close(state.fd);
	return ended;
}

static int spawn(const json_t *argv, struct output *outputs, pid_t *pid, struct reason *why)
{
	size_t count = json_array_size(argv);
	__cleanup_free char **arguments = calloc(count + 1, sizeof(char *));
	int pipes[2][2];

	if (!count || !arguments)
		return fail(why, -EINVAL, "run: 'argv' is missing");
	for (size_t i = 0; i < count; i++) {
		arguments[i] = (char *)json_string_value(json_array_get(argv, i));
		if (!arguments[i])
			return fail(why, -EINVAL, "run: 'argv' must be a list of texts");
	}
	if (pipe2(pipes[0], O_CLOEXEC) < 0)
		return fail(why, -errno, "run: pipe: %s", strerror(errno));
	if (pipe2(pipes[1], O_CLOEXEC) < 0) {
		close(pipes[0][0]);
		close(pipes[0][1]);
		return fail(why, -errno, "run: pipe: %s", strerror(errno));
	}
	*pid = fork();
	if (*pid == 0) {
		int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		setsid();
		dup2(null, 0);
		dup2(pipes[0][1], 1);
		dup2(pipes[1][1], 2);
		execvp(arguments[0], arguments);
		dprintf(2, "%s: %s\n", arguments[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	for (int i = 0; i < 2; i++) {
		close(pipes[i][1]);
		outputs[i].fd = pipes[i][0];
	}
	if (*pid < 0) {
		close(pipes[0][0]);
		close(pipes[1][0]);
		return fail(why, -errno, "run: fork: %s", strerror(errno));
	}
	return 0;
}

static int serve_run(struct agent *agent, const json_t *arguments, json_t **reply,
		     struct reason *why)
{
	int64_t timeout_ms = json_number(arguments, "timeout_ms", 60000);
	int64_t deadline = now_monotonic_ns() +
			   (timeout_ms < RUN_LIMIT_MS ? timeout_ms : RUN_LIMIT_MS) * NSEC_PER_MSEC;
	struct output outputs[2] = {{.fd = -1}, {.fd = -1}};
	bool late = false;
	pid_t pid = -1;
	int status = 0;
	int error;

	(void)agent;
	error = machine_is_expendable(why);
	if (!error)
		error = spawn(json_object_get(arguments, "argv"), outputs, &pid, why);
	if (error)
		return error;
	/* One byte more, in which the text that came ends. */
	outputs[0].text = calloc(1, OUTPUT_MAX + 1);
	outputs[1].text = calloc(1, OUTPUT_MAX + 1);
	if (!outputs[0].text || !outputs[1].text)
		abort();
	while (outputs[0].fd >= 0 || outputs[1].fd >= 0) {
		struct pollfd fds[2] = {{.fd = outputs[0].fd, .events = POLLIN},
					{.fd = outputs[1].fd, .events = POLLIN}};
		int64_t left = (deadline - now_monotonic_ns()) / NSEC_PER_MSEC;

		if (left <= 0 || poll(fds, 2, (int)left) == 0)
			break;
		for (int i = 0; i < 2; i++)
			if (fds[i].revents)
				output_read(&outputs[i]);
	}
	/* A program that closed its output runs on; and after SIGKILL one may still sit in an uninterruptible wait. */
	late = !await_end(pid, deadline);
	if (late) {
		kill(-pid, SIGKILL);
		(void)await_end(pid, now_monotonic_ns() + NSEC_PER_SEC);
	}
	(void)waitpid(pid, &status, WNOHANG);
	*reply = json_pack("{s:i, s:i, s:b, s:o, s:o, s:I}", "status",
			   WIFEXITED(status) ? WEXITSTATUS(status) : -1, "signal",
			   WIFSIGNALED(status) ? WTERMSIG(status) : 0, "timed_out", late, "stdout",
			   output_text(&outputs[0]), "stderr", output_text(&outputs[1]), "dropped",
			   (json_int_t)(outputs[0].dropped + outputs[1].dropped));
	for (int i = 0; i < 2; i++) {
		if (outputs[i].fd >= 0)
			close(outputs[i].fd);
		free(outputs[i].text);
	}
	return 0;
}

/* What the agent itself uses: a run of many trials must not make these grow. */
static int serve_usage(struct agent *agent, const json_t *arguments, json_t **reply,
		       struct reason *why)
{
	__cleanup_free char *statm = NULL;
	long fds = 0, resident = 0;
	struct dirent *entry;
	DIR *directory = opendir("/proc/self/fd");

	(void)agent;
	(void)arguments;
	if (!directory || read_small_file("/proc/self/statm", &statm, NULL)) {
		if (directory)
			closedir(directory);
		return fail(why, -EIO, "usage: /proc/self can not be read");
	}
	while ((entry = readdir(directory)))
		fds += entry->d_name[0] != '.';
	closedir(directory);
	(void)sscanf(statm, "%*d %ld", &resident);
	*reply = json_pack("{s:I, s:I}", "fds", (json_int_t)(fds - 1), "resident_kb",
			   (json_int_t)(resident * (sysconf(_SC_PAGESIZE) / 1024)));
	return 0;
}

static const struct agent_call calls[] = {
	{"hello", serve_hello},
	{"probe", serve_probe},
	{"witness.start", serve_witness_start},
	{"witness.focus", serve_witness_focus},
	{"witness.collect", serve_witness_collect},
	{"witness.stop", serve_witness_stop},
	{"workload.start", serve_workload_start},
	{"workload.touch", serve_workload_touch},
	{"workload.stop", serve_workload_stop},
	{"inject.prepare", serve_inject_prepare},
	{"inject.fire", serve_inject_fire},
	{"inject.restore", serve_inject_restore},
	{"file.put", serve_file_put},
	{"run", serve_run},
	{"usage", serve_usage},
};

static void serve(struct agent *agent, const json_t *message)
{
	const char *name = json_text(message, "call", NULL);
	const json_t *arguments = json_object_get(message, "args");
	json_t *id = json_object_get(message, "id");
	json_t *reply = NULL;
	struct reason why = {0};
	int error = -ENOSYS;

	if (!name || !json_is_integer(id)) {
		agent_send(agent, json_pack("{s:s, s:s}", "event", "protocol", "text",
					    "a message that is no call was ignored"));
		return;
	}
	fail(&why, error, "no such call '%s'", name);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (strcmp(calls[i].name, name) == 0) {
			why.text[0] = '\0';
			error = calls[i].serve(agent, arguments, &reply, &why);
			break;
		}
	}
	if (error) {
		json_decref(reply);
		agent_send(agent, json_pack("{s:O, s:{s:i, s:s, s:s}}", "id", id, "error", "errno",
					    error, "name", error_name(error), "text",
					    why.text[0] ? why.text : strerror(-error)));
		return;
	}
	agent_send(agent, json_pack("{s:O, s:o}", "id", id, "ok", reply ? reply : json_object()));
}

static void serve_messages(struct agent *agent)
{
	struct reason why;
	json_t *message;
	int got;

	while ((got = channel_next(agent->channel, &message, &why)) != 0) {
		if (got < 0) {
			agent_send(agent,
				   json_pack("{s:s, s:s}", "event", "protocol", "text", why.text));
			continue;
		}
		serve(agent, message);
		json_decref(message);
	}
}

static const int ending_signals[] = {SIGTERM, SIGINT, SIGHUP};

/* Blocked but while the agent waits: nothing that it does is left half done. */
static void catch_ending_signals(void)
{
	struct sigaction action = {.sa_handler = on_ending};
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < ARRAY_SIZE(ending_signals); i++) {
		sigaddset(&blocked, ending_signals[i]);
		sigaction(ending_signals[i], &action, NULL);
	}
	sigprocmask(SIG_BLOCK, &blocked, NULL);
}

/* One turn: wait until somebody has something to say, and pass it on. Return: 0, or why the controller is gone. */
static int agent_turn(struct agent *agent)
{
	struct pollfd fds[64] = {{.fd = channel_fd(agent->channel), .events = POLLIN}};
	struct agent_witness *entry;
	struct agent_workload *load, *next;
	nfds_t count = 1, index = 1;
	sigset_t waiting;
	int got;

	for (entry = agent->witnesses; entry && count < ARRAY_SIZE(fds); entry = entry->next)
		fds[count++] = (struct pollfd){.fd = entry->run.fd, .events = POLLIN};
	for (load = agent->workloads; load && count < ARRAY_SIZE(fds); load = load->next)
		fds[count++] = (struct pollfd){.fd = load->run.fd, .events = POLLIN};
	sigprocmask(SIG_SETMASK, NULL, &waiting);
	for (size_t i = 0; i < ARRAY_SIZE(ending_signals); i++)
		sigdelset(&waiting, ending_signals[i]);
	if (ppoll(fds, count, NULL, &waiting) < 0)
		return ending ? -ECANCELED : errno == EINTR ? 0 : -errno;
	for (entry = agent->witnesses; entry && index < count; entry = entry->next)
		if (fds[index++].revents && entry->witness->dispatch)
			entry->witness->dispatch(&entry->run);
	for (load = agent->workloads; load && index < count; load = next) {
		next = load->next;
		if (fds[index++].revents)
			load->run.workload->dispatch(&load->run);
	}
	if (fds[0].revents) {
		got = channel_fill(agent->channel);
		serve_messages(agent);
		if (got < 0)
			return got;
		/* A serial port whose other end is closed: readable for ever with nothing to read. */
		if (got == 0 && fds[0].revents & POLLHUP && !(fds[0].revents & POLLIN))
			return -EPIPE;
	}
	return agent->error;
}

/**
 * agent_serve - serve one controller until it goes away
 * @channel: to it; owned by the caller
 *
 * When the controller is gone the agent ends its workloads and restores what an injector had set.
 *
 * Return: -EPIPE at the end of the stream, -ECANCELED when it was told to end by a signal, or another -errno.
 */
int agent_serve(struct channel *channel)
{
	struct agent agent = {.channel = channel};
	int error = 0;

	agent_send(&agent, agent_hello());
	while (!error)
		error = agent_turn(&agent);
	finish_injection(&agent, NULL);
	while (agent.workloads)
		stop_workload(&agent, agent.workloads);
	stop_witnesses(&agent);
	for (size_t i = 0; i < witness_count(); i++)
		if (witness_at(i)->release)
			witness_at(i)->release();
	json_decref(agent.focus);
	return error;
}

const char agent_usage[] =
	"usage: brinell agent [--port DEVICE]\n"
	"\n"
	"The host side: serves a controller on standard input and output, one JSON object a line.\n"
	"It is started by the controller, by ssh, or at boot of a rig host.\n"
	"\n"
	"  --port DEVICE   serve on a serial port (such as /dev/virtio-ports/brinell.agent) "
	"instead\n";

static int open_port(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		log_error("agent: open %s: %s", path, strerror(errno));
	return fd;
}

/*
 * Return: false when the agent was told to end.
 *
 * A virtio serial port hangs up while nobody is connected outside; the driver tells of a change by SIGIO
 * (drivers/char/virtio_console.c, send_sigio_to_port()). The bound is for ports of other drivers, which do not.
 */
static bool wait_for_controller(int fd)
{
	struct timespec bound = {.tv_sec = 1};
	sigset_t signals;

	sigemptyset(&signals);
	for (size_t i = 0; i < ARRAY_SIZE(ending_signals); i++)
		sigaddset(&signals, ending_signals[i]);
	sigaddset(&signals, SIGIO);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	fcntl(fd, F_SETOWN, getpid());
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC);
	for (;;) {
		struct pollfd state = {.fd = fd, .events = POLLOUT};

		int signal;

		if (poll(&state, 1, 0) >= 0 && !(state.revents & POLLHUP))
			return true;
		signal = sigtimedwait(&signals, NULL, &bound);
		if (signal > 0 && signal != SIGIO)
			return false;
	}
}

/* A host that boots with its agent serves one controller after the other for as long as it is up. */
static int serve_port(const char *path)
{
	for (;;) {
		struct channel *channel;
		int fd = open_port(path), error;

		if (fd < 0)
			return EXIT_INFRA;
		if (!wait_for_controller(fd)) {
			close(fd);
			return EXIT_PASSED;
		}
		channel = channel_new(fd, fd);
		/* What an agent before this one left unfinished on the port ends here. */
		(void)write_all(fd, "\n", 1);
		error = agent_serve(channel);
		channel_free(channel);
		if (error == -ECANCELED)
			return EXIT_PASSED;
	}
}

/**
 * agent_main - `brinell agent`
 *
 * Return: an enum brinell_exit.
 */
int agent_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"port", required_argument, NULL, 'p'}, {"help", no_argument, NULL, 'h'}, {0}};
	const char *port = NULL;
	struct channel *channel;
	int option, error;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(agent_usage, stdout);
			return EXIT_PASSED;
		}
		if (option != 'p')
			return EXIT_USAGE;
		port = optarg;
	}
	if (optind != argc) {
		log_error("agent: unexpected '%s'; see brinell agent --help", argv[optind]);
		return EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	catch_ending_signals();
	if (port)
		return serve_port(port);
	channel = channel_new(dup(STDIN_FILENO), dup(STDOUT_FILENO));
	error = agent_serve(channel);
	channel_free(channel);
	return error == -EPIPE || error == -ECANCELED ? EXIT_PASSED : EXIT_INFRA;
}
