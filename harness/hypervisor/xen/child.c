// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations of libxl in processes of their own, each a process group with its helpers. They end with the thread that started
 * them, and inherit no other descriptor: the end of a process is the end of its stream.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "harness/hypervisor/xen/xen.h"

enum {
	CHILD_LOG = 3,
	CHILD_STREAM,
	CHILD_FIRST_FREE
};

/* Each may have the number that the other needs. */
static void place_descriptors(int log, int fd)
{
	int high_log = fcntl(log, F_DUPFD, CHILD_FIRST_FREE);
	int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD, CHILD_FIRST_FREE);

	/* A device model that libxl starts inherits neither. */
	dup3(high_log, CHILD_LOG, O_CLOEXEC);
	dup2(high_log, STDERR_FILENO);
	if (high >= 0)
		dup3(high, CHILD_STREAM, O_CLOEXEC);
	else
		close(CHILD_STREAM);
	close_range(CHILD_FIRST_FREE, ~0u, 0);
}

static void run_child(xen_child_work *work, const void *context, int log, int fd)
{
	struct xen_session *session;
	sigset_t none;
	int error;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	place_descriptors(log, fd);
	session = xen_session_open(CHILD_LOG, NULL);
	error = session ? work(session, context, fd < 0 ? -1 : CHILD_STREAM) : -ENOTCONN;
	if (session)
		fflush(session->log);
	_exit(error ? 1 : 0);
}

/**
 * xen_child_start - start a process for an operation
 * @child: receives it
 * @fd:    its end of a stream, or -1; the caller closes its own copy
 *
 * Return: 0 or -errno. After 0, call xen_child_wait() or xen_child_kill().
 */
int xen_child_start(struct xen_child *child, xen_child_work *work, const void *context, int fd,
		    struct reason *why)
{
	*child = XEN_NO_CHILD;
	child->log = memfd_create("brinell-xen-log", MFD_CLOEXEC);
	if (child->log < 0)
		return fail_errno(why, -errno, "create a file for the messages of libxl");
	child->pid = fork();
	if (child->pid == 0)
		run_child(work, context, child->log, fd);
	if (child->pid > 0) {
		setpgid(child->pid, child->pid);
		return 0;
	}
	child->pid = 0;
	close(child->log);
	child->log = -1;
	return fail_errno(why, -errno, "start a process for libxl");
}

/** xen_child_ended - whether the process has ended; @status receives that of waitpid(2). Does not block */
bool xen_child_ended(struct xen_child *child, int *status)
{
	if (!child->pid)
		return true;
	if (waitpid(child->pid, status, WNOHANG) != child->pid)
		return false;
	child->pid = 0;
	return true;
}

static void forget(struct xen_child *child)
{
	child->pid = 0;
	if (child->log >= 0)
		close(child->log);
	child->log = -1;
}

/**
 * xen_child_wait - wait for the end of the process, and free @child
 * @what: the operation, for the reason
 *
 * Return: 0, or -EIO with the last message of libxl.
 */
int xen_child_wait(struct xen_child *child, const char *what, struct reason *why)
{
	struct xen_session session = {.log = fdopen(dup(child->log), "re")};
	int status = 0, error = 0;

	while (child->pid && waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status)
		error = xen_fail(&session, why, -EIO, "%s%s", what,
				 WIFSIGNALED(status) ? ": its process was killed" : "");
	if (session.log)
		fclose(session.log);
	forget(child);
	return error;
}

/** xen_child_kill - kill the process group, and free @child; does nothing if it was not started */
void xen_child_kill(struct xen_child *child)
{
	if (child->pid) {
		kill(-child->pid, SIGKILL);
		while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	forget(child);
}
