// SPDX-License-Identifier: GPL-2.0-only
/*
 * Code shared by all benches: calls to the agent, and the pump that turns incoming data into events.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "harness/bench/bench.h"
#include "harness/evidence/vocabulary.h"
#include "harness/lib/call.h"
#include "harness/witness/witness.h"

#define SEND_TIMEOUT_MS 5000
#define HELLO_TIMEOUT_MS 60000
/* A migration has two hosts. */
#define HOSTS_MAX 2
/* The end of the agent's stream does not show whether the host died; the out-of-band side reports that later. */
#define DEATH_NOTICE_NS (3 * NSEC_PER_SEC)

/* ":HOST" or ":HOST,HOST": no address is empty or reads as an option of ssh. */
static bool has_addresses(const char *text)
{
	do {
		text++;
		if (!*text || *text == ',' || *text == '-')
			return false;
		text += strcspn(text, ",");
	} while (*text);
	return true;
}

/**
 * bench_kind - the kind of bench of a name
 * @name: "local", "kvm-pair", "ssh:HOST,HOST"
 *
 * Return: its operations. NULL: unknown, an address after a kind that takes none, or none after a kind that needs one.
 */
const struct bench_ops *bench_kind(const char *name)
{
	size_t length = strcspn(name, ":");

	for (size_t i = 0; i < bench_ops_count(); i++) {
		const struct bench_ops *ops = bench_ops_at(i);

		if (ops->hosts ? name[length] : !name[length] || !has_addresses(name + length))
			continue;
		if (strlen(ops->name) == length && strncmp(ops->name, name, length) == 0)
			return ops;
	}
	return NULL;
}

/* Pass on one event from or about a guest; @guest: NULL: it is about the host. */
static void report_guest(struct bench *bench, const char *guest, const char *witness,
			 int64_t time_ns, const char *text, json_t *data)
{
	bench->options.event(bench->options.context,
			     json_pack("{s:s, s:s, s:s*, s:I, s:s, s:o*}", "witness", witness,
				       "host", bench->host, "guest", guest, "host_time_ns",
				       (json_int_t)time_ns, "text", text, "data", data));
}

/**
 * bench_report - pass on one event
 * @bench:   its source
 * @witness: name of the witness
 * @time_ns: on the controller's clock
 * @text:    the observation
 * @data:    its fields; stolen, may be NULL
 */
void bench_report(struct bench *bench, const char *witness, int64_t time_ns, const char *text,
		  json_t *data)
{
	report_guest(bench, NULL, witness, time_ns, text, data);
}

static void report_bench(struct bench *bench, const char *event, const char *text)
{
	bench_report(bench, "bench", now_realtime_ns(), text,
		     json_pack("{s:s, s:s*, s:s*}", "event", event, "boot_id",
			       json_text(bench->hello, "boot_id", NULL), "kernel",
			       json_text(bench->hello, "kernel", NULL)));
}

/**
 * bench_host_ended - the out-of-band side saw the host go down
 * @bench:  its bench
 * @status: exit status of the emulator or -1
 * @signal: that ended the emulator, or 0
 */
void bench_host_ended(struct bench *bench, int status, int signal)
{
	bool was_up = bench->state == HOST_UP || bench->state == HOST_LOST;

	if (!was_up)
		return;
	bench->state = HOST_DIED;
	bench_report(bench, "bench", now_realtime_ns(), "the host went down by itself",
		     json_pack("{s:s, s:i, s:i, s:s*}", "event", "host-died", "status", status,
			       "signal", signal, "boot_id",
			       json_text(bench->hello, "boot_id", NULL)));
}

static void agent_lost(struct bench *bench, const char *text)
{
	if (bench->state != HOST_UP)
		return;
	bench->state = HOST_LOST;
	report_bench(bench, "agent-lost", text);
}

/**
 * bench_host_taken - the host ended from outside: a failure of the bench
 * @bench: its bench
 * @text:  what took it: the emulator's crash, a deadline, a supervisor that was killed
 *
 * This is not evidence that the host died.
 */
void bench_host_taken(struct bench *bench, const char *text)
{
	if (bench->state == HOST_DOWN || bench->state == HOST_DIED)
		return;
	bench->state = HOST_TAKEN;
	report_bench(bench, "host-taken", text);
}

