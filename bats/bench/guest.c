// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: guest start ROUNDS | guest idle ROUNDS | guest pattern ROUNDS
 *
 * On one emulated host of the profile kvm. start: from the call that starts a micro guest to its hello, against the same
 * QEMU and kernel started by hand (hand.sh), turn by turn. idle: what the program in a guest costs while it beats and
 * follows the kernel log, against the same program told to do neither, turn by turn in one guest: the work that
 * stress-ng gets done, the time that an idle guest is not idle, and the processor time of the program. pattern: the
 * program of that name, in a guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "bats/bench/figures.h"
#include "harness/bench/bench.h"
#include "harness/rig/keeper.h"

#define ROUNDS_MAX 200
#define CHUNK (192u << 10)
#define START_TIMEOUT_MS 120000
#define CALL_TIMEOUT_MS 60000
#define GUEST "bench"
/* What an armed guest does: the beat of a scenario that migrates. */
#define INTERVAL_NS (10 * NSEC_PER_MSEC)
/* How long stress-ng works, and how long nobody does, in each turn. */
#define WORK_S 4
#define IDLE_S 5

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("guest: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

static void ignore_event(void *context, json_t *event)
{
	(void)context;
	json_decref(event);
}

/* @arguments is stolen. */
static json_t *call(struct bench *bench, const char *name, json_t *arguments,
		    unsigned int timeout_ms)
{
	__cleanup_json json_t *given = arguments;
	struct reason why = {0};
	json_t *reply = NULL;

	if (bench_call(bench, name, given, timeout_ms, &reply, &why))
		die("%s: %s", name, why.text);
	return reply;
}

static json_t *call_guest(struct bench *bench, const char *name, json_t *arguments)
{
	return call(bench, "guest.call",
		    json_pack("{s:s, s:s, s:o, s:i}", "guest", GUEST, "call", name, "args",
			      arguments, "timeout_ms", CALL_TIMEOUT_MS),
		    CALL_TIMEOUT_MS + 10000);
}

static char *base64(const unsigned char *bytes, size_t length)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = calloc(1, (length + 2) / 3 * 4 + 1), *at = text;

	for (size_t i = 0; text && i < length; i += 3) {
		size_t left = length - i;
		uint32_t three = (uint32_t)bytes[i] << 16 |
				 (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
				 (left > 2 ? bytes[i + 2] : 0);

		*at++ = digits[three >> 18];
		*at++ = digits[three >> 12 & 63];
		*at++ = left > 1 ? digits[three >> 6 & 63] : '=';
		*at++ = left > 2 ? digits[three & 63] : '=';
	}
	return text;
}

static void put_file(struct bench *bench, const char *from, const char *to)
{
	__cleanup_free unsigned char *bytes = malloc(CHUNK);
	__cleanup_close int fd = open(from, O_RDONLY | O_CLOEXEC);
	bool append = false;
	ssize_t got;

	if (fd < 0 || !bytes)
		die("open %s: %s", from, strerror(errno));
	while ((got = read(fd, bytes, CHUNK)) > 0) {
		__cleanup_free char *text = base64(bytes, (size_t)got);

		json_decref(call(bench, "file.put",
				 json_pack("{s:s, s:i, s:b, s:s}", "path", to, "mode", 0755,
					   "append", append, "data_base64", text),
				 CALL_TIMEOUT_MS));
		append = true;
	}
	if (got < 0)
		die("read %s: %s", from, strerror(errno));
}

static struct bench *open_host(void)
{
	struct reason why = {0};
	struct bench *bench;

	if (bench_open("kvm",
		       &(struct bench_options){
			       .guests = true, .deadline_s = 3600, .event = ignore_event},
		       &bench, &why) ||
	    bench_boot(bench, &why) || bench_ready(bench, &why))
		die("the rig: %s", why.text);
	return bench;
}

/* What a command has printed; it must end well. The answer is freed by the caller with @reply. */
static const char *output_of(json_t *reply, const char *command)
{
	if (json_number(reply, "status", -1) != 0)
		die("%s ended with status %d: %s %s", command,
		    (int)json_number(reply, "status", -1), json_text(reply, "stdout", ""),
		    json_text(reply, "stderr", ""));
	return json_text(reply, "stdout", "");
}

static json_t *start_guest(struct bench *bench, json_t *programs)
{
	return call(bench, "guest.start",
		    json_pack("{s:s, s:s, s:o}", "name", GUEST, "kind", "micro", "programs",
			      programs),
		    START_TIMEOUT_MS);
}

static void stop_guest(struct bench *bench)
{
	json_decref(call(bench, "guest.stop", json_pack("{s:s}", "name", GUEST), CALL_TIMEOUT_MS));
}

static double start_ours(struct bench *bench, double *made)
{
	__cleanup_json json_t *facts = start_guest(bench, json_array());

	*made = (double)json_number(facts, "made_ns", 0) / 1e9;
	stop_guest(bench);
	return (double)json_number(facts, "hello_ns", 0) / 1e9;
}

static json_t *run_hand(struct bench *bench, const char *what)
{
	return call(bench, "run",
		    json_pack("{s:[s, s, s], s:i}", "argv", "sh", "/run/hand.sh", what,
			      "timeout_ms", START_TIMEOUT_MS),
		    START_TIMEOUT_MS + 10000);
}

static double start_by_hand(struct bench *bench)
{
	__cleanup_json json_t *reply = run_hand(bench, "start");
	double began, ended;

	if (sscanf(output_of(reply, "hand.sh"), "%lf %lf", &began, &ended) != 2)
		die("hand.sh has printed '%s'", json_text(reply, "stdout", ""));
	return ended - began;
}

static void compare_starts(struct bench *bench, size_t rounds)
{
	double ours[ROUNDS_MAX], made[ROUNDS_MAX], hand[ROUNDS_MAX], ratio[ROUNDS_MAX];
	double ignored;

	put_file(bench, "bats/bench/hand.sh", "/run/hand.sh");
	json_decref(run_hand(bench, "prepare"));
	/* The first of each finds nothing in the caches. */
	(void)start_ours(bench, &ignored);
	(void)start_by_hand(bench);
	for (size_t i = 0; i < rounds; i++) {
		/* Who goes first changes from round to round. */
		if (i % 2)
			ours[i] = start_ours(bench, &made[i]);
		hand[i] = start_by_hand(bench);
		if (i % 2 == 0)
			ours[i] = start_ours(bench, &made[i]);
		ratio[i] = ours[i] / hand[i];
		printf("round %zu: hello %.2f s, of that libvirt %.2f s; by hand %.2f s\n", i + 1,
		       ours[i], made[i], hand[i]);
	}
	figures_print_spread("start to hello", ours, rounds, " s");
	figures_print_spread("of that, libvirt until the domain runs", made, rounds, " s");
	figures_print_spread("by hand, to the hello of busybox", hand, rounds, " s");
	figures_print_spread("hello / by hand", ratio, rounds, "");
}

static json_t *run_in_guest(struct bench *bench, json_t *argv)
{
	return call_guest(bench, "run",
			  json_pack("{s:o, s:i}", "argv", argv, "timeout_ms", CALL_TIMEOUT_MS));
}

static void arm(struct bench *bench, bool armed)
{
	json_decref(call_guest(bench, armed ? "witness.start" : "witness.stop", json_object()));
	json_decref(call_guest(bench, armed ? "heartbeat.start" : "heartbeat.stop",
			       armed ? json_pack("{s:I}", "interval_ns", (json_int_t)INTERVAL_NS)
				     : json_object()));
}

/* Bogo operations in a second of the time that stress-ng worked. */
static double stress(struct bench *bench, const char *stressor)
{
	__cleanup_free char *option = format_text("--%s", stressor);
	__cleanup_free char *seconds = format_text("%ds", WORK_S);
	__cleanup_json json_t *reply = run_in_guest(
		bench, json_pack("[s, s, s, s, s, s, s, s]", "stress-ng", option, "1", "--timeout",
				 seconds, "--metrics-brief", "--vm-bytes", "32M"));
	double count, real, user, system, rate;
	__cleanup_free char *text = NULL;
	char *line, *rest;

	(void)output_of(reply, "stress-ng");
	text = format_text("%s%s", json_text(reply, "stdout", ""), json_text(reply, "stderr", ""));
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *at = strchr(line, ']');
		char name[64];

		if (at &&
		    sscanf(at + 1, "%63s %lf %lf %lf %lf %lf", name, &count, &real, &user, &system,
			   &rate) == 6 &&
		    strcmp(name, stressor) == 0 && real > 0)
			return count / real;
	}
	die("stress-ng has not told of bogo operations: %s%s", json_text(reply, "stdout", ""),
	    json_text(reply, "stderr", ""));
}

