/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_FAKE_BENCH_H
#define BRINELL_UNIT_FAKE_BENCH_H

/*
 * Fake benches: `fake` has one, `fake-local` too, whose guests migrate on it, `fake-pair` two. Each boot of one is a process, which answers as an
 * agent would; its end is the end of the host.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "harness/bench/bench.h"

#include <cmocka.h>

/* What becomes of a call that goes wrong. */
enum fake_mishap {
	FAKE_REFUSES,
	FAKE_DIES,
	FAKE_IS_SILENT,
	/* Once it has answered. */
	FAKE_DIES_THEN,
};

/*
 * struct fake - behaviour of the fake hosts, and the calls that they got; not shared: each host is a process of its own
 * that is forked with these settings
 * @moves:  how often the page of the guest moves
 * @dies:   the guest ends at its touch
 * @taken:  a host that ends was ended by its bench
 * @refuses: QEMU refuses the migration
 * @poisons: a page that was poisoned is not found again
 * @busy:    the host can not take away the page that is poisoned; @strays: for it is elsewhere by then
 * @asks:    inject.fire leaves the fault to the firmware
 * @runs:    a fault runs on after inject.fire; @brief: it ends at once, else with inject.stop
 * @call:    of the host, or of the guest through it, that goes wrong, but for the first @late times in each boot; @asked: how often it was made
 * @host:    on which it does; NULL: on each
 * @error:   that is answered to one that is refused
 * @doomed:  in how many boots it goes wrong; 0: in all
 * @spared:  in how many boots nothing goes wrong yet
 * @boots:   so far
 * @ages_ns: how much older a bench is after each trial
 * @late_hello: the guest says hello at its new host only when the first host is down
 * @on_host: the workload is on the first host, and there is no guest
 * @guest:   the scenario's lines of guest and workload; NULL: GUEST
 * @first:   process of the first host
 * @serve:   runs a host in its process instead of what follows here; may be NULL
 * @deadline: of the trial; NULL: 20 s; @settle: time for evidence at its end; NULL: 10 ms
 * @requires: a line of the scenario, or NULL
 */
static struct {
	int moves;
	bool dies, refuses, poisons, busy, strays, late_hello, on_host, asks, runs, brief, taken;
	pid_t first;
	const char *call, *host, *guest;
	void (*serve)(const struct bench *bench, struct channel *channel);
	const char *deadline, *settle, *requires;
	enum fake_mishap mishap;
	int error, late, asked;
	int doomed, spared, boots;
	int64_t ages_ns;
	char calls[64];
} fake;

static inline void say(struct channel *channel, json_t *message)
{
	if (channel_send(channel, message, 1000))
		_exit(1);
	json_decref(message);
}

static inline void say_text(struct channel *channel, const char *text)
{
	json_t *message = json_loads(text, 0, NULL);

	if (!message)
		_exit(2);
	say(channel, message);
}

static inline void say_guest(struct channel *channel, const char *witness, const char *data)
{
	__cleanup_free char *text = format_text("{\"event\":\"guest\",\"guest\":\"g1\",\"what\":"
						"\"said\",\"time_ns\":1,\"said\":{\"event\":"
						"\"witness\",\"witness\":\"%s\",\"time_ns\":"
						"2,\"text\":\"victim\",\"data\":%s}}",
						witness, data);

	say_text(channel, text);
}

static inline void say_workload(struct channel *channel, const char *data)
{
	say_guest(channel, "workload", data);
}

static inline const char *answer_guest(struct channel *channel, const char *call)
{
	if (strcmp(call, "workload.start") == 0)
		return "{\"facts\":{\"pid\":\"0x9\",\"address\":\"0x7000\",\"pfn\":\"0x100\","
		       "\"physical\":\"0x100000\","
		       "\"page_size\":\"0x1000\"}}";
	if (strcmp(call, "workload.touch") != 0)
		return "{}";
	if (fake.dies) {
		say_text(channel, "{\"event\":\"witness\",\"witness\":\"hypervisor\",\"time_ns\":1,"
				  "\"text\":\"g1: crashed\",\"data\":"
				  "{\"guest\":\"g1\",\"event\":\"crashed\",\"state\":\"stopped\","
				  "\"detail\":\"failed\"}}");
		return "{}";
	}
	say_guest(channel, "trace", "{\"event\":\"fake\"}");
	say_guest(channel, "pageflags", "{}");
	say_workload(channel, "{\"workload\":\"victim\",\"event\":\"signal\",\"signal\":7}");
	say_workload(channel, "{\"workload\":\"victim\",\"event\":\"checked\"}");
	return "{}";
}

