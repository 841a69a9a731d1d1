// SPDX-License-Identifier: GPL-2.0-only
/*
 * kill: SIGKILL to one process of a host with guests: the QEMU of a guest, or libvirt's daemon. A daemon is restarted at the
 * end, unless another program restarts it.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#include "inject/daemon.h"
#include "inject/guest_monitor.h"
#include "inject/injector.h"

/* The agent reads no events of its guests meanwhile. */
#define END_TIMEOUT_MS 1000

static const char *const victims[] = {"qemu", "libvirtd", "virtqemud", NULL};
static const char *const restarts[] = {"at-end", "at-once", NULL};

static const struct param kill_params[] = {
	{"what", PARAM_CHOICE, "process to kill", NULL, victims, true},
	{"guest", PARAM_STRING, "name of the guest, for what: qemu", NULL, NULL, false},
	{"restart", PARAM_CHOICE,
	 "when to restart a daemon that no other program restarts: at the end of the trial, or at "
	 "once",
	 "at-end", restarts, false},
	{0},
};

/**
 * struct kill_private - the process to kill
 * @pid, @fd: its number and pidfd; the pidfd can not refer to a later process with that number
 * @daemon:   how it was started, if it is a daemon
 * @dead:     it is a daemon, was killed, and must be restarted
 * @helper:   thread that restarts it, if @helped; it owns @error and @why until it has ended
 */
struct kill_private {
	pid_t pid;
	int fd;
	struct daemon daemon;
	bool dead, helped;
	pthread_t helper;
	int error;
	struct reason why;
};

static bool kills_qemu(const json_t *arguments)
{
	return strcmp(param_text(arguments, "what"), "qemu") == 0;
}

static int kill_check(const json_t *arguments, enum injector_target target, struct reason *why)
{
	const char *what = param_text(arguments, "what");

	if (!what)
		return fail(why, -EINVAL, "'what' is missing");
	if (target != TARGET_NONE)
		return fail(why, -EINVAL, "'kill' has no page as its target: leave 'at' out");
	if (kills_qemu(arguments) && !param_given(arguments, "guest"))
		return fail(why, -EINVAL, "what: qemu needs 'guest', the name of the guest");
	if (!kills_qemu(arguments) && param_given(arguments, "guest"))
		return fail(why, -EINVAL,
			    "'guest' is for what: qemu; %s serves all guests of its host: select "
			    "the host with 'on'",
			    what);
	return 0;
}

/* Check the name of the process, because its number may have been reused. */
static int check_name(pid_t pid, const char *begin, struct reason *why)
{
	__cleanup_free char *name = process_name(pid);

	if (!name || strncmp(name, begin, strlen(begin)) != 0)
		return fail(why, -ESRCH, "process %d is '%s' instead of '%s'", (int)pid,
			    name ? name : "gone", begin);
	return 0;
}

static int find_process(struct injection *injection, pid_t *pid, struct reason *why)
{
	const char *what = param_text(injection->arguments, "what");
	const struct guest_monitor *monitor;

	if (!kills_qemu(injection->arguments))
		return daemon_find(what, 0, pid, why);
	monitor = guest_monitor_here(why);
	if (!monitor)
		return -EOPNOTSUPP;
	return monitor->process(injection->agent, param_text(injection->arguments, "guest"), pid,
				why);
}

static int take_process(struct injection *injection, struct kill_private *private,
			struct reason *why)
{
	bool qemu = kills_qemu(injection->arguments);
	const char *what = param_text(injection->arguments, "what");
	int error = find_process(injection, &private->pid, why);

	if (error)
		return error;
	private->fd = pidfd_open(private->pid, 0);
	if (private->fd < 0)
		return fail_errno(why, -errno, "pidfd_open of process %d", (int)private->pid);
	/* Checked after pidfd_open(), so that it is about the process of the descriptor. */
	error = check_name(private->pid, qemu ? "qemu" : what, why);
	if (!error && !qemu)
		error = daemon_read(&private->daemon, private->pid, why);
	return error;
}