/* @own_ns: processor time of all threads of the program so far. */
struct times {
	double up, idle, own_ns;
};

static struct times read_times(struct bench *bench, int pid)
{
	__cleanup_free char *script = format_text(
		"read -r up idle </proc/uptime; echo $up $idle; cat /proc/%d/task/*/schedstat",
		pid);
	__cleanup_json json_t *reply =
		run_in_guest(bench, json_pack("[s, s, s, s]", "busybox", "sh", "-c", script));
	const char *text = output_of(reply, "busybox");
	struct times times = {0};
	double own, waited, slices;
	int used = 0;

	if (sscanf(text, "%lf %lf%n", &times.up, &times.idle, &used) != 2)
		die("/proc/uptime of the guest: '%s'", text);
	for (text += used; sscanf(text, "%lf %lf %lf%n", &own, &waited, &slices, &used) == 3;
	     text += used)
		times.own_ns += own;
	return times;
}

/*
 * @busy: of the time of one that has nothing to do; @own: the processor time of brinell-guest; both in percent
 */
static void be_idle(struct bench *bench, int pid, double *busy, double *own)
{
	struct times before = read_times(bench, pid), after;
	char seconds[16];

	snprintf(seconds, sizeof(seconds), "%d", IDLE_S);
	json_decref(run_in_guest(bench, json_pack("[s, s, s]", "busybox", "sleep", seconds)));
	after = read_times(bench, pid);
	*busy = 100 * (1 - (after.idle - before.idle) / (after.up - before.up));
	*own = (after.own_ns - before.own_ns) / (after.up - before.up) / 1e7;
}