static inline void say_migration(struct channel *channel, const char *rest)
{
	__cleanup_free char *text = format_text("{\"event\":\"witness\",\"witness\":\"migration\","
						"\"time_ns\":1,\"text\":\"m\",\"data\":{\"guest\":"
						"\"g1\",%s}}",
						rest);

	say_text(channel, text);
}

static inline const char *answer_migrate(struct channel *channel)
{
	if (fake.refuses) {
		say_migration(channel,
			      "\"event\":\"end\",\"stage\":\"refused\",\"outcome\":\"refused\"");
		return "{\"state\":\"ended\",\"outcome\":\"refused\",\"reason\":\"poison\"}";
	}
	for (int i = 1; i <= 3; i++) {
		__cleanup_free char *stage = format_text("\"event\":\"stage\",\"stage\":\"pre-"
							 "copy\",\"iteration\":%d,\"remaining\":%d",
							 i, 4096 * (4 - i));

		say_migration(channel, stage);
	}
	say_migration(channel,
		      "\"event\":\"end\",\"stage\":\"completed\",\"outcome\":\"completed\"");
	return "{\"state\":\"begun\"}";
}

static inline void say_hello(struct channel *channel)
{
	say_text(channel,
		 "{\"event\":\"guest\",\"guest\":\"g1\",\"what\":\"hello\",\"time_ns\":3}");
}

static inline void say_end(struct channel *channel)
{
	say_text(channel, "{\"event\":\"witness\",\"witness\":\"injector\",\"time_ns\":1,\"text\":"
			  "\"storm: half\",\"data\":{\"event\":\"progress\",\"fraction\":0.5}}");
	say_text(channel,
		 "{\"event\":\"witness\",\"witness\":\"injector\",\"time_ns\":2,\"text\":"
		 "\"storm: ended\",\"data\":{\"event\":\"end\",\"error\":-10,\"reason\":\"gone\","
		 "\"result\":{\"rounds\":3},\"writes\":[],\"duration_ns\":9}}");
}

static inline const char *answer(const struct bench *bench, struct channel *channel,
				 const char *call, const json_t *arguments)
{
	static const char *const resolved[] = {"0x2000", "0x3000"};
	static char text[256];
	static int resolves;
	static bool fired;

	if (strcmp(call, "hello") == 0) {
		snprintf(text, sizeof(text),
			 "{\"protocol\":%d,\"boot_id\":\"boot-%d\",\"kernel\":\"7.2.12\",\"pid\":5,"
			 "\"time_ns\":%lld}",
			 PROTOCOL_VERSION, fake.boots, (long long)now_realtime_ns());
		return text;
	}
	if (strcmp(call, "probe") == 0)
		return bench->number ? "{\"findings\":[{\"name\":\"kill:libvirtd\",\"ok\":false,"
				       "\"reason\":\"it does not run\",\"remedy\":\"start "
				       "it\"}]}"
				     : "{\"findings\":[{\"name\":\"kill:libvirtd\",\"ok\":true}]}";
	if (strcmp(call, "workload.start") == 0)
		return answer_guest(channel, call);
	if (strcmp(call, "witness.start") == 0)
		return "{\"started\":[\"kmsg\"],\"missing\":[]}";
	if (strcmp(call, "guest.start") == 0)
		return bench->ops->local_migration
			       ? "{\"kind\":\"micro\",\"domain\":\"brinell-g1\",\"uuid\":\"u\","
				 "\"local_migration\":true}"
			       : "{\"kind\":\"micro\",\"pid\":77,\"domain\":\"brinell-g1\","
				 "\"uuid\":\"u\",\"qemu\":\"10.0.2\"}";
	if (strcmp(call, "guest.status") == 0)
		return "{\"state\":\"running\",\"connected\":true}";
	if (strcmp(call, "guest.call") == 0)
		return answer_guest(channel, json_text(arguments, "call", ""));
	if (strcmp(call, "guest.resolve") == 0 && fired && fake.poisons)
		return "{\"pid\":77,\"present\":false,\"poisoned\":true,\"gpa\":\"0x100000\"}";
	if (strcmp(call, "guest.resolve") == 0) {
		const char *pfn = fired && fake.strays
					  ? "0x4000"
					  : resolved[resolves++ < fake.moves ? resolves % 2 : 0];

		snprintf(text, sizeof(text),
			 "{\"pid\":77,\"present\":true,\"gpa\":\"0x100000\",\"hva\":"
			 "\"0x7f0000000000\",\"pfn\":\"%s\",\"hpa\":"
			 "\"%s000\"}",
			 pfn, pfn);
		return text;
	}
	if (strcmp(call, "guest.receive") == 0 && !fake.late_hello)
		say_hello(channel);
	if (strcmp(call, "guest.migrate") == 0)
		return answer_migrate(channel);
	if (strcmp(call, "inject.stop") == 0)
		say_end(channel);
	if (strcmp(call, "inject.fire") == 0 && fake.runs)
		return "{\"running\":true,\"error\":0,\"result\":{},\"writes\":[]}";
	if (strcmp(call, "inject.fire") == 0) {
		fired = true;
		if (fake.asks)
			return "{\"error\":0,\"reason\":\"\",\"result\":{\"firmware\":{\"call\":"
			       "\"machine-check\"}},\"writes\":[],\"duration_ns\":1}";
		if (fake.busy)
			return "{\"error\":-16,\"reason\":\"busy\",\"result\":{},\"writes\":[],"
			       "\"duration_ns\":1}";
		return "{\"error\":0,\"reason\":\"\",\"result\":{},\"writes\":[],\"duration_ns\":"
		       "1}";
	}
	return "{}";
}

