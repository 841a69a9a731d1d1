// SPDX-License-Identifier: GPL-2.0-only
/*
 * What every agent is made of: one loop, no threads; every call is answered, also when it is refused. The calls
 * themselves are services, one file each; docs/protocol.md lists them.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "harness/agent/core.h"
#include "harness/host/machine.h"
#include "harness/lib/call.h"

#define SEND_TIMEOUT_MS 10000
/* Evidence that is kept while there is no stream; the first is worth most. */
#define BACKLOG_MAX 512
#define POLL_MAX 128

struct agent {
	struct channel *channel;
	enum agent_role role;
	unsigned int connection;
	json_t *id;
	json_t *machine;
	json_t *backlog;
	uint64_t lost;
	uint64_t number;
	int error;
	void **states;
};

/* Set by SIGTERM, SIGINT and SIGHUP: the agent ends, but not before it has restored what its injector set. */
static volatile sig_atomic_t ending;

static bool serves(const struct agent *agent, const struct agent_service *service)
{
	return service->roles & agent->role;
}

/**
 * agent_new - an agent without a stream
 *
 * Return: it; never NULL.
 */
struct agent *agent_new(enum agent_role role)
{
	struct agent *agent = xzalloc(sizeof(*agent));

	agent->role = role;
	agent->backlog = json_array();
	agent->machine = json_object();
	if (role == AGENT_HOST)
		machine_add_facts(agent->machine);
	agent->states = xzalloc((agent_service_count() + 1) * sizeof(void *));
	for (size_t i = 0; i < agent_service_count(); i++)
		if (serves(agent, agent_service_at(i)))
			agent->states[i] = xzalloc(agent_service_at(i)->state_size + 1);
	return agent;
}

static void close_services(struct agent *agent)
{
	unsigned int rank = 0, next;

	do {
		next = rank;
		for (size_t i = 0; i < agent_service_count(); i++) {
			const struct agent_service *service = agent_service_at(i);

			if (serves(agent, service) && service->rank == rank && service->close)
				service->close(agent);
			if (service->rank > rank && (next == rank || service->rank < next))
				next = service->rank;
		}
	} while (next != rank && (rank = next));
}

/** agent_free - end all services, in the order of their ranks, and free everything but the channel */
void agent_free(struct agent *agent)
{
	close_services(agent);
	for (size_t i = 0; i < agent_service_count(); i++)
		free(agent->states[i]);
	free(agent->states);
	json_decref(agent->backlog);
	json_decref(agent->machine);
	free(agent);
}

/** agent_channel - the stream, or NULL while there is none */
struct channel *agent_channel(const struct agent *agent)
{
	return agent->channel;
}

/** agent_state - the memory of a service in this agent, zero at its begin; NULL in a program that does not serve it */
void *agent_state(const struct agent *agent, const struct agent_service *service)
{
	for (size_t i = 0; i < agent_service_count(); i++)
		if (agent_service_at(i) == service)
			return agent->states[i];
	return NULL;
}

static void keep(struct agent *agent, json_t *message)
{
	if (agent->role != AGENT_GUEST || !json_object_get(message, "event"))
		return;
	if (json_array_size(agent->backlog) >= BACKLOG_MAX)
		agent->lost++;
	else
		json_array_append(agent->backlog, message);
}

static void transmit(struct agent *agent, json_t *message)
{
	int error = agent->error;

	if (agent->channel && !error)
		error = channel_send(agent->channel, message, SEND_TIMEOUT_MS);
	if (!agent->channel || error)
		keep(agent, message);
	if (error && !agent->error)
		agent->error = error;
}

/**
 * agent_send - send a message; a guest numbers its events, so that a lost one is known to be missing
 * @message: stolen
 *
 * A guest without a stream keeps its events, up to a bound, for the next one.
 */
void agent_send(struct agent *agent, json_t *message)
{
	/* An event that can not be encoded as JSON is reported as such, because lost evidence must be visible. */
	if (!message)
		message = call_ignored("a message that can not be written as JSON was lost");
	if (agent->role == AGENT_GUEST && json_object_get(message, "event"))
		json_object_set_new(message, "number", json_integer((json_int_t)agent->number++));
	transmit(agent, message);
	json_decref(message);
}

/** agent_emit - send one piece of evidence; a witness_event_fn. @data is stolen and may be NULL */
void agent_emit(void *agent, const char *witness, int64_t time_ns, const char *text, json_t *data)
{
	__cleanup_free char *shown = xstrndup(text, 4096);

	agent_send(agent, json_pack("{s:s, s:s, s:I, s:s, s:o*}", "event", "witness", "witness",
				    witness, "time_ns", (json_int_t)time_ns, "text",
				    mend_text(shown), "data", data));
}

