// SPDX-License-Identifier: GPL-2.0-only
/*
 * The supervisor: one process for each emulated host. It starts QEMU and the firmware model, reads the serial console,
 * switches power, and ends everything at the deadline or when the process that started the rig has ended.
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
#include <sys/random.h>
#include <sys/wait.h>

#include "harness/lib/spawn.h"
#include "harness/lib/seed.h"
#include "harness/rig/image/image.h"
#include "harness/rig/host/bochs.h"
#include "harness/rig/host/supervisor_internal.h"

#define QMP_TIMEOUT_MS 15000

static void write_log(struct supervisor *supervisor, int64_t time_ns, const char *prefix,
		      const char *text)
{
	__cleanup_free char *line =
		format_text("%lld.%09lld %s%s\n", (long long)(time_ns / NSEC_PER_SEC),
			    (long long)(time_ns % NSEC_PER_SEC), prefix, text);

	/* A full disk must not end the host; clients still receive the events. */
	(void)write_all(supervisor->log, line, strlen(line));
}

static void on_console_line(void *context, int64_t time_ns, const char *text, bool more)
{
	struct supervisor *supervisor = context;
	json_t *event = json_pack("{s:s, s:I, s:s}", "event", "console", "time_ns",
				  (json_int_t)time_ns, "text", text);

	if (more)
		json_object_set_new(event, "more", json_true());
	/* Printed by /init of the image. */
	if (strstr(text, "brinell: the host is ready"))
		supervisor->ready = true;
	write_log(supervisor, time_ns, "", text);
	supervisor_broadcast(supervisor, event);
}

/*
 * Where QEMU reports a shutdown or a reset of the machine, Bochs ends with a panic of its own (shutdown() of cpu/exception.cc,
 * generate_sci() of iodev/acpi.cc).
 */
static void take_end_of_bochs(struct supervisor *supervisor, const char *text)
{
	if (strstr(text, "exception with no resolution"))
		snprintf(supervisor->cause, sizeof(supervisor->cause), "guest-reset");
	else if (strstr(text, "ACPI control: soft power off"))
		snprintf(supervisor->cause, sizeof(supervisor->cause), "guest-shutdown");
}

/* Log lines of Bochs begin with a time; only its panics are errors. Other lines may come from its libraries, or end its log. */
static bool is_error_of_bochs(const char *text)
{
	return strstr(text, ">>PANIC<<") ||
	       (*text && !strchr("0123456789=", *text) && strncmp(text, "Bochs ", 6) != 0);
}

static void on_error_line(void *context, int64_t time_ns, const char *text, bool more)
{
	struct supervisor *supervisor = context;

	if (supervisor->profile->bochs)
		take_end_of_bochs(supervisor, text);
	if (!supervisor->profile->bochs || is_error_of_bochs(text))
		snprintf(supervisor->last_error, sizeof(supervisor->last_error), "%s", text);
	write_log(supervisor, time_ns, "[emulator] ", text);
	supervisor_broadcast(supervisor, json_pack("{s:s, s:I, s:s}", "event", "emulator",
						   "time_ns", (json_int_t)time_ns, "text", text));
}

