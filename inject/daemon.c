// SPDX-License-Identifier: GPL-2.0-only
/*
 * Daemons of a machine: look-up by name, and restart with the same program, arguments and environment.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "harness/lib/spawn.h"
#include "inject/daemon.h"

/*
 * A service manager restarts a daemon within a fraction of a second, or after RestartSec of its unit. All of these timeouts
 * together must stay below the ten seconds that a controller waits.
 */
#define RESTART_MS 1000
#define SUPERVISED_RESTART_MS 7000
#define START_TIMEOUT_MS 6000
#define APPEAR_MS 1000
#define POLL_NS (20 * NSEC_PER_MSEC)

static int read_of_process(pid_t pid, const char *file, char **text, size_t *length)
{
	__cleanup_free char *place = format_text("/proc/%d/%s", (int)pid, file);
	char path[4096];

	return read_small_file(system_path(path, place), text, length);
}

/** process_name - read /proc/PID/comm, 15 characters at most. Return: owned by the caller, or NULL when the process is gone */
char *process_name(pid_t pid)
{
	char *text;

	if (read_of_process(pid, "comm", &text, NULL))
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* A zombie has no arguments. */
static bool runs_as(pid_t pid, const char *name)
{
	__cleanup_free char *is = process_name(pid);
	__cleanup_free char *arguments = NULL;
	size_t length = 0;

	return is && strcmp(is, name) == 0 &&
	       read_of_process(pid, "cmdline", &arguments, &length) == 0 && length;
}

/* Between fork() and execve() a child of the daemon has its name. */
static bool is_child_of_its_own(pid_t pid, const char *name)
{
	__cleanup_free char *status = NULL;
	const char *behind;
	int parent = 0;

	if (read_of_process(pid, "stat", &status, NULL))
		return false;
	behind = strrchr(status, ')');
	return behind && sscanf(behind, ") %*c %d", &parent) == 1 && parent > 1 &&
	       runs_as(parent, name);
}

/* A daemon that goes to the background is two processes for a while: its pid file names the right one. */
static pid_t named_by_file(const char *name)
{
	__cleanup_free char *place = format_text("/run/%s.pid", name), *text = NULL;
	char path[4096];
	pid_t pid;

	if (read_small_file(system_path(path, place), &text, NULL))
		return 0;
	pid = (pid_t)atoi(text);
	return pid > 1 && runs_as(pid, name) ? pid : 0;
}

/**
 * daemon_find - find the only process of a name
 * @name:   as in /proc/PID/comm
 * @except: process to ignore
 *
 * Return: 0; -ESRCH when there is none; -EEXIST when there are several.
 */
int daemon_find(const char *name, pid_t except, pid_t *pid, struct reason *why)
{
	char path[4096];
	__cleanup_directory DIR *directory = opendir(system_path(path, "/proc"));
	struct dirent *entry;
	pid_t found = 0;
	bool several = false;

	while (directory && (entry = readdir(directory))) {
		pid_t at = (pid_t)atoi(entry->d_name);

		if (!isdigit((unsigned char)*entry->d_name) || at == except || !runs_as(at, name) ||
		    is_child_of_its_own(at, name))
			continue;
		several = found != 0;
		found = at;
	}
	if (several)
		found = named_by_file(name);
	if (several && (!found || found == except))
		return fail(why, -EEXIST, "several processes are called %s", name);
	if (!found)
		return fail(why, -ESRCH, "no process is called %s", name);
	*pid = found;
	return 0;
}

static char *read_program(pid_t pid)
{
	__cleanup_free char *place = format_text("/proc/%d/exe", (int)pid);
	char path[4096], target[PATH_MAX];
	ssize_t length = readlink(system_path(path, place), target, sizeof(target) - 1);

	if (length < 0)
		return NULL;
	target[length] = '\0';
	return xstrdup(target);
}

/**
 * daemon_read - read how a daemon was started
 * @daemon: receives it; freed by daemon_free(), also after an error
 *
 * Return: 0 or -errno.
 */
int daemon_read(struct daemon *daemon, pid_t pid, struct reason *why)
{
	__cleanup_free char *groups = NULL;
	int error;

	daemon->name = process_name(pid);
	daemon->program = read_program(pid);
	error = read_of_process(pid, "cmdline", &daemon->arguments, &daemon->arguments_size)
			?: read_of_process(pid, "environ", &daemon->environment,
					   &daemon->environment_size);
	if (error || !daemon->name || !daemon->program || !daemon->arguments_size)
		return fail(
			why, error ?: -ESRCH,
			"program and arguments of process %d can not be read, so it could not be "
			"restarted",
			(int)pid);
	daemon->supervised =
		read_of_process(pid, "cgroup", &groups, NULL) == 0 && strstr(groups, ".service");
	daemon->restart_ms = daemon->supervised ? SUPERVISED_RESTART_MS : RESTART_MS;
	return 0;
}

void daemon_free(struct daemon *daemon)
{
	free(daemon->name);
	free(daemon->program);
	free(daemon->arguments);
	free(daemon->environment);
	*daemon = (struct daemon){0};
}

/* Return: pointers to the strings, with a final NULL; owned by the caller. */
static char **list_texts(char *texts, size_t size)
{
	size_t count = 0, index = 0;
	char **list;

	for (size_t i = 0; i < size; i++)
		count += texts[i] == '\0';
	list = xzalloc((count + 2) * sizeof(*list));
	for (char *at = texts; at < texts + size; at += strlen(at) + 1)
		list[index++] = at;
	return list;
}

static bool goes_to_background(char **arguments)
{
	for (; *arguments; arguments++)
		if (strcmp(*arguments, "--daemon") == 0 || strcmp(*arguments, "-d") == 0)
			return true;
	return false;
}

static int start(const struct daemon *daemon, struct reason *why)
{
	char **arguments = list_texts(daemon->arguments, daemon->arguments_size);
	char **environment = list_texts(daemon->environment, daemon->environment_size);
	/* A daemon that stays in the foreground must not be a child of the agent. */
	struct spawn spawn = {.argv = (const char *const *)arguments,
			      .file = daemon->program,
			      .environment = environment,
			      .streams = {SPAWN_NULL, SPAWN_NULL, SPAWN_NULL},
			      .place = goes_to_background(arguments) ? SPAWN_DAEMON : SPAWN_ORPHAN};
	int status = 0;
	int error = spawn_start(&spawn, NULL) ?: spawn_wait(&spawn, START_TIMEOUT_MS, &status);

	free(arguments);
	free(environment);
	if (error)
		return fail_errno(why, error, "restart %s", daemon->program);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return fail(why, -EIO, "%s was restarted, and ended with status %d: see its log",
			    daemon->program, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	return 0;
}

static bool appears(const struct daemon *daemon, pid_t dead, int64_t within_ms)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	int64_t until = now_monotonic_ns() + within_ms * NSEC_PER_MSEC;
	pid_t pid;

	for (;;) {
		int error = daemon_find(daemon->name, dead, &pid, NULL);

		if (error != -ESRCH)
			return true;
		if (now_monotonic_ns() > until)
			return false;
		nanosleep(&pause, NULL);
	}
}

/**
 * daemon_restart - get a dead daemon running again
 * @daemon: filled by daemon_read()
 * @dead:   its former process
 *
 * Waits first for another program to restart it. A supervised daemon is left to its service manager.
 *
 * Return: 0, or -errno when it does not run. Blocks for @restart_ms and the start.
 */
int daemon_restart(const struct daemon *daemon, pid_t dead, struct reason *why)
{
	int error;

	if (appears(daemon, dead, daemon->restart_ms))
		return 0;
	if (daemon->supervised)
		return fail(why, -ESRCH,
			    "%s is a service, and its manager did not restart it: give its unit "
			    "Restart=on-failure; 'systemctl start %s' starts it",
			    daemon->name, daemon->name);
	error = start(daemon, why);
	if (error)
		return error;
	if (!appears(daemon, dead, APPEAR_MS))
		return fail(why, -ESRCH, "%s was restarted, and is not running: see its log",
			    daemon->name);
	return 0;
}
