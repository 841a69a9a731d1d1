// SPDX-License-Identifier: GPL-2.0-only
/*
 * The line protocol: one JSON object a line over any byte stream. What comes from the other side is not trusted:
 * rubbish, half lines and lines without end are reported and skipped, the stream goes on at the next newline.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "harness/lib/lines.h"
#include "harness/lib/protocol.h"

/* @pending: what channel_queue() took and the peer did not yet read; @flushed of its @queued bytes are gone. */
struct channel {
	int in, out;
	struct lines lines;
	char *pending;
	size_t flushed, queued;
};

/**
 * channel_new - a channel over two file descriptors (which may be the same)
 * @in:  to read from; made non-blocking
 * @out: to write to
 *
 * The channel owns both and closes them. Return: the channel; never NULL.
 */
struct channel *channel_new(int in, int out)
{
	struct channel *channel = xzalloc(sizeof(*channel));

	channel->in = in;
	channel->out = out;
	channel->lines.most = PROTOCOL_LINE_MAX;
	if (in >= 0)
		fcntl(in, F_SETFL, fcntl(in, F_GETFL) | O_NONBLOCK);
	return channel;
}

/** channel_free - close both ends and drop unread data; NULL is allowed */
void channel_free(struct channel *channel)
{
	if (!channel)
		return;
	if (channel->in >= 0)
		close(channel->in);
	if (channel->out >= 0 && channel->out != channel->in)
		close(channel->out);
	lines_release(&channel->lines);
	free(channel->pending);
	free(channel);
}

/** channel_fd - to poll for reading */
int channel_fd(const struct channel *channel)
{
	return channel->in;
}

/**
 * channel_feed - put bytes into the channel as if they had been read
 *
 * Return: 0.
 */
int channel_feed(struct channel *channel, const char *bytes, size_t length)
{
	lines_feed(&channel->lines, bytes, length);
	return 0;
}

/**
 * channel_fill - read what is there now, without waiting
 *
 * At most a few lines' worth at once, so that a peer that floods can not make the buffer grow: call
 * channel_next() until it has no more, then this again.
 *
 * Return: number of bytes read, 0 when there is nothing now, -EPIPE at the end of the stream, or -errno.
 */
int channel_fill(struct channel *channel)
{
	return lines_read(&channel->lines, channel->in);
}

static void excerpt(char *out, size_t size, const char *line, size_t length)
{
	size_t put = 0;

	for (size_t i = 0; i < length && put + 2 < size && put < 80; i++)
		out[put++] = line[i] >= 32 && line[i] < 127 ? line[i] : '.';
	out[put] = '\0';
}

/**
 * channel_next - the next whole message
 * @message: receives it; owned by the caller
 * @why:     for rubbish: what it was
 *
 * Return: 1 with a message, 0 when no whole line is there, -EBADMSG for a line that is no JSON object (it is
 * dropped; the next call goes on after it), -EMSGSIZE for a line longer than PROTOCOL_LINE_MAX (likewise).
 */
int channel_next(struct channel *channel, json_t **message, struct reason *why)
{
	for (;;) {
		size_t length;
		char shown[96], *line;
		int got = lines_next(&channel->lines, &line, &length);

		if (got < 0)
			return fail(why, got, "a line of more than %u bytes was dropped",
				    PROTOCOL_LINE_MAX);
		if (!got)
			return 0;
		if (length && line[length - 1] == '\r')
			length--;
		if (length == 0)
			continue;
		*message = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
		if (json_is_object(*message))
			return 1;
		json_decref(*message);
		*message = NULL;
		excerpt(shown, sizeof(shown), line, length);
		return fail(why, -EBADMSG, "no JSON object: '%s'", shown);
	}
}

/** channel_pending - bytes that were queued and that the peer did not take yet */
size_t channel_pending(const struct channel *channel)
{
	return channel->queued - channel->flushed;
}

/**
 * channel_flush - write what is queued, as far as the peer takes it now
 *
 * Never waits when the descriptor is non-blocking, as it is when both ends are one. Return: 0 or -errno.
 */
int channel_flush(struct channel *channel)
{
	while (channel->flushed < channel->queued) {
		ssize_t wrote = write(channel->out, channel->pending + channel->flushed,
				      channel->queued - channel->flushed);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return wrote < 0 && errno != EAGAIN ? -errno : 0;
		channel->flushed += (size_t)wrote;
	}
	free(channel->pending);
	channel->pending = NULL;
	channel->flushed = channel->queued = 0;
	return 0;
}

/**
 * channel_queue - write one message as far as the peer takes it now, and keep the rest for channel_flush()
 * @message: borrowed
 * @limit:   of bytes that may be queued before
 *
 * Return: 0, -EAGAIN when more than @limit bytes are queued already (nothing was queued), or -errno.
 */
int channel_queue(struct channel *channel, const json_t *message, size_t limit)
{
	__cleanup_free char *text = json_dumps(message, JSON_COMPACT | JSON_ENSURE_ASCII);
	size_t length, waiting = channel_pending(channel);
	char *pending;

	if (!text)
		return -EINVAL;
	if (waiting > limit)
		return -EAGAIN;
	length = strlen(text);
	text[length++] = '\n';
	pending = xzalloc(waiting + length);
	if (waiting)
		memcpy(pending, channel->pending + channel->flushed, waiting);
	memcpy(pending + waiting, text, length);
	free(channel->pending);
	channel->pending = pending;
	channel->flushed = 0;
	channel->queued = waiting + length;
	return channel_flush(channel);
}

/**
 * channel_send - write one message and its newline, after all that is queued
 * @message:    borrowed
 * @timeout_ms: how long a peer that does not read may hold us up
 *
 * Return: 0, -ETIMEDOUT (the stream is then in the middle of a line and of no more use) or -errno.
 */
int channel_send(struct channel *channel, const json_t *message, unsigned int timeout_ms)
{
	int64_t deadline = now_monotonic_ns() + timeout_ms * NSEC_PER_MSEC;
	int error = channel_queue(channel, message, PROTOCOL_LINE_MAX);

	while (!error && channel_pending(channel)) {
		struct pollfd poll_out = {.fd = channel->out, .events = POLLOUT};
		int64_t left = (deadline - now_monotonic_ns()) / NSEC_PER_MSEC;

		if (left <= 0 || poll(&poll_out, 1, (int)left) == 0)
			return -ETIMEDOUT;
		error = channel_flush(channel);
	}
	return error == -EAGAIN ? -ETIMEDOUT : error;
}