static void take_hello(struct bench *bench, const json_t *hello)
{
	const char *boot_id = json_text(hello, "boot_id", "");
	const char *before = json_text(bench->hello, "boot_id", NULL);

	if (__builtin_sub_overflow(now_realtime_ns(), json_number(hello, "time_ns", 0),
				   &bench->clock_offset_ns))
		bench->clock_offset_ns = 0;
	if (before && strcmp(before, boot_id) != 0 && bench->state != HOST_DOWN) {
		bench->state = HOST_DIED;
		bench_report(bench, "bench", now_realtime_ns(), "the host has another boot_id",
			     json_pack("{s:s, s:s, s:s}", "event", "host-died", "boot_id", boot_id,
				       "previous_boot_id", before));
	}
}

/* A hello without a request: the agent was restarted, and the calls to the old one are lost. */
static void unexpected_hello(struct bench *bench, const json_t *hello)
{
	if (bench->state != HOST_UP)
		return;
	if (json_number(hello, "pid", 0) == json_number(bench->hello, "pid", 0) &&
	    strcmp(json_text(hello, "boot_id", ""), json_text(bench->hello, "boot_id", "")) == 0)
		return;
	/* Only the serial port of an emulated host outlives its boot: any other stream ends with it. */
	if (!bench->ops->is_rig &&
	    strcmp(json_text(hello, "boot_id", ""), json_text(bench->hello, "boot_id", "")) != 0)
		bench_report(bench, "protocol", now_realtime_ns(),
			     "refused: the agent named another boot_id in the same stream",
			     json_pack("{s:s, s:b, s:O}", "event", "host-died", "refused", true,
				       "said", hello));
	else
		take_hello(bench, hello);
	agent_lost(bench, "the agent was restarted during the trial");
}

/* Clock values from a host are not trustworthy. */
static int64_t controller_time(const struct bench *bench, int64_t host_ns)
{
	int64_t time_ns;

	if (bench->ops->slowness)
		return now_realtime_ns();
	return __builtin_add_overflow(host_ns, bench->clock_offset_ns, &time_ns) ? now_realtime_ns()
										 : time_ns;
}

/* Witnesses that a program in a guest may name. Other names are not accepted from a guest. */
static bool is_guest_witness(const char *name)
{
	const struct witness *witness = witness_find(name);

	/* The second one is of guests that take a machine check themselves, without a kernel. */
	return (witness && !witness->host_only) || is_one_of(name, "workload", "machine-check");
}

/* Events from the guest itself (docs/guest-program.md). */
static void take_guest_message(struct bench *bench, const char *guest, int64_t time_ns,
			       const json_t *said)
{
	const char *witness = json_text(said, "witness", "");
	json_t *data;

	if (!json_is(said, "event", "witness") || !is_guest_witness(witness)) {
		report_guest(bench, guest, "guest-link", time_ns, "unexpected event of the guest",
			     json_pack("{s:s, s:O}", "what", "said", "said", said));
		return;
	}
	data = json_deep_copy(json_object_get(said, "data"));
	if (!json_is_object(data)) {
		json_decref(data);
		data = json_object();
	}
	json_object_set(data, "guest_time_ns", json_object_get(said, "time_ns"));
	report_guest(bench, guest, witness, time_ns, json_text(said, "text", ""), data);
}

/* Events of the agent about the stream of a guest. */
static void take_guest_event(struct bench *bench, const json_t *message)
{
	const char *guest = json_text(message, "guest", "unknown");
	const char *what = json_text(message, "what", "");
	int64_t time_ns = controller_time(bench, json_number(message, "time_ns", 0));
	const char *witness = "guest-link";
	json_t *data;

	if (strcmp(what, "said") == 0) {
		take_guest_message(bench, guest, time_ns, json_object_get(message, "said"));
		return;
	}
	if (is_one_of(what, "heartbeat", "gap", "silent", "heard", "clock"))
		witness = "heartbeat";
	data = json_deep_copy(message);
	json_object_del(data, "event");
	json_object_del(data, "guest");
	json_object_del(data, "text");
	report_guest(bench, guest, witness, time_ns, json_text(message, "text", what), data);
}

