// SPDX-License-Identifier: GPL-2.0-only
/*
 * The client side of a rig: start a supervisor, call it, end it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "harness/lib/call.h"
#include "harness/lib/spawn.h"
#include "harness/lib/protocol.h"
#include "harness/rig/image/image.h"
#include "harness/rig/host/supervisor.h"

#define START_TIMEOUT_MS 240000
#define DEADLINE_DEFAULT_S 3600

/**
 * struct rig - a rig, as its client holds it
 * @channel:   to the supervisor
 * @name:      of the rig
 * @directory: with its sockets
 * @agent:     path of the agent's socket
 * @console:   path of the serial console's socket
 * @link:      prefix of the socket paths of a pair's network
 * @supervisor: pid, if this process started it and must wait for it; else 0
 * @events:    received while waiting for a reply
 * @next_id:   of the next call
 */
struct rig {
	struct channel *channel;
	char *name;
	char *directory;
	char *agent;
	char *console;
	char *link;
	pid_t supervisor;
	json_t *events;
	json_int_t next_id;
	unsigned int qemu_version;
};

static struct rig *rig_new(int fd, const char *directory)
{
	struct rig *rig = xzalloc(sizeof(*rig));

	rig->channel = channel_new(fd, fd);
	rig->directory = xstrdup(directory);
	rig->name = xstrdup(strrchr(directory, '/') + 1);
	rig->agent = format_text("%s/" SUPERVISOR_AGENT, directory);
	rig->console = format_text("%s/" SUPERVISOR_CONSOLE, directory);
	rig->link = format_text("%s/" SUPERVISOR_LINK, directory);
	rig->events = json_array();
	rig->next_id = 1;
	return rig;
}

/** rig_disconnect - close the connection and free @rig; a rig that is not detached and was started here ends */
void rig_disconnect(struct rig *rig)
{
	if (!rig)
		return;
	channel_free(rig->channel);
	json_decref(rig->events);
	free(rig->name);
	free(rig->directory);
	free(rig->agent);
	free(rig->console);
	free(rig->link);
	free(rig);
}

static void keep_event(void *context, json_t *message)
{
	struct rig *rig = context;

	json_array_append(rig->events, message);
}

/**
 * rig_call - call the supervisor and wait for its reply
 * @call:       status, power ({"action": "cycle" | "off"}), firmware (see firmware_control()), stop
 * @arguments:  borrowed; may be NULL
 * @timeout_ms: for the reply
 * @reply:      receives it; owned by the caller; may be NULL
 *
 * Events that arrive meanwhile are kept for rig_receive().
 *
 * Return: 0, -ETIMEDOUT, or -errno of the supervisor.
 */
int rig_call(struct rig *rig, const char *call, const json_t *arguments, unsigned int timeout_ms,
	     json_t **reply, struct reason *why)
{
	__cleanup_json json_t *request = call_request(rig->next_id++, call, arguments);
	struct reason because = {""};
	int error = call_await(rig->channel, request, timeout_ms, keep_event, rig, reply, &because);

	return error ? fail(why, error, "supervisor of rig %s: %s", rig->name, because.text) : 0;
}

/**
 * rig_receive - get the next event, without blocking
 * @event: receives it; owned by the caller
 *
 * Events: {"event": "console", "time_ns", "text"}, {"event": "power", "state": "on" | "off",
 * "status", "signal", "cause", "time_ns"}, {"event": "firmware", "time_ns", "data"}, {"event":
 * "emulator", "time_ns", "text"}, {"event": "lost", "count"}. Return: 1 with an event, 0 when there
 * is none, or -errno when the supervisor is gone.
 */
int rig_receive(struct rig *rig, json_t **event, struct reason *why)
{
	for (;;) {
		int got;

		if (json_array_size(rig->events)) {
			*event = json_incref(json_array_get(rig->events, 0));
			json_array_remove(rig->events, 0);
			return 1;
		}
		got = channel_next(rig->channel, event, why);
		if (got > 0 && !json_object_get(*event, "id"))
			return 1;
		if (got > 0) {
			/* The reply to a call that timed out. */
			json_decref(*event);
			continue;
		}
		if (got < 0)
			continue;
		got = channel_fill(rig->channel);
		if (got < 0)
			return fail(why, got, "the supervisor of rig %s is gone", rig->name);
		if (got == 0)
			return 0;
	}
}

/** rig_control_fd - descriptor to poll for reading before rig_receive() */
int rig_control_fd(const struct rig *rig)
{
	return channel_fd(rig->channel);
}

