// SPDX-License-Identifier: GPL-2.0-only
/*
 * The keeper: one process for each emulated host. It starts QEMU and the firmware model, reads the
 * serial console, switches power, and ends everything at the deadline or when the process that
 * wanted the host is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "harness/rig/image/image.h"
#include "harness/rig/host/keeper_internal.h"

#define QMP_TIMEOUT_MS 15000

static void write_log(struct keeper *keeper, int64_t time_ns, const char *prefix, const char *text)
{
	__cleanup_free char *line =
		format_text("%lld.%09lld %s%s\n", (long long)(time_ns / NSEC_PER_SEC),
			    (long long)(time_ns % NSEC_PER_SEC), prefix, text);

	/* A full disk must not end the host; the events still go out. */
	(void)write_all(keeper->log, line, strlen(line));
}

static void on_console_line(void *context, int64_t time_ns, const char *text, bool more)
{
	struct keeper *keeper = context;
	json_t *event = json_pack("{s:s, s:I, s:s}", "event", "console", "time_ns",
				  (json_int_t)time_ns, "text", text);

	if (more)
		json_object_set_new(event, "more", json_true());
	write_log(keeper, time_ns, "", text);
	keeper_broadcast(keeper, event);
}

static void on_complaint_line(void *context, int64_t time_ns, const char *text, bool more)
{
	struct keeper *keeper = context;

	(void)more;
	snprintf(keeper->complaint, sizeof(keeper->complaint), "%s", text);
	write_log(keeper, time_ns, "[emulator] ", text);
	keeper_broadcast(keeper, json_pack("{s:s, s:I, s:s}", "event", "emulator", "time_ns",
					   (json_int_t)time_ns, "text", text));
}