/* The guest that an event of the host's agent is about. */
static const char *guest_of(const char *witness, const json_t *data)
{
	return is_one_of(witness, GUEST_SOURCES(TABLE_WORD) NULL) ? json_text(data, "guest", NULL)
								  : NULL;
}

static void take_witness(struct bench *bench, const json_t *message)
{
	const char *witness = json_text(message, "witness", "unknown");
	json_t *data = json_object_get(message, "data");

	/* Witnesses outside of an agent are independent of it: an agent that names one of them is refused. */
	if (is_one_of(witness,
		      OUTSIDE_SOURCES(TABLE_WORD) CONTROLLER_SOURCES(TABLE_WORD) "guest-link")) {
		__cleanup_free char *text =
			format_text("refused: the agent reports as the witness '%.40s'", witness);

		bench_report(bench, "protocol", now_realtime_ns(), text,
			     json_pack("{s:s, s:O}", "event", "refused", "said", message));
		return;
	}
	report_guest(bench, guest_of(witness, data), witness,
		     controller_time(bench, json_number(message, "time_ns", 0)),
		     json_text(message, "text", ""), json_incref(data));
}

static void take_event(struct bench *bench, json_t *message)
{
	const char *event = json_text(message, "event", "");

	if (strcmp(event, "hello") == 0) {
		unexpected_hello(bench, message);
	} else if (strcmp(event, "witness") == 0) {
		take_witness(bench, message);
	} else if (strcmp(event, "guest") == 0) {
		take_guest_event(bench, message);
	} else {
		bench_report(bench, "protocol", now_realtime_ns(),
			     json_text(message, "text", event),
			     json_pack("{s:s}", "event", "agent-complaint"));
	}
}

/* The answer to a call under way. A late one, after the deadline of its call, and a second one are dropped. */
static void take_answer(struct bench *bench, json_t *message, uint64_t id)
{
	size_t index;
	json_t *other;

	if (!bench->answers || id < bench->awaited_id || id > bench->next_id)
		return;
	json_array_foreach (bench->answers, index, other)
		if ((uint64_t)json_number(other, "id", 0) == id)
			return;
	json_array_append(bench->answers, message);
}

static void take_messages(struct bench *bench)
{
	struct reason why = {0};
	json_t *message;
	int got;

	while (bench->agent && (got = channel_next(bench->agent, &message, &why)) != 0) {
		json_t *id;

		if (got < 0) {
			bench_report(bench, "protocol", now_realtime_ns(), why.text,
				     json_pack("{s:s}", "event", "rubbish"));
			continue;
		}
		id = json_object_get(message, "id");
		if (!id)
			take_event(bench, message);
		else
			take_answer(bench, message, (uint64_t)json_integer_value(id));
		json_decref(message);
	}
}

static void receive_from_agent(struct bench *bench)
{
	int got = channel_fill(bench->agent);

	take_messages(bench);
	if (got < 0) {
		channel_free(bench->agent);
		bench->agent = NULL;
		agent_lost(bench, "the agent's stream ended");
	}
}

/**
 * bench_pump - turn one batch of incoming data into events, from all hosts of the bench
 * @bench:    one of them
 * @until_ns: CLOCK_MONOTONIC: return at that time at the latest
 *
 * Return: 0 on data or timeout, -EINTR when the user interrupted.
 */
int bench_pump(struct bench *bench, int64_t until_ns)
{
	const volatile int *interrupted = bench->options.interrupted;
	struct pollfd fds[3 * HOSTS_MAX];
	int64_t left = until_ns - now_monotonic_ns();
	struct timespec wait = {.tv_sec = left / NSEC_PER_SEC, .tv_nsec = left % NSEC_PER_SEC};
	size_t count = 0, index = 0;

	if (interrupted && *interrupted)
		return -EINTR;
	if (left < 0)
		wait = (struct timespec){0};
	bench_foreach (host, bench, false) {
		fds[count++] = (struct pollfd){.fd = host->agent ? channel_fd(host->agent) : -1,
					       .events = POLLIN};
		fds[count++] = (struct pollfd){.fd = host->out_of_band_fd, .events = POLLIN};
		fds[count++] = (struct pollfd){.fd = host->errors_fd, .events = POLLIN};
	}
	if (ppoll(fds, count, &wait, NULL) < 0)
		return interrupted && *interrupted ? -EINTR : 0;
	bench_foreach (host, bench, false) {
		if (fds[index + 1].revents && host->ops->dispatch)
			host->ops->dispatch(host);
		if (fds[index + 2].revents)
			bench_hear_errors(host);
		if (fds[index].revents)
			receive_from_agent(host);
		index += 3;
	}
	return 0;
}