/** rig_name - name of the rig, unique among those that are up; borrowed */
const char *rig_name(const struct rig *rig)
{
	return rig->name;
}

/**
 * rig_agent_path - path of the Unix stream socket to the agent's port; created again at each power-on; borrowed
 */
const char *rig_agent_path(const struct rig *rig)
{
	return rig->agent;
}

/** rig_console_path - path of the Unix stream socket of the serial console, as plain bytes; borrowed */
const char *rig_console_path(const struct rig *rig)
{
	return rig->console;
}

/**
 * rig_link_path - prefix of the socket paths of the pair's network, which host 1 creates; for the options of host 2; borrowed
 */
const char *rig_link_path(const struct rig *rig)
{
	return rig->link;
}

static int check_options(const struct rig_options *options, struct reason *why)
{
	const struct rig_profile *profile = rig_profile_find(options->profile);

	if (!profile)
		return fail(why, -EINVAL, "there is no rig profile '%s'; `brinell rig` lists them",
			    options->profile);
	if (options->memory_mib &&
	    (options->memory_mib < RIG_MEMORY_MIN_MIB || options->memory_mib > RIG_MEMORY_MAX_MIB))
		return fail(why, -EINVAL, "a rig host has %d to %d MiB of memory, not %u",
			    RIG_MEMORY_MIN_MIB, RIG_MEMORY_MAX_MIB, options->memory_mib);
	if (options->processors > 64)
		return fail(why, -EINVAL, "a rig host has 1 to 64 processors, not %u",
			    options->processors);
	if (options->einj_revision > 2)
		return fail(why, -EINVAL, "there is EINJ revision 1 and 2, not %u",
			    options->einj_revision);
	if (options->host_number > profile->hosts || (profile->hosts == 1 && options->host_number))
		return fail(why, -EINVAL, "profile %s has %u host%s, not a host number %u",
			    profile->name, profile->hosts, profile->hosts > 1 ? "s" : "",
			    options->host_number);
	if (profile->hosts > 1 && !options->host_number)
		return fail(why, -EINVAL,
			    "profile %s is %u hosts: start one after the other, with their numbers",
			    profile->name, profile->hosts);
	if (profile->hosts > 1 && !options->link != (options->host_number == 1))
		return fail(why, -EINVAL,
			    "the network of a pair is made by host 1 and passed to host 2");
	if (options->counts_instructions && profile->snapshot)
		return fail(why, -EINVAL,
			    "hosts of profile %s start from a snapshot, whose clock counts no "
			    "instructions",
			    profile->name);
	if (options->modules && !options->kernel)
		return fail(why, -EINVAL, "modules need a kernel of your own: give --kernel too");
	return 0;
}

/*
 * If the RAM of an emulated host does not fit, the OOM killer would end the host in the middle of a trial.
 */
static int check_memory(unsigned int wanted_mib, struct reason *why)
{
	__cleanup_free char *text = NULL;
	unsigned long long available_kb;
	const char *line;

	if (read_small_file("/proc/meminfo", &text, NULL))
		return 0;
	line = strstr(text, "MemAvailable:");
	if (!line || sscanf(line, "MemAvailable: %llu", &available_kb) != 1)
		return 0;
	if (available_kb / 1024 >= wanted_mib)
		return 0;
	return fail(why, -ENOMEM,
		    "the host needs %u MiB of memory, this machine has %llu MiB available; end "
		    "other programs, or give it "
		    "less",
		    wanted_mib, available_kb / 1024);
}

/**
 * rig_processors - limit the number of processors of a host
 * @wanted:  number
 * @version: of QEMU, major * 100 + minor
 *
 * Before QEMU 8.1 (commit deba78709ae8) a processor could translate code while another one changed it, and execute the old
 * bytes. A kernel that patches its code, for static keys and tracing, then failed with "Oops: int3" in one of some dozens
 * of boots.
 *
 * Return: @wanted, or 1 after a warning.
 */
unsigned int rig_processors(unsigned int wanted, unsigned int version)
{
	if (version >= 801 || wanted == 1)
		return wanted;
	log_warning(
		"QEMU %u.%u corrupts kernels on several processors: the host gets 1 instead of %u; "
		"./setup installs a newer QEMU",
		version / 100, version % 100, wanted);
	return 1;
}