static inline void note(const struct bench *bench, const char *call, const json_t *arguments)
{
	__cleanup_free char *path = format_text("%s/calls", fake.calls);
	__cleanup_free char *text = json_dumps(arguments ? arguments : json_null(),
					       JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	FILE *out = fopen(path, "a");

	if (!out)
		_exit(3);
	fprintf(out, "%s %s %s\n", bench->host, call, text);
	fclose(out);
}

static inline bool goes_wrong(const struct bench *bench, const char *call, const json_t *arguments)
{
	if (!fake.call || (fake.doomed && fake.boots > fake.doomed) || fake.boots <= fake.spared)
		return false;
	if (fake.host && strcmp(fake.host, bench->host) != 0)
		return false;
	if (strcmp(call, "guest.call") == 0)
		call = json_text(arguments, "call", "");
	return strcmp(call, fake.call) == 0 && fake.asked++ >= fake.late;
}

static inline void serve(const struct bench *bench, struct channel *channel, const json_t *request)
{
	const json_t *arguments = json_object_get(request, "args");
	const char *call = json_text(request, "call", "");
	json_t *id = json_object_get(request, "id");

	bool wrong = goes_wrong(bench, call, arguments);

	note(bench, call, arguments);

	if (!wrong || fake.mishap == FAKE_DIES_THEN)
		say(channel,
		    json_pack("{s:O, s:o}", "id", id, "ok",
			      json_loads(answer(bench, channel, call, arguments), 0, NULL)));
	else if (fake.mishap == FAKE_REFUSES)
		say(channel, json_pack("{s:O, s:{s:i, s:s}}", "id", id, "error", "errno",
				       fake.error, "text", "not now"));
	if (fake.brief && strcmp(call, "inject.fire") == 0)
		say_end(channel);
	if (wrong && (fake.mishap == FAKE_DIES || fake.mishap == FAKE_DIES_THEN))
		_exit(0);
}

_Noreturn static inline void be_host(const struct bench *bench, int fd)
{
	struct channel *channel = channel_new(fd, fd);
	int first = fake.late_hello && bench->number ? pidfd_open(fake.first, 0) : -1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	note(bench, "boot", NULL);
	if (fake.serve) {
		fake.serve(bench, channel);
		_exit(0);
	}
	for (;;) {
		struct pollfd ready[] = {{.fd = fd, .events = POLLIN},
					 {.fd = first, .events = POLLIN}};
		json_t *request;

		if (poll(ready, 2, -1) < 0)
			_exit(0);
		if (ready[1].revents) {
			say_hello(channel);
			first = -1;
		}
		if (ready[0].revents && channel_fill(channel) < 0)
			_exit(0);
		while (channel_next(channel, &request, NULL) > 0) {
			serve(bench, channel, request);
			json_decref(request);
		}
	}
}

static inline void fake_stop(struct bench *bench)
{
	pid_t pid = (pid_t)(intptr_t)bench->private;

	channel_free(bench->agent);
	bench->agent = NULL;
	if (bench->out_of_band_fd >= 0)
		close(bench->out_of_band_fd);
	bench->out_of_band_fd = -1;
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	bench->private = NULL;
}

static inline int fake_start(struct bench *bench, struct reason *why)
{
	int ends[2];
	pid_t pid;

	(void)why;
	fake_stop(bench);
	/* As brinell does. */
	signal(SIGPIPE, SIG_IGN);
	fake.boots++;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return -errno;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		be_host(bench, ends[1]);
	}
	close(ends[1]);
	bench->agent = channel_new(ends[0], ends[0]);
	if (!bench->number)
		fake.first = pid;
	bench->private = (void *)(intptr_t)pid;
	bench->out_of_band_fd = pidfd_open(pid, 0);
	bench->state = HOST_LOST;
	return 0;
}