static int host_error(struct bench *bench, const char *call, struct reason *why)
{
	int64_t until = now_monotonic_ns() + DEATH_NOTICE_NS;

	/* Give the out-of-band side time to report that the host itself died. */
	while (bench->state == HOST_LOST && bench->out_of_band_fd >= 0 && !bench->agent &&
	       now_monotonic_ns() < until)
		if (bench_pump(bench, until))
			break;
	if (bench->state == HOST_DIED)
		return fail(why, -EHOSTDOWN, "%s: the host died", call);
	return bench_end_reason(bench, call, why);
}

/* Errors of bench_call() about the host itself. An agent may answer the same errno about a guest or the hypervisor. */
static bool is_about_the_host(int error)
{
	static const int errors[] = {-EHOSTDOWN, -ECONNRESET, -ETIMEDOUT, -EINTR};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (errors[i] == error)
			return true;
	return false;
}

static int send_all(struct bench *bench, const struct bench_request *requests, size_t count)
{
	int error = 0;

	for (size_t i = 0; i < count && !error; i++) {
		__cleanup_json json_t *request = call_request(
			(int64_t)++bench->next_id, requests[i].call, requests[i].arguments);

		error = channel_send(bench->agent, request, SEND_TIMEOUT_MS);
	}
	return error;
}

static void take_result(struct bench *bench, struct bench_request *request, uint64_t id)
{
	size_t index;
	json_t *answer;

	json_array_foreach (bench->answers, index, answer) {
		if ((uint64_t)json_number(answer, "id", 0) != id)
			continue;
		request->refusal = call_result(answer, &request->reply, &request->why);
		request->error =
			is_about_the_host(request->refusal) ? -EREMOTEIO : request->refusal;
	}
}

/* Return: 0 when all were answered, whatever the answers are. */
static int send_and_wait(struct bench *bench, struct bench_request *requests, size_t count,
			 unsigned int timeout_ms, struct reason *why)
{
	int64_t deadline =
		now_monotonic_ns() + bench_span_ns(bench->ops, timeout_ms * NSEC_PER_MSEC);
	enum host_state before = bench->state;
	const char *call = requests[0].call;
	int result = 0;

	if (!bench->agent)
		return host_error(bench, call, why);
	bench->awaited_id = bench->next_id + 1;
	bench->answers = json_array();
	if (send_all(bench, requests, count)) {
		agent_lost(bench, "the agent does not take requests");
		result = host_error(bench, call, why);
	}
	while (!result && json_array_size(bench->answers) < count) {
		if (bench->state != before || !bench->agent)
			result = host_error(bench, call, why);
		else if (now_monotonic_ns() >= deadline)
			result = fail(why, -ETIMEDOUT, "%s: no answer from the agent within %u ms",
				      call, timeout_ms);
		else
			result = bench_pump(bench, deadline);
	}
	for (size_t i = 0; i < count; i++)
		take_result(bench, &requests[i], bench->awaited_id + i);
	if (json_array_size(bench->answers) == count)
		result = 0;
	json_decref(steal(bench->answers));
	return result == -EINTR ? fail(why, -EINTR, "%s: interrupted", call) : result;
}

static int call_one(struct bench *bench, const char *call, const json_t *arguments,
		    unsigned int timeout_ms, json_t **reply, struct reason *why)
{
	struct bench_request request = {.call = call, .arguments = (json_t *)arguments};
	int error = send_and_wait(bench, &request, 1, timeout_ms, why);

	bench->refusal = request.refusal;
	if (reply)
		*reply = request.reply;
	else
		json_decref(request.reply);
	if (error || !request.error)
		return error;
	return fail(why, request.error, "%s", request.why.text);
}

