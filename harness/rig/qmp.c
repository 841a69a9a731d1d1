// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client of the QEMU Machine Protocol (docs/interop/qmp-spec in QEMU's source): one JSON object a line; responses have the
 * id of their command, events come in between. One thread reads; any number of threads may execute commands at the same time.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "harness/lib/lines.h"
#include "harness/rig/qmp.h"

/* A longer line is an error: QEMU's longest response, query-qmp-schema, has a fifth of it. */
#define LINE_LIMIT (4u << 20)
/* QEMU creates its socket some milliseconds after its start, without a notification. */
#define CONNECT_INTERVAL_MS 5

/* A command without a response yet; on the stack of the thread that executes it. */
struct pending {
	struct pending *next;
	json_int_t id;
	json_t *answer;
};

struct qmp {
	int fd;
	int stop_fd;
	pthread_t reader;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct pending *pending;
	json_int_t last_id;
	bool greeted;
	int error; /* of the connection, once it is over */
	qmp_event_fn event;
	void *context;
};

static void deadline_from_now(struct timespec *deadline, unsigned int timeout_ms)
{
	int64_t when = now_monotonic_ns() + timeout_ms * NSEC_PER_MSEC;

	deadline->tv_sec = when / NSEC_PER_SEC;
	deadline->tv_nsec = when % NSEC_PER_SEC;
}

/* NULL (invalid JSON) has none of the keys of a message. */
static int take_message(struct qmp *qmp, const char *line, size_t length)
{
	__cleanup_json json_t *message = json_loadb(line, length, JSON_ALLOW_NUL, NULL);
	const json_t *id = json_object_get(message, "id");
	int error = 0;

	if (json_object_get(message, "event")) {
		if (qmp->event)
			qmp->event(qmp->context, message);
		return 0;
	}
	pthread_mutex_lock(&qmp->mutex);
	if (json_object_get(message, "QMP")) {
		qmp->greeted = true;
	} else if (json_object_get(message, "return") || json_object_get(message, "error")) {
		/* The response came after its deadline. */
		for (struct pending *one = qmp->pending; one; one = one->next)
			if (json_is_integer(id) && one->id == json_integer_value(id) &&
			    !one->answer)
				one->answer = json_incref(message);
	} else {
		error = -EPROTO;
	}
	pthread_cond_broadcast(&qmp->changed);
	pthread_mutex_unlock(&qmp->mutex);
	return error;
}

static int read_messages(struct qmp *qmp, struct lines *lines)
{
	struct pollfd wait[] = {{.fd = qmp->fd, .events = POLLIN},
				{.fd = qmp->stop_fd, .events = POLLIN}};

	for (;;) {
		size_t length;
		char *line;
		int got, error = 0;

		if (poll(wait, ARRAY_SIZE(wait), -1) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (wait[1].revents)
			return -ESHUTDOWN;
		got = lines_read(lines, qmp->fd);
		if (got < 0)
			return got == -EPIPE ? -ECONNRESET : got;
		while (!error && (got = lines_next(lines, &line, &length)))
			error = got < 0 ? got : length > 1 ? take_message(qmp, line, length) : 0;
		if (error)
			return error;
	}
}

static void *reader(void *argument)
{
	struct qmp *qmp = argument;
	struct lines lines = {.most = LINE_LIMIT};
	int error = read_messages(qmp, &lines);

	lines_release(&lines);
	pthread_mutex_lock(&qmp->mutex);
	qmp->error = error;
	pthread_cond_broadcast(&qmp->changed);
	pthread_mutex_unlock(&qmp->mutex);
	return NULL;
}

static int wait_for_greeting(struct qmp *qmp, unsigned int timeout_ms)
{
	struct timespec deadline;
	int error = 0;

	deadline_from_now(&deadline, timeout_ms);
	pthread_mutex_lock(&qmp->mutex);
	while (!qmp->greeted && !qmp->error && !error)
		error = -pthread_cond_timedwait(&qmp->changed, &qmp->mutex, &deadline);
	if (!qmp->greeted)
		error = qmp->error ?: error;
	else
		error = 0;
	pthread_mutex_unlock(&qmp->mutex);
	return error;
}

static int connect_socket(const char *path, int64_t deadline)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	for (;;) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int error;

		if (fd < 0)
			return -errno;
		if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
			return fd;
		error = -errno;
		close(fd);
		if (error != -ENOENT && error != -ECONNREFUSED && error != -EAGAIN)
			return error;
		if (now_monotonic_ns() >= deadline)
			return error;
		poll(NULL, 0, CONNECT_INTERVAL_MS);
	}
}

/**
 * qmp_connect - connect to a QMP socket and negotiate
 * @path:       Unix socket on which QEMU serves QMP; QEMU may create it during the call
 * @timeout_ms: for everything: socket, greeting, negotiation
 * @event:      called for each event on the reader's thread; it must not execute commands itself; may be NULL
 * @context:    for @event
 * @qmp:        receives the connection, to be ended with qmp_close()
 *
 * Return: 0; -ENOENT or -ECONNREFUSED when no QEMU serves @path, -ETIMEDOUT, -EPROTO when the peer does not use QMP,
 * -ECONNRESET when it closes the connection, or another -errno.
 */
