// SPDX-License-Identifier: GPL-2.0-only
/*
 * The common part of all such processes, from inside.
 */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "harness/host/process.h"

/** process_begin - reset the signals that the agent catches to restore its state: a process simply ends */
void process_begin(void)
{
	static const int caught[] = {SIGTERM, SIGINT, SIGHUP};
	sigset_t none;

	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		signal(caught[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/** process_set_mce_kill - select early or late SIGBUS for memory errors, or the default of the machine */
void process_set_mce_kill(int policy)
{
	if (policy >= 0)
		prctl(PR_MCE_KILL, PR_MCE_KILL_SET, policy, 0, 0);
}

/**
 * process_say - send a report; may be called by a signal handler
 * @report: receives the time and the thread id
 * @size:   of the whole packet that it begins
 * @flags:  of send(2): MSG_DONTWAIT to drop it when the agent does not read
 *
 * Return: whether it was sent.
 */
bool process_say(int socket, struct process_report *report, size_t size, int flags)
{
	struct timespec now;
	ssize_t sent;

	clock_gettime(CLOCK_REALTIME, &now);
	report->time_ns = now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
	clock_gettime(CLOCK_MONOTONIC, &now);
	report->monotonic_ns = now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
	report->pid = (int32_t)syscall(SYS_gettid);
	do {
		sent = send(socket, report, size, MSG_NOSIGNAL | flags);
	} while (sent < 0 && errno == EINTR);
	return sent >= 0;
}

/** process_note_signal - fill a report from the arguments of a signal handler */
void process_note_signal(struct process_report *report, int number, const siginfo_t *info)
{
	report->kind = PROCESS_SIGNAL;
	report->signal = number;
	report->code = info->si_code;
	report->lsb = info->si_addr_lsb;
	report->address = (uintptr_t)info->si_addr;
}