/**
 * bench_call - call the agent and wait for the answer
 * @bench:      open bench
 * @call:       name of the call (docs/protocol.md)
 * @arguments:  object, borrowed; may be NULL
 * @timeout_ms: of the answer; more on a slow bench
 * @reply:      receives the answer; owned by the caller; may be NULL
 * @why:        reason of a failure; the agent's own if it answered
 *
 * Events that arrive meanwhile go to the bench's event function.
 *
 * Return: 0; -EHOSTDOWN when the host died, -ECONNRESET when the agent is gone, -ETIMEDOUT when it does not answer, -EINTR;
 * or the -errno of the agent's answer. If that is one of the four above, it is about something behind the agent and not about
 * the host: the result is -EREMOTEIO, and @refusal of the bench has the original.
 */
int bench_call(struct bench *bench, const char *call, const json_t *arguments,
	       unsigned int timeout_ms, json_t **reply, struct reason *why)
{
	bench->refusal = 0;
	if (bench->state != HOST_UP)
		return host_error(bench, call, why);
	return call_one(bench, call, arguments, timeout_ms, reply, why);
}

/**
 * bench_call_all - make several calls at once, each of which is made whatever became of those before it
 * @requests:   with .call and .arguments set; receive the results
 * @count:      at least 1
 * @timeout_ms: of all answers
 *
 * The agent serves them in their order. One way to the host and back is all that is waited for.
 *
 * Return: 0 when all were answered, whatever the answers are; else as bench_call().
 */
int bench_call_all(struct bench *bench, struct bench_request *requests, size_t count,
		   unsigned int timeout_ms, struct reason *why)
{
	int error = bench->state == HOST_UP ? send_and_wait(bench, requests, count, timeout_ms, why)
					    : host_error(bench, requests[0].call, why);

	for (size_t i = 0; i < count; i++)
		json_decref(steal(requests[i].arguments));
	return error;
}

/**
 * bench_firmware - pass a request to the firmware model of a host
 * @bench:   one that has a firmware model
 * @request: borrowed
 * @why:     reason of a failure
 *
 * Return: 0; -EHOSTDOWN when the host died, -ECONNRESET when it was taken away; or the -errno of the firmware model.
 */
int bench_firmware(struct bench *bench, const json_t *request, struct reason *why)
{
	int error = bench->ops->firmware(bench, request, why);

	/* The event that the host ended may not be read yet. */
	if (error)
		(void)bench_pump(bench, 0);
	return error && bench->state != HOST_UP ? host_error(bench, "firmware", why) : error;
}

/**
 * bench_greet - wait for the hello of a started host
 *
 * Return: 0 or -errno with a reason.
 */
int bench_greet(struct bench *bench, struct reason *why)
{
	__cleanup_json json_t *hello = NULL;
	int error = call_one(bench, "hello", NULL, HELLO_TIMEOUT_MS, &hello, why);
	json_int_t version;

	if (error)
		return error;
	version = json_number(hello, "protocol", -1);
	if (version != PROTOCOL_VERSION)
		return fail(why, -EPROTO,
			    "the agent on %s has protocol %lld, this brinell has %d: install "
			    "the same "
			    "version on both",
			    bench->name, (long long)version, PROTOCOL_VERSION);
	bench->state = HOST_DOWN;
	take_hello(bench, hello);
	json_decref(bench->hello);
	bench->hello = steal(hello);
	bench->state = HOST_UP;
	bench->boots++;
	bench->boot_ns = bench->powered_ns ? now_realtime_ns() - bench->powered_ns : 0;
	report_bench(bench, "agent-hello", "hello of the agent");
	/* Without the call `clock`, the hello gives the time, with less precision. */
	if (bench_compare_clocks(bench, true, NULL))
		log_debug("%s: its clock was not compared", bench->host);
	return 0;
}

/**
 * bench_start - start a host, or restart it; bench_greet() completes the start
 *
 * Return: 0 or -errno with a reason.
 */
int bench_start(struct bench *bench, struct reason *why)
{
	channel_free(bench->agent);
	bench->agent = NULL;
	bench->state = HOST_DOWN;
	bench->started_ns = now_monotonic_ns();
	return bench->ops->start(bench, why);
}

/**
 * bench_boot - boot a host, or boot it again
 *
 * Return: 0 or -errno with a reason.
 */
