// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest program of Xen domains: serves the calls of its host, and sends heartbeats. After a migration its console is new: it
 * sends hello again, as brinell-guest does on a new connection.
 */
#include "guest.h"

#define LINE_BYTES 4096u
#define BEAT_LEAST_NS 1000000ull
#define BEAT_MOST_NS 10000000000ull
#define SHUTDOWN_POWEROFF 0u
#define BOOT_KEY "brinell.boot="

/* @last: of the last heartbeat; @seq: of the last that was reported; @beats: since then */
static struct {
	uint64_t interval, begin, last, seq, beats;
} pulse;

static uint64_t connections;

static void put_identity(void)
{
	const char *line = platform_command_line(), *key = BOOT_KEY;
	char boot[65];
	size_t length = 0;

	for (; *line; line++) {
		size_t at = 0;

		while (key[at] && key[at] == line[at])
			at++;
		if (!key[at])
			break;
	}
	if (*line)
		for (line += sizeof(BOOT_KEY) - 1; *line > ' ' && *line != '"' && length < 64;)
			boot[length++] = *line++;
	boot[length] = '\0';
	out("\"protocol\":1,\"guest\":true,\"version\":\"0.1.0\",\"boot_id\":\"%s\","
	    "\"kernel\":\"brinell-guest-xen\",\"hostname\":\"brinell-guest\",\"pid\":1,"
	    "\"processors\":1,\"connection\":%lu,\"monotonic_ns\":%lu,\"time_ns\":%lu,"
	    "\"memory_kb\":%lu",
	    length ? boot : "unknown", connections, now_ns(), now_ns(), platform_pool_end() / 1024);
}

static void send_hello(void)
{
	connections++;
	out_begin();
	out("{\"event\":\"hello\",");
	put_identity();
	out("}");
	out_end();
}

static void answer(uint64_t id, const char *body)
{
	out_begin();
	out("{\"id\":%lu,\"ok\":{%s}}", id, body);
	out_end();
}

static bool serve_hello(const char *line, uint64_t id)
{
	(void)line;
	out_begin();
	out("{\"id\":%lu,\"ok\":{", id);
	put_identity();
	out("}}");
	out_end();
	return true;
}

static bool serve_ping(const char *line, uint64_t id)
{
	(void)line;
	out_begin();
	out("{\"id\":%lu,\"ok\":{\"time_ns\":%lu,\"monotonic_ns\":%lu}}", id, now_ns(), now_ns());
	out_end();
	return true;
}

static bool serve_heartbeat_start(const char *line, uint64_t id)
{
	uint64_t interval = 10000000;

	(void)json_find_number(line, "interval_ns", &interval);
	if (interval < BEAT_LEAST_NS || interval > BEAT_MOST_NS)
		return false;
	pulse.interval = interval;
	pulse.begin = now_ns();
	pulse.last = pulse.seq = pulse.beats = 0;
	out_begin();
	out("{\"id\":%lu,\"ok\":{\"interval_ns\":%lu,\"host_clock\":false,\"time_ns\":%lu}}", id,
	    interval, now_ns());
	out_end();
	return true;
}

static bool serve_heartbeat_stop(const char *line, uint64_t id)
{
	(void)line;
	pulse.interval = 0;
	answer(id, "");
	return true;
}

static bool serve_witness_start(const char *line, uint64_t id)
{
	(void)line;
	answer(id,
	       "\"started\":[\"machine-check\"],\"missing\":[],\"proofs\":[{\"witness\":"
	       "\"machine-check\",\"group\":\"machine check\",\"field\":\"seen\",\"grows\":false,"
	       "\"kind\":\"memory\",\"severity\":\"uncorrected\"}]");
	return true;
}

static bool serve_nothing(const char *line, uint64_t id)
{
	(void)line;
	answer(id, "");
	return true;
}

static bool serve_poweroff(const char *line, uint64_t id)
{
	(void)line;
	answer(id, "");
	console_flush();
	platform_shutdown(SHUTDOWN_POWEROFF);
}

static const struct {
	const char *name;
	bool (*serve)(const char *line, uint64_t id);
} calls[] = {
	{"hello", serve_hello},
	{"ping", serve_ping},
	{"heartbeat.start", serve_heartbeat_start},
	{"heartbeat.stop", serve_heartbeat_stop},
	{"witness.start", serve_witness_start},
	{"witness.focus", serve_nothing},
	{"witness.collect", serve_nothing},
	{"witness.stop", serve_nothing},
	{"workload.start", work_start},
	{"workload.touch", work_touch},
	{"workload.stop", work_stop},
	{"usage", serve_nothing},
	{"poweroff", serve_poweroff},
};

static void serve(const char *line)
{
	char name[32] = "";
	uint64_t id;

	if (!json_find_number(line, "id", &id))
		return;
	(void)json_find_text(line, "call", name, sizeof(name));
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (text_is(calls[i].name, name) && calls[i].serve(line, id))
			return;
	out_begin();
	out("{\"id\":%lu,\"error\":{\"errno\":-38,\"name\":\"ENOSYS\",\"text\":\"this guest does "
	    "not "
	    "serve the call, or not with these arguments\"}}",
	    id);
	out_end();
}

static void beat(void)
{
	uint64_t now = now_ns(), seq, missed;

	if (!pulse.interval)
		return;
	seq = (now - pulse.begin) / pulse.interval;
	if (seq <= pulse.last)
		return;
	pulse.last = seq;
	pulse.beats++;
	/* While the console is blocked, beats are counted for a later event. */
	if (console_is_blocked())
		return;
	missed = seq - pulse.seq - pulse.beats;
	pulse.seq = seq;
	out_begin();
	out("{\"event\":\"heartbeat\",\"interval_ns\":%lu,\"seq\":%lu,\"time_ns\":%lu,"
	    "\"realtime_ns\":%lu,\"beats\":%lu,\"missed\":%lu,\"late_ns\":%lu}",
	    pulse.interval, seq, now, now, pulse.beats, missed,
	    now - pulse.begin - seq * pulse.interval);
	out_end();
	pulse.beats = 0;
}

void guest_main(uint64_t start_info);

void guest_main(uint64_t start_info)
{
	static char line[LINE_BYTES];
	struct machine_check check;

	platform_begin(start_info);
	debug_print("brinell-guest-xen: started");
	for (;;) {
		if (console_changed())
			send_hello();
		while (machine_check_take(&check))
			work_machine_check(&check);
		while (console_line(line, sizeof(line)))
			serve(line);
		work_step();
		beat();
		console_flush();
		platform_wait();
	}
}
