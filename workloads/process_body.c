// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the processes of workloads have in common, seen from inside.
 */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "workloads/process.h"

/** process_begin - forget the signals of the agent, which catches some to restore what it set: a process just ends */
void process_begin(void)
{
	static const int caught[] = {SIGTERM, SIGINT, SIGHUP};
	sigset_t none;

	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		signal(caught[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/** process_set_mce_kill - be told of memory errors early, late, or as the machine does by default */
void process_set_mce_kill(int policy)
{
	if (policy >= 0)
		prctl(PR_MCE_KILL, PR_MCE_KILL_SET, policy, 0, 0);
}

/**
 * process_say - send a report; may be called by a signal handler
 * @report: gets the time and who says it
 * @size:   of the whole packet that it begins
 * @flags:  of send(2): MSG_DONTWAIT to rather lose it than wait for the agent
 *
 * Return: whether it is on its way.
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

/** process_note_signal - what a signal handler has to say of its signal */
void process_note_signal(struct process_report *report, int number, const siginfo_t *info)
{
	report->kind = PROCESS_SIGNAL;
	report->signal = number;
	report->code = info->si_code;
	report->lsb = info->si_addr_lsb;
	report->address = (uintptr_t)info->si_addr;
}