static json_t *supervisor_config(const struct rig_options *options, const struct rig_image *image,
				 const char *directory, const char *qemu, unsigned int processors,
				 const char *plugin, struct reason *why)
{
	const struct rig_profile *profile = rig_profile_find(options->profile);
	__cleanup_free char *artifacts = realpath(options->artifacts ?: directory, NULL);
	__cleanup_free char *console = NULL;
	__cleanup_free char *link = NULL;

	if (!artifacts) {
		fail_errno(why, -errno, "the directory for the console's log, %s",
			   options->artifacts);
		return NULL;
	}
	if (options->host_number)
		console = format_text("%s/console-%u.log", artifacts, options->host_number);
	else
		console = format_text("%s/console.log", artifacts);
	if (options->host_number)
		link = options->link ? xstrdup(options->link)
				     : format_text("%s/" SUPERVISOR_LINK, directory);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s*, s:i, s:i, s:i, s:i, "
			 "s:b, s:b, s:b, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:i}",
			 "name", strrchr(directory, '/') + 1, "directory", directory, "profile",
			 profile->name, "kernel", image->kernel, "initramfs", image->initramfs,
			 "release", *image->release ? image->release : image->kernel, "console_log",
			 console, "qemu", qemu ?: "", "plugin", plugin, "memory_mib",
			 (int)(options->memory_mib ?: profile->memory_mib), "processors",
			 (int)processors, "einj_revision", (int)(options->einj_revision ?: 1),
			 "deadline_s", (int)(options->deadline_s ?: DEADLINE_DEFAULT_S), "detached",
			 options->detached, "verbose", options->verbose, "counted",
			 options->counts_instructions, "shell", options->shell, "arguments",
			 options->arguments, "system", image->system, "hypervisor",
			 image->hypervisor, "bochs", image->bochs, "link", link, "host_number",
			 (int)options->host_number);
}

static int spawn_supervisor(json_t *config, const char *directory, int lock, struct rig **rig,
			    struct reason *why)
{
	bool detached = json_is_true(json_object_get(config, "detached"));
	char number[16];
	const char *const argv[] = {"brinell", "rig", "keep", number, NULL};
	struct spawn spawn = {.argv = argv,
			      .file = "/proc/self/exe",
			      .streams = {SPAWN_NULL, SPAWN_NULL,
					  detached ? SPAWN_NULL : STDERR_FILENO},
			      .keep_count = 2};
	struct reason because = {""};
	struct rig *started;
	int ends[2], error;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return fail_errno(why, -errno, "socketpair");
	json_object_set_new(config, "lock", json_integer(lock));
	snprintf(number, sizeof(number), "%d", ends[1]);
	spawn.keep = (const int[]){ends[1], lock};
	error = spawn_start(&spawn, why);
	close(ends[1]);
	if (error) {
		close(ends[0]);
		return error;
	}
	started = rig_new(ends[0], directory);
	started->supervisor = spawn.pid;
	/* The configuration counts as call 0: the supervisor's first message is the reply to it. */
	error = call_await(started->channel, config, START_TIMEOUT_MS, NULL, NULL, NULL, &because);
	if (error) {
		fail(why, error, "the rig's supervisor: %s", because.text);
		rig_stop(started);
		return error;
	}
	*rig = started;
	return 0;
}

/**
 * rig_start - start an emulated host
 * @options: of the host
 * @rig:     receives it; rig_stop(), or rig_disconnect() for a detached one
 *
 * Unless detached, the host ends with the calling process, however that ends, and with the calling thread.
 *
 * Return: 0, -EINVAL for invalid options, -ENOENT when something is not installed, -ENOSPC, -ENOMEM, or another -errno.
 */