/** agent_connection - how many streams there were, with that of now */
unsigned int agent_connection(const struct agent *agent)
{
	return agent->connection;
}

/** agent_workload_ends - notify all services that a workload is about to be stopped */
void agent_workload_ends(struct agent *agent, const struct activity *run)
{
	for (size_t i = 0; i < agent_service_count(); i++)
		if (serves(agent, agent_service_at(i)) && agent_service_at(i)->workload_ends)
			agent_service_at(i)->workload_ends(agent, run);
}

/** agent_boot_id - the boot_id of this machine, or "unknown"; owned by the caller */
char *agent_boot_id(void)
{
	char path[4096];
	char *text;

	if (read_small_file(system_path(path, "/proc/sys/kernel/random/boot_id"), &text, NULL))
		return xstrdup("unknown");
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/** agent_role - which program serves */
enum agent_role agent_role(const struct agent *agent)
{
	return agent->role;
}

/* What describes this agent, with the time now; owned by the caller. */
static json_t *describe(const struct agent *agent)
{
	__cleanup_free char *boot = agent_boot_id();
	bool rig = access("/etc/brinell/rig", F_OK) == 0;
	struct sysinfo memory = {0};
	struct utsname name;
	json_t *hello;

	uname(&name);
	hello = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:i, s:I, s:I}", "event",
			  "hello", "protocol", PROTOCOL_VERSION, "version", BRINELL_VERSION,
			  "boot_id", boot, "kernel", name.release, "kernel_version", name.version,
			  "hostname", name.nodename, "rig", rig, "pid", (int)getpid(), "processors",
			  (int)sysconf(_SC_NPROCESSORS_ONLN), "time_ns",
			  (json_int_t)now_realtime_ns(), "monotonic_ns",
			  (json_int_t)now_monotonic_ns());
	json_object_update(hello, agent->machine);
	if (agent->role != AGENT_GUEST || sysinfo(&memory))
		return hello;
	json_object_set_new(hello, "guest", json_true());
	json_object_set_new(hello, "connection", json_integer(agent->connection));
	json_object_set_new(
		hello, "memory_kb",
		json_integer((json_int_t)((uint64_t)memory.totalram * memory.mem_unit / 1024)));
	return hello;
}

/**
 * agent_attach - serve this stream from now on: send hello and the queued events
 * @channel: owned by the caller, until after agent_detach()
 */
void agent_attach(struct agent *agent, struct channel *channel)
{
	__cleanup_json json_t *hello = NULL;
	json_t *kept = agent->backlog;
	uint64_t lost = agent->lost;
	json_t *message;
	size_t index;

	agent->channel = channel;
	agent->connection++;
	agent->error = 0;
	agent->lost = 0;
	agent->backlog = json_array();
	hello = describe(agent);
	transmit(agent, hello);
	json_array_foreach (kept, index, message)
		transmit(agent, message);
	json_decref(kept);
	if (lost)
		agent_send(agent,
			   json_pack("{s:s, s:I}", "event", "lost", "count", (json_int_t)lost));
}

/** agent_detach - the stream is gone; a host agent is of no more use then */
void agent_detach(struct agent *agent)
{
	agent->channel = NULL;
}

/** agent_later - a ticket for the call that is served now; give it back by agent_answer() */
struct agent_ticket agent_later(const struct agent *agent)
{
	return (struct agent_ticket){.id = json_incref(agent->id), .connection = agent->connection};
}

/**
 * agent_answer - answer a call
 * @ticket: given back; when its stream is gone nothing is sent
 * @error:  0 or -errno
 * @reply:  stolen; NULL is an empty object
 * @why:    reason of @error; may be NULL
 */
void agent_answer(struct agent *agent, struct agent_ticket *ticket, int error, json_t *reply,
		  const struct reason *why)
{
	json_t *id = steal(ticket->id);

	if (!agent->channel || ticket->connection != agent->connection)
		json_decref(reply);
	else
		agent_send(agent, call_reply(id, error, reply, why));
	json_decref(id);
}

static const struct agent_call *find_call(const struct agent *agent, const char *name)
{
	for (size_t i = 0; i < agent_service_count(); i++) {
		const struct agent_call *call = agent_service_at(i)->calls;

		if (!serves(agent, agent_service_at(i)))
			continue;
		for (; call->name; call++)
			if (strcmp(call->name, name) == 0)
				return call;
	}
	return NULL;
}