int qmp_connect(const char *path, unsigned int timeout_ms, qmp_event_fn event, void *context,
		struct qmp **qmp)
{
	int64_t deadline = now_monotonic_ns() + timeout_ms * NSEC_PER_MSEC;
	__cleanup_free struct qmp *made = xzalloc(sizeof(*made));
	pthread_condattr_t attributes;
	int error;

	made->event = event;
	made->context = context;
	made->fd = connect_socket(path, deadline);
	if (made->fd < 0)
		return made->fd;
	made->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (made->stop_fd < 0) {
		error = -errno;
		close(made->fd);
		return error;
	}
	pthread_mutex_init(&made->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&made->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	error = -pthread_create(&made->reader, NULL, reader, made);
	if (error) {
		close(made->fd);
		close(made->stop_fd);
		return error;
	}
	error = wait_for_greeting(made, timeout_ms)
			?: qmp_execute(made, "qmp_capabilities", NULL, timeout_ms, NULL);
	if (error) {
		qmp_close(steal(made));
		return error;
	}
	*qmp = steal(made);
	return 0;
}

static void forget(struct qmp *qmp, const struct pending *mine)
{
	struct pending **one = &qmp->pending;

	while (*one != mine)
		one = &(*one)->next;
	*one = mine->next;
}

/**
 * qmp_execute - execute one command and wait for its response
 * @qmp:        connection
 * @command:    name
 * @arguments:  object, or NULL; the reference is taken over, also on error
 * @timeout_ms: for the response
 * @reply:      receives the return value, owned by the caller; if QEMU refused the command, the error object with
 *              "class" and "desc"; may be NULL
 *
 * Return: 0; -EREMOTEIO when QEMU refused the command, -ETIMEDOUT, -EPROTO after invalid data from the peer, -ECONNRESET when
 * QEMU has ended, or another -errno. @reply is NULL on every error but -EREMOTEIO.
 */
int qmp_execute(struct qmp *qmp, const char *command, json_t *arguments, unsigned int timeout_ms,
		json_t **reply)
{
	__cleanup_json json_t *request =
		json_pack("{s:s, s:o*}", "execute", command, "arguments", arguments);
	__cleanup_free char *text = NULL;
	struct pending mine = {0};
	struct timespec deadline;
	int error = 0;

	if (reply)
		*reply = NULL;
	if (!request)
		return -EINVAL;
	deadline_from_now(&deadline, timeout_ms);
	pthread_mutex_lock(&qmp->mutex);
	mine.id = ++qmp->last_id;
	mine.next = qmp->pending;
	qmp->pending = &mine;
	json_object_set_new(request, "id", json_integer(mine.id));
	text = json_dumps(request, JSON_COMPACT);
	error = qmp->error;
	/* Under the lock, so that commands do not mix. If the peer does not read, this blocks for the timeout at most. */
	for (size_t sent = 0, length = strlen(text) + 1; !error && sent < length;) {
		struct pollfd wait = {.fd = qmp->fd, .events = POLLOUT};
		ssize_t done;

		text[length - 1] = '\n';
		done = send(qmp->fd, text + sent, length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (done >= 0)
			sent += (size_t)done;
		else if (errno == EAGAIN)
			error = poll(&wait, 1, (int)timeout_ms) ? 0 : -ETIMEDOUT;
		else if (errno != EINTR)
			error = errno == EPIPE ? -ECONNRESET : -errno;
	}
	while (!mine.answer && !qmp->error && !error)
		error = -pthread_cond_timedwait(&qmp->changed, &qmp->mutex, &deadline);
	if (mine.answer)
		error = 0;
	else if (!error)
		error = qmp->error;
	forget(qmp, &mine);
	pthread_mutex_unlock(&qmp->mutex);
	if (error)
		return error;
	if (json_object_get(mine.answer, "error"))
		error = -EREMOTEIO;
	if (reply)
		*reply = json_incref(json_object_get(mine.answer, error ? "error" : "return"));
	json_decref(mine.answer);
	return error;
}

/**
 * qmp_human - execute a command of the human monitor
 * @qmp:        connection
 * @timeout_ms: how long to wait
 * @text:       receives the output of the monitor (often "", or an error message), owned by the caller; may be NULL
 * @format:     the command line
 *
 * Return: 0 when the monitor executed the line, whatever it printed, or as qmp_execute().
 */
int qmp_human(struct qmp *qmp, unsigned int timeout_ms, char **text, const char *format, ...)
{
	__cleanup_free char *line = NULL;
	__cleanup_json json_t *reply = NULL;
	va_list arguments;
	int error;

	if (text)
		*text = NULL;
	va_start(arguments, format);
	line = format_text_list(format, arguments);
	va_end(arguments);
	error = qmp_execute(qmp, "human-monitor-command", json_pack("{s:s}", "command-line", line),
			    timeout_ms, &reply);
	if (error)
		return error;
	if (!json_is_string(reply))
		return -EPROTO;
	if (text)
		*text = xstrdup(json_string_value(reply));
	return 0;
}

/**
 * qmp_close - close the connection and free it
 * @qmp: may be NULL; no thread may be executing a command on it
 */
void qmp_close(struct qmp *qmp)
{
	if (!qmp)
		return;
	eventfd_write(qmp->stop_fd, 1);
	pthread_join(qmp->reader, NULL);
	close(qmp->fd);
	close(qmp->stop_fd);
	pthread_cond_destroy(&qmp->changed);
	pthread_mutex_destroy(&qmp->mutex);
	free(qmp);
}
