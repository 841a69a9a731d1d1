// SPDX-License-Identifier: GPL-2.0-only
/*
 * A migration to another host, as `xl migrate` does it: ssh runs `xl migrate-receive` there. Sender and receiver exchange fixed
 * messages around the stream (tools/xl/xl_migrate.c, tools/xl/xl.h of Xen): the receiver announces itself, receives
 * configuration and stream, confirms the domain, and unpauses it on request.
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/hypervisor/xen/mover.h"

#define SCHEME "xen+ssh://"
#define ANSWER_NS (60 * NSEC_PER_SEC)
#define FLAG_JSON 1u
#define FLAG_STREAM_V2 2u
#define BYTE_ORDER_MARK 0x01020304u

static const char greeting[] = "xl migration receiver ready, send binary domain data.\n";
static const char received[] = "domain received, ready to unpause";
static const char go[] = "domain is yours, you are cleared to unpause";
static const char report[] = "my copy unpause results are as follows";

struct header {
	char magic[32];
	uint32_t byte_order, mandatory_flags, optional_flags, optional_length;
};

/** remote_take_uri - parse the host of a URI xen+ssh://[USER@]HOST. Return: 0 or -EINVAL with a reason */
int remote_take_uri(struct mover *mover, const char *uri, struct reason *why)
{
	const char *host = uri + strlen(SCHEME);
	bool fine = strncmp(uri, SCHEME, strlen(SCHEME)) == 0 && isalnum((unsigned char)*host);

	for (const char *at = host; fine && *at; at++)
		fine = isalnum((unsigned char)*at) || strchr("@.:_-", *at);
	if (!fine)
		return fail(why, -EINVAL,
			    "guest.migrate: 'uri' is '%s': it must be " SCHEME "[USER@]HOST", uri);
	mover->host = xstrdup(host);
	return 0;
}

/* Execute ssh. @fd: both directions */
static int receive_there(struct xen_session *session, const void *context, int fd)
{
	const struct mover *mover = context;

	(void)session;
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	execlp("ssh", "ssh", mover->host, "xl", "migrate-receive", "-e",
	       mover->checkpointed ? "-r" : NULL, NULL);
	fprintf(stderr, "ssh: %s\n", strerror(errno));
	return -errno;
}

static int lost(struct mover *mover, const char *what)
{
	struct reason *why = &mover->job->why;
	__cleanup_free char *tried = format_text("receive guest '%s' on %s, before %s",
						 mover->job->guest, mover->host, what);

	shutdown(mover->to, SHUT_RDWR);
	return xen_child_wait(&mover->restorer, tried, why)
		       ?: fail(why, -EPIPE, "%s: the connection has ended", tried);
}

/* Read exactly @length bytes, the next message of the receiver. */
static int await(struct mover *mover, void *bytes, size_t length, const char *what)
{
	struct reason *why = &mover->job->why;
	int64_t until = now_monotonic_ns() + ANSWER_NS;

	while (length) {
		struct pollfd news[] = {{.fd = mover->to, .events = POLLIN},
					{.fd = mover->wake, .events = POLLIN}};
		int64_t left = (until - now_monotonic_ns()) / NSEC_PER_MSEC;
		ssize_t got;

		if (left <= 0 || poll(news, ARRAY_SIZE(news), (int)left) == 0)
			return fail(why, -ETIMEDOUT,
				    "migrate guest '%s': %s sent nothing for %lld s, before %s",
				    mover->job->guest, mover->host, ANSWER_NS / NSEC_PER_SEC, what);
		if (news[1].revents && mover_take_order(mover) == MOVER_CANCEL)
			return fail(why, -ECANCELED, "migrate guest '%s': it was cancelled",
				    mover->job->guest);
		if (!news[0].revents)
			continue;
		got = read(mover->to, bytes, length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return lost(mover, what);
		bytes = (char *)bytes + got;
		length -= (size_t)got;
	}
	return 0;
}

static int await_message(struct mover *mover, const char *message, size_t length, const char *what)
{
	char got[sizeof(greeting)];
	int error = await(mover, got, length, what);

	if (!error && memcmp(got, message, length) != 0)
		error = fail(&mover->job->why, -EPROTO,
			     "migrate guest '%s': %s sends another message than %s: is its xl of "
			     "another version?",
			     mover->job->guest, mover->host, what);
	return error;
}

static int send_all(struct mover *mover, const void *bytes, size_t length, const char *what)
{
	return write_all(mover->to, bytes, length) ? lost(mover, what) : 0;
}

static int send_configuration(struct mover *mover)
{
	struct header header = {.magic = "Xen saved domain, xl format\n \0 \r",
				.byte_order = BYTE_ORDER_MARK,
				.mandatory_flags = FLAG_JSON | FLAG_STREAM_V2};
	libxl_domain_config config;
	char *text = NULL;
	uint32_t length;
	int error;

	libxl_domain_config_init(&config);
	if (!libxl_retrieve_domain_configuration(mover->session->libxl, mover->source, &config,
						 NULL))
		text = libxl_domain_config_to_json(mover->session->libxl, &config);
	libxl_domain_config_dispose(&config);
	if (!text)
		return xen_fail(mover->session, &mover->job->why, -EIO,
				"migrate guest '%s': look up its configuration", mover->job->guest);
	length = (uint32_t)strlen(text);
	header.optional_length = (uint32_t)sizeof(length) + length;
	error = send_all(mover, &header, sizeof(header), "its configuration was sent")
			?: send_all(mover, &length, sizeof(length), "its configuration was sent")
			?: send_all(mover, text, length, "its configuration was sent");
	free(text);
	return error;
}

/**
 * remote_open - connect to the other host, and prepare it for the stream in @to of the mover
 *
 * Return: 0 or -errno with the job's reason.
 */
int remote_open(struct mover *mover)
{
	int ends[2];
	int error;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return fail_errno(&mover->job->why, -errno, "make a socket for ssh");
	error = xen_child_start(&mover->restorer, receive_there, mover, ends[0], &mover->job->why);
	close(ends[0]);
	mover->to = ends[1];
	return error
		       ?: await_message(mover, greeting, sizeof(greeting) - 1, "it was ready")
		       ?: send_configuration(mover);
}

/** remote_received - wait until the other host has the complete domain, which does not run yet */
int remote_received(struct mover *mover)
{
	return await_message(mover, received, sizeof(received), "it had the domain");
}

/**
 * remote_run - make the other host unpause the domain
 *
 * Return: 0 or -errno with the job's reason. After an error with @handed_over of the mover it is not known whether the domain runs.
 */
int remote_run(struct mover *mover)
{
	char status;
	int error;

	mover->handed_over = true;
	error = send_all(mover, go, sizeof(go), "it was requested to run the domain")
			?: await_message(mover, report, sizeof(report), "it ran the domain")
			?: await(mover, &status, sizeof(status), "it ran the domain");
	if (error || !status)
		return error;
	mover->handed_over = false;
	return fail(&mover->job->why, -EREMOTEIO, "migrate guest '%s': %s does not run it (%d)",
		    mover->job->guest, mover->host, status);
}