int rig_start(const struct rig_options *options, struct rig **rig, struct reason *why)
{
	const struct rig_profile *profile = rig_profile_find(options->profile);
	__cleanup_json json_t *config = NULL;
	__cleanup_free char *directory = NULL;
	__cleanup_free char *role = NULL;
	__cleanup_free char *plugin = NULL;
	__cleanup_free char *qemu = NULL;
	__cleanup_close int lock = -1;
	struct rig_image image = {0};
	unsigned int version = 0, processors, removed;
	int error = check_options(options, why);

	if (!error && !profile->bochs)
		error = rig_find_qemu(&qemu, &version, why);
	if (!error && version < profile->qemu_least)
		error = fail(
			why, -EPROTO,
			"profile %s needs QEMU %u.%u or newer, %s is %u.%u; ./setup installs a "
			"newer one",
			profile->name, profile->qemu_least / 100, profile->qemu_least % 100, qemu,
			version / 100, version % 100);
	if (!error)
		error = check_memory(
			options->memory_mib ? options->memory_mib : profile->memory_mib, why);
	if (!error && options->artifacts) {
		error = make_directories(options->artifacts);
		if (error)
			fail_errno(why, error, "cannot make %s", options->artifacts);
	}
	if (error)
		return error;
	/*
	 * The plugin interface changed with QEMU 8.2 and 11.1. Without the plugin, latent poison is
	 * not consumed.
	 */
	rig_find_file(version < 802    ? "poison-v1.so"
		      : version < 1101 ? "poison-v2.so"
				       : "poison-v7.so",
		      &plugin);
	error = rig_image_ensure(options, &image, why);
	if (error)
		return error;
	processors = profile->bochs
			     ? profile->processors
			     : rig_processors(options->processors ?: profile->processors, version);
	(void)rig_state_clean(&removed, &(struct reason){""});
	role = options->host_number ? format_text("%s-%u", profile->name, options->host_number)
				    : xstrdup(profile->name);
	error = rig_directory_create(role, &directory, &lock, why);
	if (!error) {
		config = supervisor_config(options, &image, directory, qemu, processors, plugin,
					   why);
		error = config ? spawn_supervisor(config, directory, lock, rig, why) : -EINVAL;
		if (error)
			image_remove_tree(directory, NULL);
		else
			(*rig)->qemu_version = version;
	}
	rig_image_release(&image);
	return error;
}

/** rig_qemu_version - version of QEMU that the rig was started with, major * 100 + minor; 0 after rig_connect() */
unsigned int rig_qemu_version(const struct rig *rig)
{
	return rig->qemu_version;
}

/**
 * rig_connect - connect to a rig that is up
 * @name: of the rig, or of a profile of which exactly one rig is up; NULL if exactly one rig is up
 * @rig:  receives it; rig_stop() or rig_disconnect()
 *
 * Return: 0, -ENOENT when there is none, -EEXIST when there are several, or another -errno.
 */
int rig_connect(const char *name, struct rig **rig, struct reason *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct rig_state *found = NULL;
	struct rig_state *states;
	size_t count, matches = 0;
	int error = rig_state_list(&states, &count, why);
	int fd = -1;

	if (error)
		return error;
	for (size_t i = 0; i < count; i++) {
		if (!states[i].alive || !states[i].detached ||
		    (name && strcmp(states[i].name, name) && strcmp(states[i].profile, name)))
			continue;
		found = &states[i];
		matches++;
	}
	if (matches != 1) {
		error = matches ? fail(why, -EEXIST,
				       "%zu rigs %s%s are up; give a name, `brinell rig` lists "
				       "them",
				       matches, name ? "of " : "", name ?: "")
				: fail(why, -ENOENT,
				       "no rig %s%sis up; `brinell rig up` starts one",
				       name ? name : "", name ? " " : "");
	} else {
		snprintf(address.sun_path, sizeof(address.sun_path), "%s/" SUPERVISOR_CONTROL,
			 found->directory);
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
			error = fail_errno(why, -errno, "cannot reach the supervisor at %s",
					   address.sun_path);
			if (fd >= 0)
				close(fd);
		} else {
			*rig = rig_new(fd, found->directory);
		}
	}
	rig_state_list_free(states, count);
	return error;
}

/* The supervisor holds the lock in the rig's directory, and removes both last. */
static void await_end(const char *directory, int64_t deadline_ns)
{
	while (access(directory, F_OK) == 0 && now_monotonic_ns() < deadline_ns)
		poll(NULL, 0, 10);
}

/**
 * rig_stop - end the host and its supervisor, and remove their files
 * @rig: freed; NULL is allowed
 *
 * Return: 0, or -ETIMEDOUT when the supervisor had to be killed.
 */
int rig_stop(struct rig *rig)
{
	int64_t deadline = now_monotonic_ns() + 10 * NSEC_PER_SEC;
	struct reason why = {""};
	int error = 0;

	if (!rig)
		return 0;
	/* The supervisor may end before its reply is sent. */
	(void)rig_call(rig, "stop", NULL, 5000, NULL, &why);
	if (rig->supervisor) {
		while (waitpid(rig->supervisor, NULL, WNOHANG) == 0) {
			if (now_monotonic_ns() > deadline) {
				kill(rig->supervisor, SIGKILL);
				waitpid(rig->supervisor, NULL, 0);
				error = -ETIMEDOUT;
				break;
			}
			poll(NULL, 0, 5);
		}
		image_remove_tree(rig->directory, NULL);
	} else {
		await_end(rig->directory, deadline);
	}
	rig_disconnect(rig);
	return error;
}