/* Return: bytes read, 0 at the end, -EAGAIN when there is nothing now. */
static ssize_t read_some(struct keeper *keeper, int fd, struct console *console)
{
	char bytes[65536];
	ssize_t got = read(fd, bytes, sizeof(bytes));

	if (got < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (got > 0) {
		if (console == &keeper->console)
			keeper_terminal_output(keeper, bytes, (size_t)got);
		console_feed(console, bytes, (size_t)got, now_realtime_ns());
	}
	return got;
}

static int on_output(sd_event_source *source, int fd, uint32_t events, void *context)
{
	(void)events;
	/* At its end, on_qemu_exit() follows. */
	if (read_some(context, fd, &((struct keeper *)context)->console) == 0)
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

static int on_complaints(sd_event_source *source, int fd, uint32_t events, void *context)
{
	(void)events;
	if (read_some(context, fd, &((struct keeper *)context)->complaint_lines) == 0)
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

/* Runs on QMP's thread. */
static void on_qmp(void *context, const json_t *event)
{
	struct keeper *keeper = context;
	const char *name = json_text(event, "event", "");
	const char *reason = json_text(json_object_get(event, "data"), "reason", NULL);

	if (strcmp(name, "SHUTDOWN") == 0 && reason) {
		pthread_mutex_lock(&keeper->mutex);
		snprintf(keeper->cause, sizeof(keeper->cause), "%s", reason);
		pthread_mutex_unlock(&keeper->mutex);
	}
}

/* Runs on a thread of the firmware model. */
static void on_firmware(void *context, json_t *event)
{
	struct keeper *keeper = context;
	uint64_t one = 1;

	pthread_mutex_lock(&keeper->mutex);
	json_array_append_new(keeper->mail,
			      json_pack("{s:s, s:I, s:o}", "event", "firmware", "time_ns",
					(json_int_t)now_realtime_ns(), "data", event));
	pthread_mutex_unlock(&keeper->mutex);
	(void)!write(keeper->mail_fd, &one, sizeof(one));
}

static int on_mail(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct keeper *keeper = context;
	json_t *mail, *event;
	uint64_t count;
	size_t index;

	(void)source;
	(void)events;
	(void)!read(fd, &count, sizeof(count));
	pthread_mutex_lock(&keeper->mutex);
	mail = keeper->mail;
	keeper->mail = json_array();
	pthread_mutex_unlock(&keeper->mutex);
	json_array_foreach (mail, index, event)
		keeper_broadcast(keeper, json_incref(event));
	json_decref(mail);
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* QEMU is gone: its last words first, then the news that it is off. */
static void qemu_ended(struct keeper *keeper, int status, int signal, const char *cause)
{
	while (read_some(keeper, keeper->output, &keeper->console) > 0)
		;
	console_flush(&keeper->console);
	while (read_some(keeper, keeper->complaints, &keeper->complaint_lines) > 0)
		;
	console_flush(&keeper->complaint_lines);
	keeper->qemu_source = sd_event_source_disable_unref(keeper->qemu_source);
	keeper->output_source = sd_event_source_disable_unref(keeper->output_source);
	keeper->complaint_source = sd_event_source_disable_unref(keeper->complaint_source);
	keeper->input_source = sd_event_source_disable_unref(keeper->input_source);
	close_fd(&keeper->output);
	close_fd(&keeper->complaints);
	close_fd(&keeper->input);
	firmware_detach(keeper->firmware);
	if (keeper->qmp)
		qmp_close(keeper->qmp);
	keeper->qmp = NULL;
	keeper->qemu = 0;
	on_mail(NULL, keeper->mail_fd, 0, keeper);
	keeper_broadcast(keeper,
			 json_pack("{s:s, s:s, s:i, s:i, s:s, s:s*, s:I}", "event", "power",
				   "state", "off", "status", status, "signal", signal, "cause",
				   cause	    ? cause
				   : *keeper->cause ? keeper->cause
				   : signal	    ? "emulator-crash"
						    : "unknown",
				   "complaint", *keeper->complaint ? keeper->complaint : NULL,
				   "time_ns", (json_int_t)now_realtime_ns()));
}

static int on_qemu_exit(sd_event_source *source, const siginfo_t *information, void *context)
{
	struct keeper *keeper = context;
	bool exited = information->si_code == CLD_EXITED;

	(void)source;
	qemu_ended(keeper, exited ? information->si_status : -1,
		   exited ? 0 : information->si_status, NULL);
	/* Nobody is there who could power a detached rig on again. */
	if (keeper->detached)
		sd_event_exit(keeper->loop, 0);
	return 0;
}

/**
 * keeper_power_off - pull the plug
 * @cause: for the event
 *
 * The host gets no chance to end in order, as with a power supply that fails.
 */
void keeper_power_off(struct keeper *keeper, const char *cause)
{
	siginfo_t information = {0};
	bool exited;

	if (!keeper->qemu)
		return;
	kill(keeper->qemu, SIGKILL);
	keeper->qemu_source = sd_event_source_disable_unref(keeper->qemu_source);
	while (waitid(P_PID, (id_t)keeper->qemu, &information, WEXITED) < 0 && errno == EINTR)
		;
	exited = information.si_code == CLD_EXITED;
	qemu_ended(keeper, exited ? information.si_status : -1, exited ? 0 : information.si_status,
		   cause);
}

__attribute__((noreturn)) static void become_qemu(struct keeper *keeper, char **argv, int input,
						  int output, int complaints, pid_t parent)
{
	const int inherited[] = {keeper->ram, keeper->kernel, keeper->initramfs, keeper->system};
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(complaints, STDERR_FILENO);
	for (size_t i = 0; i < ARRAY_SIZE(inherited); i++)
		if (inherited[i] >= 0)
			fcntl(inherited[i], F_SETFD, 0);
	execv(argv[0], argv);
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static bool qemu_lives(const struct keeper *keeper)
{
	siginfo_t information = {0};

	return waitid(P_PID, (id_t)keeper->qemu, &information, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       information.si_pid == 0;
}

/* QEMU makes its sockets in its own time; meanwhile it may end with a complaint. */
static int connect_qmp(struct keeper *keeper, struct reason *why)
{
	__cleanup_free char *path = format_text("%s/" KEEPER_QMP, keeper->directory);
	int64_t deadline = now_monotonic_ns() + QMP_TIMEOUT_MS * NSEC_PER_MSEC;
	int error;

	do {
		error = qmp_connect(path, 250, on_qmp, keeper, &keeper->qmp);
		if (!error)
			return 0;
	} while (qemu_lives(keeper) && now_monotonic_ns() < deadline);
	keeper->qmp = NULL;
	return fail(why, error, "QEMU does not answer on %s: %s", path, strerror(-error));
}

static char **qemu_command(struct keeper *keeper, struct reason *why)
{
	const json_t *config = keeper->config;
	char ram[32], kernel[32], initramfs[32], system[32];
	__cleanup_free char *qmp = format_text("%s/" KEEPER_QMP, keeper->directory);
	__cleanup_free char *agent = format_text("%s/" KEEPER_AGENT, keeper->directory);
	char **firmware = NULL;
	char **arguments;
	int error = firmware_qemu_arguments(&keeper->firmware_config, keeper->directory,
					    json_text(config, "plugin", NULL), &firmware);

	if (error) {
		fail(why, error, "the firmware model: %s", strerror(-error));
		return NULL;
	}
	snprintf(ram, sizeof(ram), "/proc/self/fd/%d", keeper->ram);
	snprintf(kernel, sizeof(kernel), "/proc/self/fd/%d", keeper->kernel);
	snprintf(initramfs, sizeof(initramfs), "/proc/self/fd/%d", keeper->initramfs);
	snprintf(system, sizeof(system), "/proc/self/fd/%d", keeper->system);
	unlink(qmp);
	unlink(agent);
	arguments =
		qemu_arguments(&(struct qemu_config){.program = json_text(config, "qemu", ""),
						     .profile = keeper->profile,
						     .memory_mib = keeper->memory_mib,
						     .processors = keeper->processors,
						     .ram = ram,
						     .kernel = kernel,
						     .initramfs = initramfs,
						     .system = keeper->system >= 0 ? system : NULL,
						     .link = json_text(config, "link", NULL),
						     .host_number = keeper->host_number,
						     .arguments = keeper->arguments,
						     .qmp = qmp,
						     .agent = agent,
						     .firmware = firmware});
	qemu_arguments_free(firmware);
	return arguments;
}

static int spawn_qemu(struct keeper *keeper, struct reason *why)
{
	char **argv = qemu_command(keeper, why);
	int input[2] = {-1, -1}, output[2] = {-1, -1}, complaints[2] = {-1, -1};
	pid_t parent = getpid();
	int error = 0;

	if (!argv)
		return -EINVAL;
	if (pipe2(input, O_CLOEXEC) < 0 || pipe2(output, O_CLOEXEC) < 0 ||
	    pipe2(complaints, O_CLOEXEC) < 0) {
		error = fail(why, -errno, "cannot make pipes for QEMU: %s", strerror(errno));
	} else {
		keeper->qemu = fork();
		if (keeper->qemu == 0)
			become_qemu(keeper, argv, input[0], output[1], complaints[1], parent);
		if (keeper->qemu < 0)
			error = fail(why, -errno, "cannot start QEMU: %s", strerror(errno));
	}
	qemu_arguments_free(argv);
	close_fd(&input[0]);
	close_fd(&output[1]);
	close_fd(&complaints[1]);
	if (error) {
		keeper->qemu = 0;
		close_fd(&input[1]);
		close_fd(&output[0]);
		close_fd(&complaints[0]);
		return error;
	}
	keeper->input = input[1];
	keeper->output = output[0];
	keeper->complaints = complaints[0];
	fcntl(keeper->input, F_SETFL, O_NONBLOCK);
	fcntl(keeper->output, F_SETFL, O_NONBLOCK);
	fcntl(keeper->complaints, F_SETFL, O_NONBLOCK);
	return 0;
}

/**
 * keeper_power_on - start QEMU with empty RAM
 *
 * Return: 0 or -errno with the reason, QEMU's own words included.
 */
int keeper_power_on(struct keeper *keeper, struct reason *why)
{
	int error;

	if (keeper->qemu)
		return fail(why, -EALREADY, "the host is on already");
	/* The model's mapping stays valid, the pages are given back and read as zeroes. */
	fallocate(keeper->ram, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		  (off_t)keeper->memory_mib << 20);
	keeper->cause[0] = keeper->complaint[0] = '\0';
	keeper->powered_ns = now_realtime_ns();
	error = spawn_qemu(keeper, why);
	if (error)
		return error;
	error = connect_qmp(keeper, why);
	if (!error) {
		error = firmware_attach(keeper->firmware, keeper->qmp);
		if (error)
			fail(why, error, "the firmware model can not attach to QEMU: %s",
			     strerror(-error));
	}
	if (error) {
		keeper_power_off(keeper, "start failed");
		if (*keeper->complaint) {
			struct reason first = *why;

			fail(why, error, "%s: %.400s", first.text, keeper->complaint);
		}
		return error;
	}
	keeper->boots++;
	sd_event_add_io(keeper->loop, &keeper->output_source, keeper->output, EPOLLIN, on_output,
			keeper);
	sd_event_add_io(keeper->loop, &keeper->complaint_source, keeper->complaints, EPOLLIN,
			on_complaints, keeper);
	sd_event_add_child(keeper->loop, &keeper->qemu_source, keeper->qemu, WEXITED, on_qemu_exit,
			   keeper);
	/* The console must be read to its end before the exit is told. */
	sd_event_source_set_priority(keeper->qemu_source, SD_EVENT_PRIORITY_IDLE);
	keeper_broadcast(keeper,
			 json_pack("{s:s, s:s, s:i, s:I}", "event", "power", "state", "on", "boot",
				   keeper->boots, "time_ns", (json_int_t)keeper->powered_ns));
	return 0;
}

static json_t *keeper_status(const struct keeper *keeper)
{
	return json_pack("{s:s, s:s, s:s, s:i, s:i, s:I, s:I, s:s, s:s, s:s, s:s}", "name",
			 json_text(keeper->config, "name", ""), "profile", keeper->profile->name,
			 "state", keeper->qemu ? "on" : "off", "pid", (int)keeper->qemu, "boots",
			 (int)keeper->boots, "powered_ns", (json_int_t)keeper->powered_ns,
			 "deadline_ns", (json_int_t)keeper->deadline_ns, "kernel",
			 json_text(keeper->config, "release", ""), "kernel_arguments",
			 keeper->arguments, "directory", keeper->directory, "console_log",
			 json_text(keeper->config, "console_log", ""));
}

static int serve_power(struct keeper *keeper, const json_t *arguments, struct reason *why)
{
	const char *action = json_text(arguments, "action", "");

	if (strcmp(action, "off") == 0) {
		keeper_power_off(keeper, "power off");
		return 0;
	}
	if (strcmp(action, "cycle") == 0) {
		keeper_power_off(keeper, "power cycle");
		return keeper_power_on(keeper, why);
	}
	return fail(why, -EINVAL, "power: 'action' is 'cycle' or 'off', not '%s'", action);
}

/**
 * keeper_serve - one call of a client
 * @call:      status, power, firmware or stop
 * @arguments: of the call; may be NULL
 * @reply:     receives the result; may stay NULL
 *
 * Return: 0 or -errno with the reason.
 */
int keeper_serve(struct keeper *keeper, const char *call, const json_t *arguments, json_t **reply,
		 struct reason *why)
{
	int error;

	if (strcmp(call, "status") == 0) {
		*reply = keeper_status(keeper);
		return 0;
	}
	if (strcmp(call, "power") == 0)
		return serve_power(keeper, arguments, why);
	if (strcmp(call, "firmware") == 0) {
		error = firmware_control(keeper->firmware, arguments, reply);
		return error ? fail(why, error, "the firmware model: %s",
				    json_text(*reply, "error", strerror(-error)))
			     : 0;
	}
	if (strcmp(call, "stop") == 0) {
		keeper_power_off(keeper, "stop");
		sd_event_exit(keeper->loop, 0);
		return 0;
	}
	return fail(why, -ENOSYS, "the keeper knows status, power, firmware and stop, not '%s'",
		    call);
}

static int on_deadline(sd_event_source *source, uint64_t now, void *context)
{
	struct keeper *keeper = context;

	(void)source;
	(void)now;
	keeper_power_off(keeper, "deadline");
	sd_event_exit(keeper->loop, 0);
	return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *information,
		     void *context)
{
	(void)source;
	(void)information;
	sd_event_exit(((struct keeper *)context)->loop, 0);
	return 0;
}

static int open_part(const struct keeper *keeper, const char *key, int *fd, struct reason *why)
{
	const char *path = json_text(keeper->config, key, "");

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? fail(why, -errno, "cannot open the %s %s: %s", key, path, strerror(errno))
		       : 0;
}

static int prepare_firmware(struct keeper *keeper, struct reason *why)
{
	struct firmware_config *config = &keeper->firmware_config;
	int error;

	config->ram_path = format_text("/proc/self/fd/%d", keeper->ram);
	config->ram_size = (size_t)keeper->memory_mib << 20;
	config->region = qemu_firmware_region(keeper->memory_mib);
	config->region_size = QEMU_FIRMWARE_REGION_SIZE;
	config->processors = keeper->processors;
	/* QEMU refuses to broadcast to processors that are not Intel's (target/i386/helper.c). */
	config->single = !strstr(keeper->profile->processor, "GenuineIntel");
	config->einj_revision = (unsigned int)json_number(keeper->config, "einj_revision", 1);
	config->doorbell_path = format_text("%s/" KEEPER_DOORBELL, keeper->directory);
	config->poison_path = format_text("%s/poison", keeper->directory);
	error = firmware_write_tables(config, keeper->directory);
	if (!error)
		error = firmware_open(config, on_firmware, keeper, &keeper->firmware);
	return error ? fail(why, error, "the firmware model can not start: %s", strerror(-error))
		     : 0;
}

static int write_state(struct keeper *keeper)
{
	__cleanup_free char *role =
		keeper->host_number
			? format_text("%s-%u", keeper->profile->name, keeper->host_number)
			: strdup(keeper->profile->name);
	__cleanup_json json_t *state =
		json_pack("{s:s, s:s, s:i, s:I, s:I, s:b}", "profile", role, "kernel",
			  json_text(keeper->config, "release", ""), "pid", (int)getpid(),
			  "started_ns", (json_int_t)now_realtime_ns(), "deadline_ns",
			  (json_int_t)keeper->deadline_ns, "detached", keeper->detached);
	__cleanup_free char *text = json_dumps(state, JSON_INDENT(1));

	return text ? write_file_atomically(keeper->directory, KEEPER_STATE, text, strlen(text))
		    : -ENOMEM;
}

static int prepare_loop(struct keeper *keeper)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	uint64_t deadline_us = (uint64_t)json_number(keeper->config, "deadline_s", 3600) * 1000000;
	sigset_t blocked;
	int error = sd_event_new(&keeper->loop);

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&blocked, signals[i]);
	/* Before any thread is there, so that all of them have it so. */
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	for (size_t i = 0; error >= 0 && i < ARRAY_SIZE(signals); i++)
		error = sd_event_add_signal(keeper->loop, NULL, signals[i], on_signal, keeper);
	if (error >= 0)
		error = sd_event_add_io(keeper->loop, NULL, keeper->mail_fd, EPOLLIN, on_mail,
					keeper);
	keeper->deadline_ns = now_realtime_ns() + (int64_t)deadline_us * 1000;
	if (error >= 0)
		error = sd_event_add_time_relative(keeper->loop, NULL, CLOCK_MONOTONIC, deadline_us,
						   0, on_deadline, keeper);
	return error < 0 ? error : 0;
}

static int keeper_prepare(struct keeper *keeper, struct reason *why)
{
	const json_t *config = keeper->config;
	int error;

	keeper->directory = json_text(config, "directory", "");
	keeper->profile = rig_profile_find(json_text(config, "profile", ""));
	keeper->memory_mib = (unsigned int)json_number(config, "memory_mib", 0);
	keeper->processors = (unsigned int)json_number(config, "processors", 0);
	keeper->host_number = (unsigned int)json_number(config, "host_number", 0);
	keeper->detached = json_is_true(json_object_get(config, "detached"));
	keeper->lock = (int)json_number(config, "lock", -1);
	if (!keeper->profile || !keeper->memory_mib || !keeper->processors)
		return fail(why, -EINVAL, "the keeper was started without a whole configuration");
	fcntl(keeper->lock, F_SETFD, FD_CLOEXEC);
	keeper->arguments =
		qemu_kernel_arguments(keeper->profile, keeper->memory_mib, keeper->host_number,
				      json_text(config, "shell", NULL),
				      json_is_true(json_object_get(config, "verbose")),
				      json_text(config, "arguments", NULL));
	keeper->log =
		open(json_text(config, "console_log", ""),
		     O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	if (keeper->log < 0)
		return fail(why, -errno, "cannot write %s: %s",
			    json_text(config, "console_log", ""), strerror(errno));
	/* Memory without a name: nothing of it can stay behind, whoever is killed. */
	keeper->ram = memfd_create("brinell-ram", MFD_CLOEXEC);
	if (keeper->ram < 0 || ftruncate(keeper->ram, (off_t)keeper->memory_mib << 20) < 0)
		return fail(why, -errno, "cannot make %u MiB of RAM: %s", keeper->memory_mib,
			    strerror(errno));
	error = open_part(keeper, "kernel", &keeper->kernel, why);
	if (!error)
		error = open_part(keeper, "initramfs", &keeper->initramfs, why);
	if (!error && json_text(config, "system", NULL))
		error = open_part(keeper, "system", &keeper->system, why);
	if (!error) {
		error = prepare_loop(keeper);
		if (error)
			fail(why, error, "cannot make the keeper's event loop: %s",
			     strerror(-error));
	}
	if (!error)
		error = prepare_firmware(keeper, why);
	if (!error)
		error = keeper_listen(keeper, why);
	if (!error) {
		error = write_state(keeper);
		if (error)
			fail(why, error, "cannot write the state in %s: %s", keeper->directory,
			     strerror(-error));
	}
	return error ? error : keeper_power_on(keeper, why);
}

static void keeper_end(struct keeper *keeper)
{
	keeper_power_off(keeper, "stop");
	if (keeper->firmware)
		firmware_close(keeper->firmware);
	if (keeper->loop)
		keeper_drop_clients(keeper);
	sd_event_unref(keeper->loop);
	if (keeper->directory && *keeper->directory == '/')
		image_remove_tree(keeper->directory, NULL);
	free((char *)keeper->firmware_config.ram_path);
	free((char *)keeper->firmware_config.doorbell_path);
	free((char *)keeper->firmware_config.poison_path);
	free(keeper->arguments);
	json_decref(keeper->mail);
	json_decref(keeper->config);
}

/* The first line over the control socket says what to keep. */
static json_t *read_config(struct channel *channel)
{
	struct pollfd readable = {.fd = channel_fd(channel), .events = POLLIN};
	struct reason why;
	json_t *config = NULL;

	while (channel_next(channel, &config, &why) == 0)
		if (poll(&readable, 1, 10000) <= 0 || channel_fill(channel) < 0)
			return NULL;
	return config;
}

/**
 * keeper_main - the process of a keeper
 * @control: stream socket to the starter, whose first message is the configuration
 *
 * Return: exit status.
 */
int keeper_main(int control)
{
	struct keeper keeper = {
		.ram = -1,
		.kernel = -1,
		.initramfs = -1,
		.system = -1,
		.listener = -1,
		.console_listener = -1,
		.log = -1,
		.input = -1,
		.output = -1,
		.complaints = -1,
	};
	pid_t parent = getppid();
	struct channel *channel;
	struct reason why = {""};
	json_t *answer;
	int error;

	fcntl(control, F_SETFD, FD_CLOEXEC);
	channel = channel_new(control, fcntl(control, F_DUPFD_CLOEXEC, 3));
	keeper.config = read_config(channel);
	if (!keeper.config) {
		log_error("this is the rig's keeper; it is started by brinell rig, not by hand");
		return EXIT_USAGE;
	}
	setsid();
	if (!json_is_true(json_object_get(keeper.config, "detached"))) {
		/*
		 * The socket's end tells as well; this helps when somebody else holds the other end
		 * open.
		 */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			return EXIT_INFRA;
	}
	pthread_mutex_init(&keeper.mutex, NULL);
	keeper.mail = json_array();
	keeper.mail_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	keeper.console.emit = on_console_line;
	keeper.console.context = &keeper;
	keeper.complaint_lines.emit = on_complaint_line;
	keeper.complaint_lines.context = &keeper;
	error = keeper_prepare(&keeper, &why);
	answer = error ? json_pack("{s:i, s:{s:i, s:s, s:s}}", "id", 0, "error", "errno", error,
				   "name", error_name(error), "text", why.text)
		       : json_pack("{s:i, s:o}", "id", 0, "ok", keeper_status(&keeper));
	channel_send(channel, answer, 1000);
	json_decref(answer);
	if (!error) {
		keeper_add_client(&keeper, fcntl(control, F_DUPFD_CLOEXEC, 3), true);
		channel_free(channel);
		error = sd_event_loop(keeper.loop);
	} else {
		channel_free(channel);
	}
	keeper_end(&keeper);
	return error < 0 ? EXIT_INFRA : EXIT_PASSED;
}
