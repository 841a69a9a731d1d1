// SPDX-License-Identifier: GPL-2.0-only
/*
 * User "process": a second process with a mapping of its own. It serves one request at a time.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "inject/gmem/users.h"

enum request_kind {
	REQUEST_RELEASE,
	REQUEST_REACQUIRE,
	REQUEST_CHECK,
};

struct request {
	enum request_kind kind;
	struct gmem_range range;
};

struct answer {
	int result;
	struct user_finding finding;
};

struct second {
	pid_t pid;
	int socket;
};

_Noreturn static void serve(struct gmem_user *user, int socket)
{
	struct request request;

	while (recv(socket, &request, sizeof(request), 0) == sizeof(request)) {
		struct answer answer = {0};

		answer.result = request.kind == REQUEST_CHECK
					? user_check_memory(user, user->mapping, &request.range,
							    &answer.finding)
					: user_remap(user, &request.range,
						     request.kind == REQUEST_REACQUIRE);
		if (send(socket, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

static int process_request_user(struct gmem_user *user, enum request_kind kind,
				const struct gmem_range *range, struct user_finding *finding)
{
	const struct second *second = user->private;
	struct request request = {kind, *range};
	struct answer answer;

	if (send(second->socket, &request, sizeof(request), MSG_NOSIGNAL) < 0 ||
	    recv(second->socket, &answer, sizeof(answer), MSG_WAITALL) != sizeof(answer))
		return -ECHILD;
	if (finding)
		*finding = answer.finding;
	return answer.result;
}

static int process_open(struct gmem_user *user, struct reason *why)
{
	struct second *second = user->private = xzalloc(sizeof(*second));
	pid_t parent = getpid();
	int ends[2];
	int error = user_map(user, why);

	second->socket = -1;
	if (error)
		return error;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return fail_errno(why, -errno, "user 'process': socketpair");
	second->pid = fork();
	if (second->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		close(ends[0]);
		serve(user, ends[1]);
	}
	close(ends[1]);
	second->socket = ends[0];
	return second->pid < 0 ? fail_errno(why, -errno, "user 'process': fork") : 0;
}

static int process_release(struct gmem_user *user, const struct gmem_range *range)
{
	return process_request_user(user, REQUEST_RELEASE, range, NULL);
}

static int process_reacquire(struct gmem_user *user, const struct gmem_range *range)
{
	return process_request_user(user, REQUEST_REACQUIRE, range, NULL);
}

static int process_check(struct gmem_user *user, const struct gmem_range *range,
			 struct user_finding *finding)
{
	return process_request_user(user, REQUEST_CHECK, range, finding);
}

static void process_close(struct gmem_user *user)
{
	struct second *second = user->private;

	if (!second)
		return;
	if (second->socket >= 0)
		close(second->socket);
	if (second->pid > 0)
		(void)waitpid(second->pid, NULL, 0);
	free(second);
	user->private = NULL;
	user_unmap(user);
}

REGISTERED(gmem_user_kind, process_user) = {
	.name = "process",
	.open = process_open,
	.release = process_release,
	.reacquire = process_reacquire,
	.check = process_check,
	.close = process_close,
};