int bench_boot(struct bench *bench, struct reason *why)
{
	return bench_start(bench, why) ?: bench_greet(bench, why);
}

/**
 * bench_ready - wait until a booted host can start guests
 *
 * Return: 0 or -errno with a reason.
 */
int bench_ready(struct bench *bench, struct reason *why)
{
	int error;

	if (bench->ready_boot == bench->boots || !bench->ops->ready)
		return 0;
	error = bench->ops->ready(bench, why);
	if (!error)
		bench->ready_boot = bench->boots;
	return error;
}

/** bench_span_ns - how long something may take on a kind of bench that may take @span_ns elsewhere */
int64_t bench_span_ns(const struct bench_ops *ops, int64_t span_ns)
{
	return span_ns * (ops->slowness ?: 1);
}

/** bench_time_left_ns - minimum time for which an open bench stays up */
int64_t bench_time_left_ns(const struct bench *bench)
{
	if (!bench->ops->limited)
		return INT64_MAX;
	return bench->opened_ns + bench->options.deadline_s * NSEC_PER_SEC - now_monotonic_ns();
}

/** bench_host - a host of a bench by its name in the journal; NULL: no such host */
struct bench *bench_host(struct bench *bench, const char *host)
{
	bench_foreach (each, bench, false)
		if (strcmp(each->host, host) == 0)
			return each;
	return NULL;
}

/* The address of host @number in a comma-separated list; NULL for a kind without addresses. */
static char *address_of(const char *name, unsigned int number)
{
	const char *at = strchr(name, ':');

	if (!at)
		return NULL;
	for (at++; number; number--)
		at = strchr(at, ',') + 1;
	return xstrndup(at, strcspn(at, ","));
}

static unsigned int count_hosts(const struct bench_ops *ops, const char *name)
{
	unsigned int count = 1;

	if (ops->hosts)
		return ops->hosts;
	for (const char *comma = name; (comma = strchr(comma, ',')); comma++)
		count++;
	return count;
}

static struct bench *new_host(const struct bench_ops *ops, const char *name, unsigned int number,
			      const struct bench_options *options)
{
	struct bench *host = xzalloc(sizeof(*host));

	host->ops = ops;
	host->name = xstrdup(name);
	host->address = address_of(name, number);
	host->number = number;
	snprintf(host->host, sizeof(host->host), "h%u", number);
	host->options = *options;
	host->out_of_band_fd = host->errors_fd = -1;
	host->opened_ns = now_monotonic_ns();
	return host;
}

/**
 * bench_open - create a bench without booting it
 * @name:    "local", a rig profile, "ssh:HOST", "ssh:HOST,HOST"
 * @options: copied; the texts in it must outlive the bench
 * @bench:   receives its first host; the others are linked by @next
 * @why:     reason of a failure
 *
 * Return: 0, -ENOENT for an unknown bench, -EINVAL for more than two hosts.
 */
int bench_open(const char *name, const struct bench_options *options, struct bench **bench,
	       struct reason *why)
{
	const struct bench_ops *ops = bench_kind(name);
	unsigned int count = ops ? count_hosts(ops, name) : 0;
	struct bench *last = NULL;

	if (!ops)
		return fail(why, -ENOENT,
			    "there is no bench '%s'; `brinell list benches` shows them", name);
	if (count > HOSTS_MAX)
		return fail(why, -EINVAL, "bench '%s' has %u hosts; a migration needs two", name,
			    count);
	for (unsigned int i = 0; i < count; i++) {
		struct bench *host = new_host(ops, name, i, options);

		if (last)
			last->next = host;
		else
			*bench = host;
		host->next = *bench;
		last = host;
	}
	return 0;
}

static void close_host(struct bench *host)
{
	host->state = HOST_DOWN;
	host->ops->stop(host);
	channel_free(host->agent);
	json_decref(host->hello);
	free(host->emulator);
	free(host->address);
	free(host->name);
	free(host);
}

/** bench_close - stop hosts that the bench started, and free it; NULL is allowed */
void bench_close(struct bench *bench)
{
	struct bench *other = bench ? bench->next : NULL;

	/* The first host of a pair provides the network. */
	while (other != bench) {
		struct bench *next = other->next;

		close_host(other);
		other = next;
	}
	if (bench)
		close_host(bench);
}
