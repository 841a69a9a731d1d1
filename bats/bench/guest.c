// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: guest start ROUNDS | guest pattern ROUNDS
 *
 * On one emulated host of the profile kvm. start: from the call that starts a micro guest to its hello, against the same
 * QEMU and kernel started by hand (hand.sh), turn by turn. pattern: the program of that name, in a guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "bats/bench/figures.h"
#include "harness/bench/bench.h"
#include "harness/rig/host/supervisor.h"

#define ROUNDS_MAX 200
#define CHUNK (192u << 10)
#define START_TIMEOUT_MS 120000
#define CALL_TIMEOUT_MS 60000
#define GUEST "bench"

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
		/* The first side alternates between rounds. */
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
	} parts[] = {{"start", compare_starts}, {"pattern", run_pattern}};
	int rounds = argc == 3 ? atoi(argv[2]) : 0;

	/* The rig starts its supervisor as this very program. */
	if (argc == 4 && strcmp(argv[1], "rig") == 0 && strcmp(argv[2], "keep") == 0)
		return supervisor_main(atoi(argv[3]));
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
	die("usage: guest start|pattern ROUNDS");
}