/* Return: bytes read, 0 at the end, -EAGAIN when there is nothing now. */
static ssize_t read_some(struct supervisor *supervisor, int fd, struct console *console)
{
	char bytes[65536];
	ssize_t got = read(fd, bytes, sizeof(bytes));

	if (got < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (got > 0) {
		if (console == &supervisor->console)
			supervisor_terminal_output(supervisor, bytes, (size_t)got);
		console_feed(console, bytes, (size_t)got, now_realtime_ns());
	}
	return got;
}

/** supervisor_read_output - read QEMU's output without blocking. Return: 0, or -EPIPE at its end */
int supervisor_read_output(struct supervisor *supervisor)
{
	ssize_t got;

	while ((got = read_some(supervisor, supervisor->errors, &supervisor->error_lines)) > 0)
		;
	while ((got = read_some(supervisor, supervisor->output, &supervisor->console)) > 0)
		;
	return got == 0 ? -EPIPE : 0;
}

static int on_output(sd_event_source *source, int fd, uint32_t events, void *context)
{
	/* The end of the stream is handled in on_qemu_exit(). */
	if (read_some(context, fd, &((struct supervisor *)context)->console) == 0)
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

static int on_errors(sd_event_source *source, int fd, uint32_t events, void *context)
{
	if (read_some(context, fd, &((struct supervisor *)context)->error_lines) == 0)
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

/* Runs on QMP's thread. */
static void on_qmp(void *context, const json_t *event)
{
	struct supervisor *supervisor = context;
	const char *name = json_text(event, "event", "");
	const char *reason = json_text(json_object_get(event, "data"), "reason", NULL);

	if (strcmp(name, "SHUTDOWN") == 0 && reason) {
		pthread_mutex_lock(&supervisor->mutex);
		snprintf(supervisor->cause, sizeof(supervisor->cause), "%s", reason);
		pthread_mutex_unlock(&supervisor->mutex);
	}
}

/* Runs on a thread of the firmware model. */
static void on_firmware(void *context, json_t *event)
{
	struct supervisor *supervisor = context;
	uint64_t one = 1;

	pthread_mutex_lock(&supervisor->mutex);
	json_array_append_new(supervisor->mail,
			      json_pack("{s:s, s:I, s:o}", "event", "firmware", "time_ns",
					(json_int_t)now_realtime_ns(), "data", event));
	pthread_mutex_unlock(&supervisor->mutex);
	(void)!write(supervisor->mail_fd, &one, sizeof(one));
}

static int on_mail(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct supervisor *supervisor = context;
	json_t *mail, *event;
	uint64_t count;
	size_t index;

	(void)!read(fd, &count, sizeof(count));
	pthread_mutex_lock(&supervisor->mutex);
	mail = supervisor->mail;
	supervisor->mail = json_array();
	pthread_mutex_unlock(&supervisor->mutex);
	json_array_foreach (mail, index, event)
		supervisor_broadcast(supervisor, json_incref(event));
	json_decref(mail);
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* QEMU has exited: drain its output, then broadcast the power event. */
static void qemu_ended(struct supervisor *supervisor, int status, int signal, const char *cause)
{
	while (read_some(supervisor, supervisor->output, &supervisor->console) > 0)
		;
	console_flush(&supervisor->console);
	while (read_some(supervisor, supervisor->errors, &supervisor->error_lines) > 0)
		;
	console_flush(&supervisor->error_lines);
	supervisor->qemu_source = sd_event_source_disable_unref(supervisor->qemu_source);
	supervisor->output_source = sd_event_source_disable_unref(supervisor->output_source);
	supervisor->error_source = sd_event_source_disable_unref(supervisor->error_source);
	supervisor->input_source = sd_event_source_disable_unref(supervisor->input_source);
	close_fd(&supervisor->output);
	close_fd(&supervisor->errors);
	close_fd(&supervisor->input);
	port_end(supervisor);
	firmware_detach(supervisor->firmware);
	if (supervisor->qmp)
		qmp_close(supervisor->qmp);
	supervisor->qmp = NULL;
	supervisor->qemu = 0;
	on_mail(NULL, supervisor->mail_fd, 0, supervisor);
	supervisor_broadcast(supervisor,
			     json_pack("{s:s, s:s, s:i, s:i, s:s, s:s*, s:I}", "event", "power",
				       "state", "off", "status", status, "signal", signal, "cause",
				       cause		    ? cause
				       : *supervisor->cause ? supervisor->cause
				       : signal		    ? "emulator-crash"
							    : "unknown",
				       "last_error",
				       *supervisor->last_error ? supervisor->last_error : NULL,
				       "time_ns", (json_int_t)now_realtime_ns()));
}

static int on_qemu_exit(sd_event_source *source, const siginfo_t *information, void *context)
{
	struct supervisor *supervisor = context;
	bool exited = information->si_code == CLD_EXITED;

	qemu_ended(supervisor, exited ? information->si_status : -1,
		   exited ? 0 : information->si_status, NULL);
	/* A detached rig has no client that would power it on again. */
	if (supervisor->detached)
		sd_event_exit(supervisor->loop, 0);
	return 0;
}

/* Kill QEMU, like a power failure: the host does not shut down. @cause: of the event "power". */
static void power_off(struct supervisor *supervisor, const char *cause)
{
	siginfo_t information = {0};
	bool exited;

	if (!supervisor->qemu)
		return;
	kill(supervisor->qemu, SIGKILL);
	supervisor->qemu_source = sd_event_source_disable_unref(supervisor->qemu_source);
	while (waitid(P_PID, (id_t)supervisor->qemu, &information, WEXITED) < 0 && errno == EINTR)
		;
	exited = information.si_code == CLD_EXITED;
	qemu_ended(supervisor, exited ? information.si_status : -1,
		   exited ? 0 : information.si_status, cause);
}

static bool qemu_is_running(const struct supervisor *supervisor)
{
	siginfo_t information = {0};

	return waitid(P_PID, (id_t)supervisor->qemu, &information, WEXITED | WNOHANG | WNOWAIT) ==
		       0 &&
	       information.si_pid == 0;
}

/* QEMU creates its sockets some time after its start; it may end with an error meanwhile. */
static int connect_qmp(struct supervisor *supervisor, struct reason *why)
{
	__cleanup_free char *path = format_text("%s/" SUPERVISOR_QMP, supervisor->directory);
	int64_t deadline = now_monotonic_ns() + QMP_TIMEOUT_MS * NSEC_PER_MSEC;
	int error;

	do {
		error = qmp_connect(path, 250, on_qmp, supervisor, &supervisor->qmp);
		if (!error)
			return 0;
	} while (qemu_is_running(supervisor) && now_monotonic_ns() < deadline);
	supervisor->qmp = NULL;
	return fail_errno(why, error, "QEMU does not answer on %s", path);
}

/**
 * supervisor_qemu_command - build QEMU's command line
 * @incoming: descriptor of a snapshot to start from, or -1
 * @seed:     for the random numbers of the host, or NULL
 *
 * Return: NULL-terminated; qemu_arguments_free().
 */
char **supervisor_qemu_command(const struct supervisor *supervisor, int incoming, const char *seed)
{
	const json_t *config = supervisor->config;
	char ram[32], disk[32], kernel[32], initramfs[32], system[32], hypervisor[32], state[32];
	__cleanup_free char *qmp = format_text("%s/" SUPERVISOR_QMP, supervisor->directory);
	__cleanup_free char *agent = format_text("%s/" SUPERVISOR_AGENT, supervisor->directory);
	char **firmware =
		firmware_qemu_arguments(&supervisor->firmware_config, supervisor->directory,
					json_text(config, "plugin", NULL));
	char **arguments;

	snprintf(ram, sizeof(ram), "/proc/self/fd/%d", supervisor->ram);
	snprintf(disk, sizeof(disk), "/proc/self/fd/%d", supervisor->disk);
	snprintf(kernel, sizeof(kernel), "/proc/self/fd/%d", supervisor->kernel);
	snprintf(initramfs, sizeof(initramfs), "/proc/self/fd/%d", supervisor->initramfs);
	snprintf(system, sizeof(system), "/proc/self/fd/%d", supervisor->system);
	snprintf(hypervisor, sizeof(hypervisor), "/proc/self/fd/%d", supervisor->hypervisor);
	snprintf(state, sizeof(state), "/proc/self/fd/%d", incoming);
	arguments = qemu_arguments(
		&(struct qemu_config){.program = json_text(config, "qemu", ""),
				      .profile = supervisor->profile,
				      .memory_mib = supervisor->memory_mib,
				      .processors = supervisor->processors,
				      .ram = ram,
				      .disk = disk,
				      .kernel = kernel,
				      .initramfs = initramfs,
				      .system = supervisor->system >= 0 ? system : NULL,
				      .hypervisor = supervisor->hypervisor >= 0 ? hypervisor : NULL,
				      .state = incoming >= 0 ? state : NULL,
				      .seed = seed,
				      .link = json_text(config, "link", NULL),
				      .host_number = supervisor->host_number,
				      .arguments = supervisor->arguments,
				      .qmp = qmp,
				      .counted = json_is_true(json_object_get(config, "counted")),
				      .agent = agent,
				      .firmware = firmware});
	qemu_arguments_free(firmware);
	return arguments;
}

static void remove_socket(const struct supervisor *supervisor, const char *name)
{
	__cleanup_free char *path = format_text("%s/%s", supervisor->directory, name);

	unlink(path);
}

/* @digits: receives 2 * SEED_BYTES digits and a NUL */
static void draw_seed(char *digits)
{
	unsigned char bytes[SEED_BYTES] = {0};

	(void)!getrandom(bytes, sizeof(bytes), 0);
	for (size_t i = 0; i < sizeof(bytes); i++)
		sprintf(digits + 2 * i, "%02x", bytes[i]);
}

static int spawn_qemu(struct supervisor *supervisor, int incoming, struct reason *why)
{
	const int inherited[] = {supervisor->ram,
				 supervisor->disk,
				 supervisor->kernel,
				 supervisor->initramfs,
				 supervisor->system,
				 supervisor->hypervisor,
				 incoming};
	bool seeded = supervisor->profile->snapshot ||
		      json_is_true(json_object_get(supervisor->config, "counted"));
	char seed[2 * SEED_BYTES + 1];
	char **argv;
	struct spawn spawn = {.streams = {SPAWN_PIPE, SPAWN_PIPE, SPAWN_PIPE},
			      .keep = inherited,
			      .keep_count = ARRAY_SIZE(inherited),
			      .death_signal = SIGKILL};
	int error;

	remove_socket(supervisor, SUPERVISOR_QMP);
	remove_socket(supervisor, SUPERVISOR_AGENT);
	draw_seed(seed);
	argv = supervisor_qemu_command(supervisor, incoming, seeded ? seed : NULL);
	spawn.argv = (const char *const *)argv;
	error = spawn_start(&spawn, why);
	qemu_arguments_free(argv);
	if (error)
		return error;
	supervisor->qemu = spawn.pid;
	supervisor->input = spawn.ends[0];
	supervisor->output = spawn.ends[1];
	supervisor->errors = spawn.ends[2];
	fcntl(supervisor->input, F_SETFL, O_NONBLOCK);
	fcntl(supervisor->output, F_SETFL, O_NONBLOCK);
	fcntl(supervisor->errors, F_SETFL, O_NONBLOCK);
	return 0;
}

static int take_lines(struct supervisor *supervisor, int console, int agent, struct reason *why)
{
	__cleanup_close int port = -1;
	int error = port_accept(console, supervisor->qemu, &supervisor->output, why)
			    ?: port_accept(agent, supervisor->qemu, &port, why);

	if (error)
		return error;
	supervisor->input = fcntl(supervisor->output, F_DUPFD_CLOEXEC, 3);
	return port_serve(supervisor, port, why);
}

static int start_bochs(struct supervisor *supervisor, struct reason *why)
{
	struct bochs_config config = {.emulator = json_text(supervisor->config, "bochs", ""),
				      .profile = supervisor->profile,
				      .memory_mib = supervisor->memory_mib,
				      .directory = supervisor->directory,
				      .hypervisor = supervisor->hypervisor,
				      .kernel = supervisor->kernel,
				      .initramfs = supervisor->initramfs,
				      .arguments = supervisor->arguments};
	struct spawn spawn = {.streams = {SPAWN_NULL, SPAWN_NULL, SPAWN_PIPE},
			      .death_signal = SIGKILL};
	__cleanup_close int console = -1, agent = -1;
	char **argv = NULL;
	int error = port_listen(&console, &config.console_port, why)
			    ?: port_listen(&agent, &config.agent_port, why);

	remove_socket(supervisor, SUPERVISOR_AGENT);
	if (!error) {
		argv = bochs_prepare(&config, why);
		error = argv ? 0 : -EIO;
	}
	spawn.argv = (const char *const *)argv;
	if (!error)
		error = spawn_start(&spawn, why);
	qemu_arguments_free(argv);
	if (error)
		return error;
	supervisor->qemu = spawn.pid;
	supervisor->errors = spawn.ends[2];
	fcntl(supervisor->errors, F_SETFL, O_NONBLOCK);
	return take_lines(supervisor, console, agent, why);
}

/* After the start of QEMU: connect QMP and attach the firmware model. */
static int take_machine(struct supervisor *supervisor, int incoming, struct reason *why)
{
	int error = connect_qmp(supervisor, why);

	if (error)
		return error;
	error = firmware_attach(supervisor->firmware, supervisor->qmp);
	if (error)
		return fail_errno(why, error, "the firmware model can not attach to QEMU");
	return incoming >= 0 ? snapshot_resume(supervisor, why) : snapshot_make(supervisor, why);
}

/* @incoming: descriptor of a snapshot, or -1 */
static int start_qemu(struct supervisor *supervisor, int incoming, struct reason *why)
{
	int error;

	/* The model's mapping stays valid; the pages are freed, and read as zeroes. */
	fallocate(supervisor->ram, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		  (off_t)supervisor->memory_mib << 20);
	supervisor->cause[0] = supervisor->last_error[0] = '\0';
	supervisor->ready = false;
	if (supervisor->profile->bochs)
		error = start_bochs(supervisor, why);
	else
		error = spawn_qemu(supervisor, incoming, why)
				?: take_machine(supervisor, incoming, why);
	if (error && supervisor->qemu) {
		power_off(supervisor, "start failed");
		if (*supervisor->last_error) {
			struct reason first = *why;

			fail(why, error, "%s: %.400s", first.text, supervisor->last_error);
		}
	}
	return error;
}

/* Start QEMU with empty RAM, or with that of a snapshot. Return: 0 or -errno with the reason, which includes QEMU's message. */
static int power_on(struct supervisor *supervisor, struct reason *why)
{
	__cleanup_close int snapshot = -1;
	int error;

	if (supervisor->qemu)
		return fail(why, -EALREADY, "the host is on already");
	supervisor->powered_ns = now_realtime_ns();
	snapshot = snapshot_open(supervisor);
	error = start_qemu(supervisor, snapshot, why);
	if (error && snapshot >= 0) {
		write_log(supervisor, now_realtime_ns(),
			  "[supervisor] no start from the snapshot: ", why->text);
		snapshot_remove(supervisor);
		error = start_qemu(supervisor, -1, why);
	} else if (snapshot >= 0) {
		write_log(supervisor, supervisor->powered_ns, "[supervisor] ",
			  "the host resumes from a snapshot");
	}
	if (error)
		return error;
	supervisor->boots++;
	sd_event_add_io(supervisor->loop, &supervisor->output_source, supervisor->output, EPOLLIN,
			on_output, supervisor);
	sd_event_add_io(supervisor->loop, &supervisor->error_source, supervisor->errors, EPOLLIN,
			on_errors, supervisor);
	sd_event_add_child(supervisor->loop, &supervisor->qemu_source, supervisor->qemu, WEXITED,
			   on_qemu_exit, supervisor);
	/* The console is drained before the exit is handled. */
	sd_event_source_set_priority(supervisor->qemu_source, SD_EVENT_PRIORITY_IDLE);
	supervisor_broadcast(supervisor, json_pack("{s:s, s:s, s:i, s:I}", "event", "power",
						   "state", "on", "boot", supervisor->boots,
						   "time_ns", (json_int_t)supervisor->powered_ns));
	return 0;
}

static json_t *supervisor_status(const struct supervisor *supervisor)
{
	return json_pack("{s:s, s:s, s:s, s:i, s:i, s:I, s:I, s:s, s:s, s:s, s:s}", "name",
			 json_text(supervisor->config, "name", ""), "profile",
			 supervisor->profile->name, "state", supervisor->qemu ? "on" : "off", "pid",
			 (int)supervisor->qemu, "boots", (int)supervisor->boots, "powered_ns",
			 (json_int_t)supervisor->powered_ns, "deadline_ns",
			 (json_int_t)supervisor->deadline_ns, "kernel",
			 json_text(supervisor->config, "release", ""), "kernel_arguments",
			 supervisor->arguments, "directory", supervisor->directory, "console_log",
			 json_text(supervisor->config, "console_log", ""));
}

static int serve_power(struct supervisor *supervisor, const json_t *arguments, struct reason *why)
{
	const char *action = json_text(arguments, "action", "");

	if (strcmp(action, "off") == 0) {
		power_off(supervisor, "power off");
		return 0;
	}
	if (strcmp(action, "cycle") == 0) {
		power_off(supervisor, "power cycle");
		return power_on(supervisor, why);
	}
	return fail(why, -EINVAL, "power: 'action' is 'cycle' or 'off', not '%s'", action);
}

/**
 * supervisor_serve - execute a call of a client
 * @call:      status, power, firmware or stop
 * @arguments: of the call; may be NULL
 * @reply:     receives the result; may stay NULL
 *
 * Return: 0 or -errno with the reason.
 */
int supervisor_serve(struct supervisor *supervisor, const char *call, const json_t *arguments,
		     json_t **reply, struct reason *why)
{
	int error;

	if (strcmp(call, "status") == 0) {
		*reply = supervisor_status(supervisor);
		return 0;
	}
	if (strcmp(call, "power") == 0)
		return serve_power(supervisor, arguments, why);
	if (strcmp(call, "firmware") == 0) {
		error = firmware_control(supervisor->firmware, arguments, reply);
		return error ? fail(why, error, "the firmware model: %s",
				    json_text(*reply, "error", strerror(-error)))
			     : 0;
	}
	if (strcmp(call, "stop") == 0) {
		power_off(supervisor, "stop");
		sd_event_exit(supervisor->loop, 0);
		return 0;
	}
	return fail(why, -ENOSYS,
		    "the supervisor has the calls status, power, firmware and stop, not '%s'",
		    call);
}

static int on_deadline(sd_event_source *source, uint64_t now, void *context)
{
	struct supervisor *supervisor = context;

	power_off(supervisor, "deadline");
	sd_event_exit(supervisor->loop, 0);
	return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *information,
		     void *context)
{
	sd_event_exit(((struct supervisor *)context)->loop, 0);
	return 0;
}

static int open_part(const struct supervisor *supervisor, const char *key, int *fd,
		     struct reason *why)
{
	const char *path = json_text(supervisor->config, key, "");

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? fail_errno(why, -errno, "cannot open the %s %s", key, path) : 0;
}

static int prepare_firmware(struct supervisor *supervisor, struct reason *why)
{
	struct firmware_config *config = &supervisor->firmware_config;
	int error;

	config->ram_path = format_text("/proc/self/fd/%d", supervisor->ram);
	config->ram_size = (size_t)supervisor->memory_mib << 20;
	/* A hypervisor has no option to reserve memory for firmware. */
	if (!supervisor->profile->hypervisor_arguments) {
		config->region = qemu_firmware_region(supervisor->memory_mib);
		config->region_size = QEMU_FIRMWARE_REGION_SIZE;
	}
	config->processors = supervisor->processors;
	/* QEMU refuses a broadcast on processors that are not Intel's (target/i386/helper.c). */
	config->single = !strstr(supervisor->profile->processor, "GenuineIntel");
	config->einj_revision = (unsigned int)json_number(supervisor->config, "einj_revision", 1);
	config->doorbell_path = format_text("%s/" SUPERVISOR_DOORBELL, supervisor->directory);
	config->poison_path = format_text("%s/poison", supervisor->directory);
	error = firmware_write_tables(config, supervisor->directory)
			?: firmware_open(config, on_firmware, supervisor, &supervisor->firmware);
	return error ? fail_errno(why, error, "the firmware model can not start") : 0;
}

static int write_state(struct supervisor *supervisor)
{
	__cleanup_free char *role =
		supervisor->host_number
			? format_text("%s-%u", supervisor->profile->name, supervisor->host_number)
			: xstrdup(supervisor->profile->name);
	__cleanup_json json_t *state =
		json_pack("{s:s, s:s, s:i, s:I, s:I, s:b}", "profile", role, "kernel",
			  json_text(supervisor->config, "release", ""), "pid", (int)getpid(),
			  "started_ns", (json_int_t)now_realtime_ns(), "deadline_ns",
			  (json_int_t)supervisor->deadline_ns, "detached", supervisor->detached);

	return write_json_atomically(supervisor->directory, SUPERVISOR_STATE, state);
}

static int prepare_loop(struct supervisor *supervisor)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	uint64_t deadline_us =
		(uint64_t)json_number(supervisor->config, "deadline_s", 3600) * 1000000;
	sigset_t blocked;
	int error = sd_event_new(&supervisor->loop);

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&blocked, signals[i]);
	/* Before the first thread, so that all threads inherit the signal mask. */
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	for (size_t i = 0; error >= 0 && i < ARRAY_SIZE(signals); i++)
		error = sd_event_add_signal(supervisor->loop, NULL, signals[i], on_signal,
					    supervisor);
	if (error >= 0)
		error = sd_event_add_io(supervisor->loop, NULL, supervisor->mail_fd, EPOLLIN,
					on_mail, supervisor);
	supervisor->deadline_ns = now_realtime_ns() + (int64_t)deadline_us * 1000;
	if (error >= 0)
		error = sd_event_add_time_relative(supervisor->loop, NULL, CLOCK_MONOTONIC,
						   deadline_us, 0, on_deadline, supervisor);
	return error < 0 ? error : 0;
}

static int supervisor_prepare(struct supervisor *supervisor, struct reason *why)
{
	const json_t *config = supervisor->config;
	int error;

	supervisor->directory = json_text(config, "directory", "");
	supervisor->profile = rig_profile_find(json_text(config, "profile", ""));
	supervisor->memory_mib = (unsigned int)json_number(config, "memory_mib", 0);
	supervisor->processors = (unsigned int)json_number(config, "processors", 0);
	supervisor->host_number = (unsigned int)json_number(config, "host_number", 0);
	supervisor->detached = json_is_true(json_object_get(config, "detached"));
	supervisor->lock = (int)json_number(config, "lock", -1);
	if (!supervisor->profile || !supervisor->memory_mib || !supervisor->processors)
		return fail(why, -EINVAL,
			    "the supervisor was started with an incomplete configuration");
	fcntl(supervisor->lock, F_SETFD, FD_CLOEXEC);
	supervisor->arguments =
		qemu_kernel_arguments(supervisor->profile, supervisor->memory_mib,
				      supervisor->host_number, json_text(config, "shell", NULL),
				      json_is_true(json_object_get(config, "verbose")),
				      json_is_true(json_object_get(config, "counted")),
				      json_text(config, "arguments", NULL));
	supervisor->log =
		open(json_text(config, "console_log", ""),
		     O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	if (supervisor->log < 0)
		return fail_errno(why, -errno, "cannot write %s",
				  json_text(config, "console_log", ""));
	/* Anonymous memory: it is freed whichever process is killed. */
	supervisor->ram = memfd_create("brinell-ram", MFD_CLOEXEC);
	if (supervisor->ram < 0 ||
	    ftruncate(supervisor->ram, (off_t)supervisor->memory_mib << 20) < 0)
		return fail_errno(why, -errno, "cannot make %u MiB of RAM", supervisor->memory_mib);
	supervisor->disk = memfd_create("brinell-disk", MFD_CLOEXEC);
	if (supervisor->disk < 0 || ftruncate(supervisor->disk, QEMU_DISK_SIZE) < 0)
		return fail_errno(why, -errno, "cannot make the disk of the host");
	error = open_part(supervisor, "kernel", &supervisor->kernel, why)
			?: open_part(supervisor, "initramfs", &supervisor->initramfs, why);
	if (!error && json_text(config, "system", NULL))
		error = open_part(supervisor, "system", &supervisor->system, why);
	if (!error && json_text(config, "hypervisor", NULL))
		error = open_part(supervisor, "hypervisor", &supervisor->hypervisor, why);
	if (error)
		return error;
	error = prepare_loop(supervisor);
	if (error)
		return fail_errno(why, error, "cannot make the supervisor's event loop");
	error = prepare_firmware(supervisor, why) ?: supervisor_listen(supervisor, why);
	if (error)
		return error;
	error = write_state(supervisor);
	if (error)
		return fail_errno(why, error, "cannot write the state in %s",
				  supervisor->directory);
	return power_on(supervisor, why);
}

static void supervisor_end(struct supervisor *supervisor)
{
	power_off(supervisor, "stop");
	if (supervisor->firmware)
		firmware_close(supervisor->firmware);
	if (supervisor->loop)
		supervisor_drop_clients(supervisor);
	sd_event_unref(supervisor->loop);
	if (supervisor->directory && *supervisor->directory == '/')
		image_remove_tree(supervisor->directory, NULL);
	free((char *)supervisor->firmware_config.ram_path);
	free((char *)supervisor->firmware_config.doorbell_path);
	free((char *)supervisor->firmware_config.poison_path);
	free(supervisor->arguments);
	json_decref(supervisor->mail);
	json_decref(supervisor->config);
}

/* The first line on the control socket is the configuration. */
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
 * supervisor_main - main function of the supervisor's process
 * @control: stream socket to the starting process, whose first message is the configuration
 *
 * Return: exit status.
 */
int supervisor_main(int control)
{
	struct supervisor supervisor = {
		.ram = -1,
		.disk = -1,
		.kernel = -1,
		.initramfs = -1,
		.system = -1,
		.hypervisor = -1,
		.listener = -1,
		.console_listener = -1,
		.log = -1,
		.input = -1,
		.output = -1,
		.errors = -1,
		.port_listener = -1,
		.to_agent = {.from = -1, .to = -1},
		.from_agent = {.from = -1, .to = -1},
	};
	pid_t parent = getppid();
	struct channel *channel;
	struct reason why = {""};
	json_t *answer;
	int error;

	fcntl(control, F_SETFD, FD_CLOEXEC);
	channel = channel_new(control, fcntl(control, F_DUPFD_CLOEXEC, 3));
	supervisor.config = read_config(channel);
	if (!supervisor.config) {
		log_error("this is the rig's supervisor; brinell rig starts it");
		return EXIT_USAGE;
	}
	setsid();
	if (!json_is_true(json_object_get(supervisor.config, "detached"))) {
		/*
		 * The end of the socket stops the supervisor too, unless another process holds the
		 * other end open.
		 */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			return EXIT_INFRA;
	}
	pthread_mutex_init(&supervisor.mutex, NULL);
	supervisor.mail = json_array();
	supervisor.mail_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	supervisor.console.emit = on_console_line;
	supervisor.console.context = &supervisor;
	supervisor.error_lines.emit = on_error_line;
	supervisor.error_lines.context = &supervisor;
	error = supervisor_prepare(&supervisor, &why);
	answer = error ? json_pack("{s:i, s:{s:i, s:s, s:s}}", "id", 0, "error", "errno", error,
				   "name", error_name(error), "text", why.text)
		       : json_pack("{s:i, s:o}", "id", 0, "ok", supervisor_status(&supervisor));
	channel_send(channel, answer, 1000);
	json_decref(answer);
	if (!error) {
		supervisor_add_client(&supervisor, fcntl(control, F_DUPFD_CLOEXEC, 3), true);
		channel_free(channel);
		error = sd_event_loop(supervisor.loop);
	} else {
		channel_free(channel);
	}
	supervisor_end(&supervisor);
	return error < 0 ? EXIT_INFRA : EXIT_PASSED;
}