static void serve(struct agent *agent, const json_t *message)
{
	const char *name = json_text(message, "call", NULL);
	const struct agent_call *call = name ? find_call(agent, name) : NULL;
	json_t *id = json_object_get(message, "id");
	struct agent_ticket ticket;
	json_t *reply = NULL;
	struct reason why = {0};
	int error;

	if (!name || !json_is_integer(id)) {
		agent_send(agent, call_ignored("a message that is no call was ignored"));
		return;
	}
	agent->id = id;
	error = call ? call->serve(agent, json_object_get(message, "args"), &reply, &why)
		     : fail(&why, -ENOSYS, "no such call '%s'", name);
	if (error == AGENT_LATER)
		return;
	ticket = agent_later(agent);
	agent_answer(agent, &ticket, error, reply, &why);
}

static void serve_messages(struct agent *agent)
{
	struct reason why;
	json_t *message;
	int got;

	while ((got = channel_next(agent->channel, &message, &why)) != 0) {
		if (got < 0) {
			agent_send(agent, call_ignored(why.text));
			continue;
		}
		serve(agent, message);
		json_decref(message);
	}
}

static void dispatch_services(struct agent *agent, const struct pollfd *fds, const size_t *counts)
{
	for (size_t i = 0; i < agent_service_count(); i++) {
		const struct agent_service *service = agent_service_at(i);

		if (counts[i] && service->dispatch)
			service->dispatch(agent, fds, counts[i]);
		fds += counts[i];
	}
}

static const int ending_signals[] = {SIGTERM, SIGINT, SIGHUP};

static void on_ending(int signal)
{
	ending = 1;
}

/**
 * agent_ending_signals - the signals that end an agent
 * @signals: receives them added
 */
void agent_ending_signals(sigset_t *signals)
{
	for (size_t i = 0; i < ARRAY_SIZE(ending_signals); i++)
		sigaddset(signals, ending_signals[i]);
}

/** agent_catch_signals - have them end agent_turn() only: blocked but while it waits, nothing is left half done */
void agent_catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_ending};
	sigset_t blocked;

	/* The parent may have set it to be ignored, and then no process of the agent could be waited for. */
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&blocked);
	agent_ending_signals(&blocked);
	for (size_t i = 0; i < ARRAY_SIZE(ending_signals); i++)
		sigaction(ending_signals[i], &action, NULL);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
}

static int wait_for_news(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	struct timespec timeout = {.tv_sec = timeout_ms / 1000,
				   .tv_nsec = timeout_ms % 1000 * NSEC_PER_MSEC};
	sigset_t waiting;

	sigprocmask(SIG_SETMASK, NULL, &waiting);
	for (size_t i = 0; i < ARRAY_SIZE(ending_signals); i++)
		sigdelset(&waiting, ending_signals[i]);
	if (ppoll(fds, count, timeout_ms < 0 ? NULL : &timeout, &waiting) >= 0)
		return 0;
	return ending ? -ECANCELED : -errno;
}

/**
 * agent_turn - wait for input from any source, and dispatch it
 * @timeout_ms: at most so long; -1 for ever
 *
 * Return: 0, -ECANCELED when a signal requests the end of the agent, -EPIPE at the end of the stream, or
 * another -errno.
 */
int agent_turn(struct agent *agent, int timeout_ms)
{
	struct pollfd fds[POLL_MAX] = {
		{.fd = agent->channel ? channel_fd(agent->channel) : -1, .events = POLLIN}};
	size_t counts[agent_service_count() + 1];
	nfds_t count = 1;
	int got;

	for (size_t i = 0; i < agent_service_count(); i++) {
		const struct agent_service *service = agent_service_at(i);

		counts[i] = 0;
		if (!serves(agent, service) || !service->watch)
			continue;
		counts[i] = service->watch(agent, fds + count, POLL_MAX - count);
		count += counts[i];
	}
	got = wait_for_news(fds, count, timeout_ms);
	if (got < 0)
		return got == -EINTR ? 0 : got;
	dispatch_services(agent, fds + 1, counts);
	if (agent->channel && fds[0].revents) {
		got = channel_fill(agent->channel);
		serve_messages(agent);
		if (got < 0)
			return got;
		/* A serial port whose other end is closed polls as readable, without data. */
		if (got == 0 && fds[0].revents & POLLHUP && !(fds[0].revents & POLLIN))
			return -EPIPE;
	}
	return agent->channel ? agent->error : 0;
}

static int serve_hello(struct agent *agent, const json_t *arguments, json_t **reply,
		       struct reason *why)
{
	*reply = describe(agent);
	return 0;
}

static const struct agent_call calls[] = {{"hello", serve_hello}, {0}};

REGISTERED(agent_service, hello_service) = {
	.name = "hello",
	.roles = AGENT_HOST | AGENT_GUEST,
	.calls = calls,
};