/* Its process has ended: the host is down. */
static inline void fake_dispatch(struct bench *bench)
{
	close(bench->out_of_band_fd);
	bench->out_of_band_fd = -1;
	if (fake.taken)
		bench_host_taken(bench, "the emulator crashed");
	else
		bench_host_ended(bench, 0, 0);
}

static inline int fake_ready(struct bench *bench, struct reason *why)
{
	note(bench, "ready", NULL);
	/* cmocka has a macro of that name. */
	return goes_wrong(bench, "ready", NULL)
		       ? (fail)(why, -ENODEV, "the hypervisor does not start")
		       : 0;
}

static inline int fake_firmware(struct bench *bench, const json_t *request, struct reason *why)
{
	struct pollfd process = {.fd = bench->out_of_band_fd, .events = POLLIN};

	note(bench, "firmware", request);
	bench->opened_ns -= fake.ages_ns;
	if (goes_wrong(bench, json_text(request, "call", ""), NULL)) {
		kill((pid_t)(intptr_t)bench->private, SIGKILL);
		poll(&process, 1, -1);
		return (fail)(why, -EPIPE, "the other side has ended");
	}
	return json_is(request, "call", "machine-check") ? (fail)(why, -EBUSY, "not now") : 0;
}

static inline void fake_reach(const struct bench *bench, char **uri, char **address)
{
	*uri = format_text("qemu+tcp://%s/system", bench->host);
	*address = format_text("tcp://%s", bench->host);
}

REGISTERED(bench_ops, fake_one) = {.name = "fake",
				   .summary = "one",
				   .hosts = 1,
				   .is_rig = true,
				   .limited = true,
				   .start = fake_start,
				   .dispatch = fake_dispatch,
				   .ready = fake_ready,
				   .firmware = fake_firmware,
				   .stop = fake_stop};
REGISTERED(bench_ops, fake_local) = {.name = "fake-local",
				     .summary = "one whose guests migrate on it",
				     .hosts = 1,
				     .limited = true,
				     .local_migration = true,
				     .start = fake_start,
				     .dispatch = fake_dispatch,
				     .ready = fake_ready,
				     .firmware = fake_firmware,
				     .stop = fake_stop};
REGISTERED(bench_ops, fake_two) = {.name = "fake-pair",
				   .summary = "two",
				   .hosts = 2,
				   .limited = true,
				   .start = fake_start,
				   .dispatch = fake_dispatch,
				   .ready = fake_ready,
				   .firmware = fake_firmware,
				   .reach = fake_reach,
				   .stop = fake_stop};

REGISTERED(bench_ops, fake_metal) = {.name = "fake-metal",
				     .summary = "boots by itself",
				     .hosts = 1,
				     .return_s = 1,
				     .start = fake_start,
				     .dispatch = fake_dispatch,
				     .stop = fake_stop};

#endif