static const char *const stressors[] = {"matrix", "vm"};

/* One turn. @work: of each stressor. */
struct turn {
	double work[ARRAY_SIZE(stressors)], busy, own;
};

static struct turn take_turn(struct bench *bench, int pid, bool armed)
{
	struct turn turn;

	arm(bench, armed);
	for (size_t i = 0; i < ARRAY_SIZE(stressors); i++)
		turn.work[i] = stress(bench, stressors[i]);
	be_idle(bench, pid, &turn.busy, &turn.own);
	if (armed)
		arm(bench, false);
	return turn;
}

static void compare_idle(struct bench *bench, size_t rounds)
{
	__cleanup_json json_t *facts =
		start_guest(bench, json_pack("[s, s]", "stress-ng", "busybox"));
	__cleanup_json json_t *hello = call_guest(bench, "hello", json_object());
	int pid = (int)json_number(hello, "pid", 0);
	double cost[ARRAY_SIZE(stressors)][ROUNDS_MAX], busy[ROUNDS_MAX], own[ROUNDS_MAX];

	/* The first runs read their files. */
	(void)take_turn(bench, pid, true);
	for (size_t i = 0; i < rounds; i++) {
		struct turn turns[2];

		/* Who goes first changes from round to round. */
		turns[i % 2] = take_turn(bench, pid, i % 2);
		turns[!(i % 2)] = take_turn(bench, pid, !(i % 2));
		printf("round %zu:", i + 1);
		for (size_t j = 0; j < ARRAY_SIZE(stressors); j++) {
			cost[j][i] = 100 * (1 - turns[1].work[j] / turns[0].work[j]);
			printf(" %s %.1f and %.1f operations/s,", stressors[j], turns[1].work[j],
			       turns[0].work[j]);
		}
		busy[i] = turns[1].busy - turns[0].busy;
		own[i] = turns[1].own;
		printf(" busy %.2f and %.2f %%, own %.2f and %.2f %%\n", turns[1].busy,
		       turns[0].busy, turns[1].own, turns[0].own);
	}
	for (size_t j = 0; j < ARRAY_SIZE(stressors); j++) {
		__cleanup_free char *what =
			format_text("bogo operations of %s lost while it is armed", stressors[j]);

		figures_print_mean(what, cost[j], rounds, " %", 1);
	}
	figures_print_mean("time that an idle guest is busy, more while it is armed", busy, rounds,
			   " %", 0.1);
	figures_print_mean("processor time of the armed program itself", own, rounds, " %", 0.1);
	stop_guest(bench);
}

static void run_pattern(struct bench *bench, size_t rounds)
{
	__cleanup_free char *text = format_text("%zu", rounds);
	json_t *reply;

	put_file(bench, "build/bench/pattern", "/usr/bin/pattern");
	json_decref(start_guest(bench, json_pack("[s]", "pattern")));
	reply = run_in_guest(bench, json_pack("[s, s, s]", "pattern", "64", text));
	fputs(json_text(reply, "stdout", ""), stdout);
	fputs(json_text(reply, "stderr", ""), stderr);
	json_decref(reply);
	stop_guest(bench);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*measure)(struct bench *bench, size_t rounds);
	} parts[] = {{"start", compare_starts}, {"idle", compare_idle}, {"pattern", run_pattern}};
	int rounds = argc == 3 ? atoi(argv[2]) : 0;

	/* The rig starts its keeper as this very program. */
	if (argc == 4 && strcmp(argv[1], "rig") == 0 && strcmp(argv[2], "keep") == 0)
		return keeper_main(atoi(argv[3]));
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < ARRAY_SIZE(parts) && rounds > 0 && rounds <= ROUNDS_MAX; i++) {
		struct bench *bench;

		if (strcmp(argv[1], parts[i].name) != 0)
			continue;
		bench = open_host();
		parts[i].measure(bench, (size_t)rounds);
		bench_close(bench);
		return 0;
	}
	die("usage: guest start|idle|pattern ROUNDS");
}