static void release(struct injection *injection)
{
	struct kill_private *private = injection->private;

	if (private->fd >= 0)
		close(private->fd);
	daemon_free(&private->daemon);
}

static void *restart(void *context)
{
	struct kill_private *private = context;

	private->error = daemon_restart(&private->daemon, private->pid, &private->why);
	return NULL;
}

/* In a thread, because the agent must go on reading events of the guests. */
static void restart_at_once(struct kill_private *private)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	private->helped = pthread_create(&private->helper, NULL, restart, private) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static int kill_restore(struct injection *injection, struct reason *why)
{
	struct kill_private *private = injection->private;
	int error = 0;

	if (private && private->helped)
		pthread_join(private->helper, NULL);
	else if (private && private->dead)
		(void)restart(private);
	if (private) {
		error = private->error;
		if (error && why)
			*why = private->why;
		release(injection);
	}
	(void)injection_finish(injection, NULL);
	return error;
}

static int kill_prepare(struct injection *injection, struct reason *why)
{
	struct kill_private *private;
	int error = kill_check(injection->arguments, TARGET_NONE, why);

	if (error || injection->change.dry_run)
		return error;
	error = machine_is_expendable(why) ?: change_lock(&injection->change, why);
	if (error)
		return error;
	private = xzalloc(sizeof(*private));
	private->fd = -1;
	injection->private = private;
	error = take_process(injection, private, why);
	if (error)
		(void)kill_restore(injection, NULL);
	return error;
}

/* Freeing its memory takes time, and a process in uninterruptible sleep ends later. */
static void await_end(struct injection *injection, int fd)
{
	struct pollfd end = {.fd = fd, .events = POLLIN};

	json_object_set_new(injection->result, "ended",
			    json_boolean(poll(&end, 1, END_TIMEOUT_MS) > 0));
}

static int kill_fire(struct injection *injection, struct reason *why)
{
	struct kill_private *private = injection->private;
	const char *what = param_text(injection->arguments, "what");
	const char *guest = param_text(injection->arguments, "guest");
	__cleanup_free char *place =
		guest ? format_text("QEMU of guest '%s'", guest) : xstrdup(what);
	int64_t before;

	json_array_append_new(injection->change.writes,
			      json_pack("{s:s, s:s}", "path", place, "text", "SIGKILL"));
	if (injection->change.dry_run)
		return 0;
	before = now_monotonic_ns();
	if (pidfd_send_signal(private->fd, SIGKILL, NULL, 0) < 0)
		return fail_errno(why, -errno, "kill: SIGKILL to %s, process %d", place,
				  (int)private->pid);
	await_end(injection, private->fd);
	json_object_set_new(injection->result, "duration_ns",
			    json_integer(now_monotonic_ns() - before));
	json_object_set_new(injection->result, "pid", json_integer(private->pid));
	private->dead = !guest;
	if (!guest && strcmp(param_text(injection->arguments, "restart"), "at-once") == 0)
		restart_at_once(private);
	return 0;
}

static void probe_daemon(json_t *findings, const char *finding, const char *name)
{
	struct reason why = {0};
	pid_t pid;

	finding_add(findings, finding, daemon_find(name, 0, &pid, &why) == 0, why.text,
		    "start it, if this machine has it: libvirt's daemon is libvirtd or virtqemud");
}

static void kill_probe(json_t *findings)
{
	finding_add(findings, "kill:qemu", guest_monitor_here(NULL) != NULL, GUEST_MONITOR_MISSING,
		    GUEST_MONITOR_REMEDY);
	probe_daemon(findings, "kill:libvirtd", "libvirtd");
	probe_daemon(findings, "kill:virtqemud", "virtqemud");
}

REGISTERED(injector, kill_injector) = {
	.name = "kill",
	.fault = {KIND_OTHER, SEVERITY_ANY},
	.kills = "what",
	.summary = "SIGKILL to the QEMU of a guest, or to libvirt's daemon",
	.params = kill_params,
	.check = kill_check,
	.probe = kill_probe,
	.prepare = kill_prepare,
	.fire = kill_fire,
	.restore = kill_restore,
};
