/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_GUEST_CASES_H
#define BRINELL_UNIT_GUEST_CASES_H

/*
 * Trials with guests, written by hand: the events of each witness, with their millisecond in the trial. Each is a directory of
 * bats/unit/golden, the name of which begins with the verdict that it must get.
 */
#include <string.h>

#include "harness/journal/journal.h"

#define BEGIN_NS 1763712000000000000
#define BOOT_G1 "11111111-aaaa-4aaa-8aaa-000000000001"
#define BOOT_OTHER "11111111-aaaa-4aaa-8aaa-000000000002"
#define UUID_G1 "22222222-bbbb-4bbb-8bbb-000000000001"
#define BOOT_H0 "33333333-cccc-4ccc-8ccc-000000000001"
#define BOOT_H1 "33333333-cccc-4ccc-8ccc-000000000002"

/* @now_ms: of the trial */
static struct {
	json_t *records;
	int now_ms;
} script;

static void at(int milliseconds)
{
	script.now_ms = milliseconds;
}

/* A body in JSON, for which a C string has no room to be read: ' stands for ". */
static json_t *body_of(const char *text)
{
	__cleanup_free char *json = strdup(text);
	json_error_t error;
	json_t *body;

	for (char *quote = json; (quote = strchr(quote, '\'')); quote++)
		*quote = '"';
	body = json_loads(json, 0, &error);
	if (!body)
		fprintf(stderr, "%s\n%s\n", error.text, json);
	return body;
}

static void put_body(const char *type, json_t *body)
{
	bool of_run = strcmp(type, "run") == 0 || strcmp(type, "end") == 0;

	json_array_append_new(script.records,
			      json_pack("{s:I, s:s, s:s*, s:o}", "time_ns",
					(json_int_t)(BEGIN_NS + script.now_ms * NSEC_PER_MSEC),
					"type", type, "trial", of_run ? NULL : "0001", "body",
					body));
}

static void put(const char *type, const char *body)
{
	put_body(type, body_of(body));
}

/* @data: JSON; an event is on record a millisecond after it was seen */
static void event(const char *host, const char *guest, const char *witness, const char *text,
		  const char *data)
{
	int64_t seen = BEGIN_NS + script.now_ms * NSEC_PER_MSEC;

	script.now_ms++;
	put_body("event", json_pack("{s:s, s:s, s:s*, s:I, s:s, s:o}", "witness", witness, "host",
				    host, "guest", guest, "host_time_ns", (json_int_t)seen, "text",
				    text, "data", body_of(data)));
	script.now_ms--;
}

static void step(const char *name)
{
	__cleanup_free char *body =
		format_text("{'index': 0, 'step': '%s', 'text': '%s'}", name, name);

	put("step", body);
}

static void guest_on(const char *guest, const char *host, const char *uuid, const char *boot)
{
	__cleanup_free char *body = format_text(
		"{'guest': '%s', 'host': '%s', 'warm': false, 'facts': {'kind': 'micro', 'pid': "
		"900, 'uuid': '%s', 'boot_id': '%s', 'qemu': '10.0.2', 'libvirt': '11.3.0'}}",
		guest, host, uuid, boot);

	put("guest", body);
}

/* @more: members of the spec, each with a comma before it */
static void begin(const char *steps, const char *expect, const char *more)
{
	__cleanup_free char *trial = format_text(
		"{'scenario': 'kvm/case', 'title': 'A guest', 'bench': 'kvm-pair', 'seed': 7, "
		"'attempt': 1, 'expect': %s, 'spec': {'steps': [%s]%s}}",
		expect, steps, more);

	at(0);
	put("run", "{'journal': 1, 'run': '20261121T080000Z-0011223344556677', 'version': '0.1.0', "
		   "'seed': 7, 'plan': [{'trial': '0001', 'scenario': 'kvm/case', 'bench': "
		   "'kvm-pair', 'seed': 7}]}");
	put("trial", trial);
	put("boot", "{'host': 'h0', 'boot_id': '" BOOT_H0 "', 'kernel': '7.2.12+deb13-amd64'}");
	put("boot", "{'host': 'h1', 'boot_id': '" BOOT_H1 "', 'kernel': '7.2.12+deb13-amd64'}");
	put("witnesses", "{'host': 'h0', 'started': ['kmsg', 'trace', 'pageflags', 'meminfo']}");
	put("witnesses", "{'host': 'h1', 'started': ['kmsg', 'trace', 'pageflags', 'meminfo']}");
	guest_on("g1", "h0", UUID_G1, BOOT_G1);
}

static void end(const char *cause)
{
	__cleanup_free char *body = format_text("{'cause': '%s', 'reason': ''}", cause);

	put("close", body);
	put("verdict", "{'trial': '0001', 'verdict': 'skip'}");
	/* Events during the clean-up of a trial are no evidence. */
	event("h0", "g1", "libvirt", "g1: stopped, destroyed",
	      "{'guest': 'g1', 'event': 'lifecycle', 'state': 'stopped', 'detail': 'destroyed'}");
	event("h0", "g1", "guest-link", "g1: its stream has ended", "{'what': 'gone'}");
	put("end", "{'verdicts': {}}");
}

/* The words of the witnesses. */

static void libvirt(const char *host, const char *name, const char *state, const char *detail)
{
	__cleanup_free char *data =
		format_text("{'guest': 'g1', 'uuid': '" UUID_G1 "', 'event': '%s', 'state': '%s', "
			    "'detail': '%s'}",
			    name, state, detail);
	__cleanup_free char *text = format_text("g1: %s %s %s", name, state, detail);

	event(host, "g1", "libvirt", text, data);
}

static void status(const char *host, const char *state, const char *detail)
{
	libvirt(host, "status", state, detail);
}

/* The report of a second of heartbeats, the last of which came @age_ms before. */
static void beats(const char *host, int age_ms)
{
	__cleanup_free char *data = format_text(
		"{'what': 'heartbeat', 'beats': 10, 'missed': 0, 'seq': 100, 'longest_ns': "
		"101000000, 'late_ns': 40000, 'age_ns': %lld}",
		age_ms * NSEC_PER_MSEC);

	event(host, "g1", "heartbeat", "g1: 10 heartbeats, longest time between two 101000 us",
	      data);
}

static void heart_now(const char *host, int age_ms)
{
	__cleanup_free char *data =
		format_text("{'what': 'now', 'seq': 101, 'connected': true, 'age_ns': %lld}",
			    age_ms * NSEC_PER_MSEC);

	event(host, "g1", "heartbeat", "g1: its last heartbeat came a moment ago", data);
}

static void silent(const char *host)
{
	event(host, "g1", "heartbeat", "g1: no heartbeat for 1000 ms",
	      "{'what': 'silent', 'since_ns': 1000000000, 'seq': 101}");
}

static void first_beat(const char *host)
{
	event(host, "g1", "heartbeat", "g1: heard for the first time",
	      "{'what': 'heard', 'first': true}");
}

static void gone(const char *host)
{
	event(host, "g1", "guest-link", "g1: its stream broke: Connection reset by peer",
	      "{'what': 'gone', 'errno_name': 'ECONNRESET'}");
}

static void hello(const char *host, const char *boot, bool rebooted)
{
	__cleanup_free char *data =
		format_text("{'what': 'hello', 'boot_id': '%s', 'rebooted': %s, 'restarted': "
			    "false, 'said': {'event': 'hello', 'guest': true, 'boot_id': '%s'}}",
			    boot, rebooted ? "true" : "false", boot);

	event(host, "g1", "guest-link", rebooted ? "g1: hello of another boot" : "g1: hello", data);
}

static void console(const char *text)
{
	event("h0", "g1", "guest-console", text, "{'guest': 'g1'}");
}

static void guest_log(const char *text)
{
	event("h0", "g1", "kmsg", text, "{'level': 3, 'guest_time_ns': 17}");
}

static void host_log(const char *text)
{
	event("h0", NULL, "kmsg", text, "{'level': 3}");
}

static void guest_panics(void)
{
	console("[   41.2] Kernel panic - not syncing: Fatal local machine check");
	libvirt("h0", "panicked", "crashed", "panicked");
}

/* The faults. */

static void victim_in_guest(void)
{
	at(100);
	step("start");
	put("facts", "{'workload': 'victim', 'guest': 'g1', 'facts': {'pid': 77, 'address': "
		     "'0x7f0000000000', 'pfn': '0x5a3f', 'physical': '0x5a3f000', 'page_size': "
		     "4096}}");
	at(200);
	beats("h0", 0);
}

/* Fired at 1000 ms, back at 1010 ms; and seen by the host, which knows the frame and QEMU. */
static void hwpoison(void)
{
	victim_in_guest();
	at(900);
	step("inject");
	put("resolved", "{'guest': 'g1', 'workload': 'victim', 'host': 'h0', 'gpa': '0x5a3f000', "
			"'hva': '0x7f4455667000', 'hpa': '0x11a3f4000', 'pfn': '0x11a3f4', 'pid': "
			"900, 'page_size': 4096, 'huge': false}");
	at(1000);
	put("intent",
	    "{'injector': 'hwpoison', 'arguments': {'method': 'corrupt-pfn', 'pfn': "
	    "'0x11a3f4'}, 'target': 'victim', 'guest': 'g1', 'gpa': '0x5a3f000', "
	    "'address': '0x11a3f4000', 'pfn': '0x11a3f4', 'boot_id': '" BOOT_H0 "', 'host': 'h0'}");
	at(1010);
	put("outcome", "{'injector': 'hwpoison', 'phase': 'fire', 'host': 'h0', 'guest': 'g1', "
		       "'error': 0, 'reason': ''}");
	host_log("Memory failure: 0x11a3f4: Sending SIGBUS to qemu-system-x86:900 due to hardware "
		 "memory corruption");
	host_log("Memory failure: 0x11a3f4: recovery action for dirty LRU page: Recovered");
	event("h0", NULL, "pageflags", "pfn 0x11a3f4 hwpoison",
	      "{'pfn': '0x11a3f4', 'before': '0x5828', 'after': '0x85828', 'hwpoison': true}");
}

static void touched(void)
{
	at(1020);
	step("touch");
}

static void victim_gets_sigbus(void)
{
	at(1100);
	event("h0", "g1", "workload", "victim: SIGBUS BUS_MCEERR_AR at 0x7f0000000000, lsb 12",
	      "{'workload': 'victim', 'event': 'signal', 'signal': 7, 'signal_name': 'SIGBUS', "
	      "'code_name': 'BUS_MCEERR_AR', 'address': '0x7f0000000000', 'lsb': 12}");
}

static void lives_on(const char *host)
{
	at(1300);
	status(host, "running", "booted");
	heart_now(host, 5);
}

#define INJECT "{'start': 'victim'}, {'inject': {}}, {'touch': 'victim'}"
#define CONTAINED "{'delivered': true, 'guest': 'contained', 'process': 'contained'}"

static void unharmed(void)
{
	begin(INJECT, "{'guest': 'unharmed', 'process': 'unharmed'}", "");
	hwpoison();
	touched();
	at(1100);
	event("h0", "g1", "workload", "victim: touched",
	      "{'workload': 'victim', 'event': 'touched', 'value_ok': true, 'data': 'intact'}");
	lives_on("h0");
	end("done");
}

/* The frame was poisoned, and the page was elsewhere by then; before a fault that is no harm, for it is aimed anew. */
static void unharmed_where(const char *moved)
{
	__cleanup_free char *data = format_text("{'event': '%s'}", moved);

	begin(INJECT, CONTAINED, "");
	hwpoison();
	event("h0", "g1", "engine", "the host moved the page of the victim", data);
	touched();
	at(1100);
	event("h0", "g1", "workload", "victim: touched",
	      "{'workload': 'victim', 'event': 'touched', 'value_ok': true, 'data': 'intact'}");
	lives_on("h0");
	end("done");
}

static void moved_under_fault(void)
{
	unharmed_where("moved-under-fault");
}

static void moved_before_fault(void)
{
	unharmed_where("moved");
}

static void contained(void)
{
	begin(INJECT,
	      "{'guest': 'contained', 'process': 'contained', 'signal': 'SIGBUS', 'code': "
	      "'BUS_MCEERR_AR', 'address': 'match', 'lsb': 12, 'guest-log': ['Memory failure: "
	      "0x5a3f'], 'not-guest-log': ['BUG:'], 'events': {'libvirt': ['memory-failure'], "
	      "'heartbeat': ['last heartbeat']}}",
	      "");
	hwpoison();
	touched();
	at(1050);
	event("h0", "g1", "libvirt", "g1: memory-failure guest inject",
	      "{'guest': 'g1', 'uuid': '" UUID_G1 "', 'event': 'memory-failure', 'recipient': "
	      "'guest', 'action': 'inject', 'action_required': true}");
	guest_log("mce: Uncorrected hardware memory error in user-access at 5a3f000");
	guest_log("Memory failure: 0x5a3f: recovery action for dirty LRU page: Recovered");
	victim_gets_sigbus();
	lives_on("h0");
	end("done");
}

/* No host reports it: the guest's log and its workload do. */
static void machine_check_of_guest(void)
{
	begin(INJECT, CONTAINED, "");
	victim_in_guest();
	at(1000);
	put("intent",
	    "{'injector': 'qemu-mce', 'arguments': {'guest': 'g1', 'kind': 'srar', 'gpa': "
	    "'0x5a3f000'}, 'target': 'victim', 'guest': 'g1', 'gpa': '0x5a3f000', "
	    "'boot_id': '" BOOT_H0 "', 'host': 'h0'}");
	at(1010);
	put("outcome", "{'injector': 'qemu-mce', 'phase': 'fire', 'host': 'h0', 'guest': 'g1', "
		       "'error': 0}");
	touched();
	at(1050);
	guest_log("Memory failure: 0x5a3f: recovery action for dirty LRU page: Recovered");
	victim_gets_sigbus();
	lives_on("h0");
	end("done");
}

/* Of a machine check, as the trace of the guest has it. */
static void guest_trace(const char *address)
{
	__cleanup_free char *data =
		format_text("{'event': 'mce:mce_record', 'fields': {'addr': '%s', 'status': "
			    "'0x8c00400000000813'}, 'guest_time_ns': 18}",
			    address);
	__cleanup_free char *text =
		format_text("mce_record: CPU: 0, MC9: 8c00400000000813, ADDR: %s", address);

	event("h0", "g1", "trace", text, data);
}

/* Found by a poll. That there was one is no sign of an error: it would be there without. */
static void corrected(bool logged, const char *traced)
{
	begin(INJECT, "{'guest': 'unharmed', 'events': {'trace': ['mce_record.*ADDR: 0x5a3f000']}}",
	      "");
	victim_in_guest();
	at(1000);
	put("intent", "{'injector': 'qemu-mce', 'arguments': {'guest': 'g1', 'kind': 'corrected', "
		      "'gpa': '0x5a3f000'}, 'target': 'victim', 'guest': 'g1', 'gpa': "
		      "'0x5a3f000', 'boot_id': '" BOOT_H0 "', 'host': 'h0'}");
	at(1010);
	put("outcome", "{'injector': 'qemu-mce', 'error': 0}");
	at(1100);
	if (logged)
		guest_log("mce: [Hardware Error]: Machine check events logged");
	if (traced)
		guest_trace(traced);
	/* The trace of the host is another one. */
	event("h0", NULL, "trace", "mce_record: ADDR: 0x5a3f000", "{'event': 'nothing'}");
	event("h0", "g1", "interrupts", "MCP +2", "{'MCP': {'before': 7, 'after': 9}}");
	lives_on("h0");
	end("done");
}

static void corrected_and_traced(void)
{
	corrected(true, "0x5a3f000");
}

static void corrected_elsewhere(void)
{
	corrected(true, "0x11a3f4000");
}

static void corrected_without_trace(void)
{
	corrected(true, NULL);
}

static void polled_alone(void)
{
	corrected(false, NULL);
}

/* The kernel log of the guest is not that of the host, and its frames are not the host's. */
static void another_page_of_guest(void)
{
	begin(INJECT, CONTAINED, "");
	victim_in_guest();
	at(1000);
	put("intent",
	    "{'injector': 'qemu-mce', 'arguments': {'guest': 'g1', 'kind': 'srao', 'gpa': "
	    "'0x5a3f000'}, 'target': 'victim', 'guest': 'g1', 'gpa': '0x5a3f000', "
	    "'boot_id': '" BOOT_H0 "', 'host': 'h0'}");
	at(1010);
	put("outcome", "{'injector': 'qemu-mce', 'error': 0}");
	guest_log("Memory failure: 0x11a3f4: recovery action for dirty LRU page: Recovered");
	lives_on("h0");
	end("done");
}

static void guest_line_on_host(void)
{
	begin(INJECT, CONTAINED, "");
	victim_in_guest();
	at(900);
	put("resolved", "{'guest': 'g1', 'workload': 'victim', 'host': 'h0', 'gpa': '0x5a3f000', "
			"'hva': '0x7f4455667000', 'pfn': '0x11a3f4', 'pid': 900}");
	at(1000);
	put("intent", "{'injector': 'hwpoison', 'arguments': {'pfn': '0x11a3f4'}, 'target': "
		      "'victim', 'guest': 'g1', 'gpa': '0x5a3f000', 'pfn': '0x11a3f4', 'boot_id': "
		      "'" BOOT_H0 "', 'host': 'h0'}");
	at(1010);
	put("outcome", "{'injector': 'hwpoison', 'error': 0}");
	host_log("Memory failure: 0x5a3f: recovery action for dirty LRU page: Recovered");
	lives_on("h0");
	end("done");
}

static void killed_by_panic(void)
{
	begin(INJECT, "{'guest': 'killed'}", "");
	hwpoison();
	touched();
	at(1100);
	guest_panics();
	at(1150);
	libvirt("h0", "crashed", "stopped", "crashed");
	gone("h0");
	end("done");
}

/* The stream that ends and the hello of another boot are both words of the program in the guest. */
static void says_it_rebooted(void)
{
	begin(INJECT, "{'guest': 'killed'}", "");
	hwpoison();
	touched();
	at(1100);
	gone("h0");
	at(2500);
	hello("h0", BOOT_OTHER, true);
	status("h0", "running", "booted");
	heart_now("h0", 3);
	end("done");
}

static void killed_by_reboot(void)
{
	begin(INJECT, "{'guest': 'killed'}", "");
	hwpoison();
	touched();
	at(1100);
	gone("h0");
	at(1900);
	event("h0", "g1", "guest-console", "[    0.000000] Linux version 6.12.0 (gcc) #1 SMP",
	      "{}");
	at(2500);
	hello("h0", BOOT_OTHER, true);
	status("h0", "running", "booted");
	heart_now("h0", 3);
	end("done");
}

static void killed_with_host(void)
{
	begin(INJECT, "{'guest': 'killed', 'host': 'died'}", "");
	hwpoison();
	touched();
	at(1100);
	event("h0", NULL, "console", "[ 61.0] Kernel panic - not syncing: Fatal machine check",
	      "{}");
	event("h0", NULL, "bench", "the host went down by itself",
	      "{'event': 'host-died', 'boot_id': '" BOOT_H0 "'}");
	end("host-died");
}

static void qemu_crashes(void)
{
	begin(INJECT, CONTAINED, "");
	hwpoison();
	touched();
	at(1100);
	libvirt("h0", "crashed", "stopped", "failed");
	gone("h0");
	at(1200);
	status("h0", "gone", "");
	end("done");
}

/* Whatever the fault did, memory ran out: that ended QEMU. */
static void runs_out_of_memory(void)
{
	begin(INJECT, "{'guest': 'killed'}", "");
	hwpoison();
	touched();
	at(1090);
	host_log("Out of memory: Killed process 900 (qemu-system-x86) total-vm:8911872kB, "
		 "anon-rss:4194304kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:9000kB "
		 "oom_score_adj:0");
	at(1100);
	libvirt("h0", "crashed", "stopped", "failed");
	gone("h0");
	at(1200);
	status("h0", "gone", "");
	end("done");
}

static void hangs(void)
{
	begin(INJECT, "{'guest': 'hung'}", "");
	hwpoison();
	touched();
	at(2100);
	silent("h0");
	at(3000);
	status("h0", "running", "booted");
	heart_now("h0", 1900);
	end("done");
}

/* Silent because its host has closed its ears. */
static void is_cut_off(void)
{
	begin(INJECT, "{'guest': 'hung'}", "");
	hwpoison();
	touched();
	at(1500);
	event("h0", "g1", "guest-link", "g1: it says more lines than anybody could want; cut off",
	      "{'what': 'flood'}");
	at(2500);
	silent("h0");
	at(3000);
	status("h0", "running", "booted");
	end("done");
}

static void is_destroyed(void)
{
	begin(INJECT, CONTAINED, "");
	hwpoison();
	touched();
	at(1100);
	libvirt("h0", "lifecycle", "stopped", "destroyed");
	gone("h0");
	end("done");
}

/* The end of a guest of the trial before, of the same name, is reported late. */
static void namesake_ends(void)
{
	begin(INJECT, "{'guest': 'unharmed'}", "");
	hwpoison();
	touched();
	lives_on("h0");
	at(1400);
	event("h0", "g1", "libvirt", "g1: lifecycle stopped destroyed",
	      "{'guest': 'g1', 'uuid': '22222222-bbbb-4bbb-8bbb-000000000099', 'event': "
	      "'lifecycle', 'state': 'stopped', 'detail': 'destroyed'}");
	end("done");
}

static void reads_wrong_data(void)
{
	begin(INJECT, CONTAINED, "");
	hwpoison();
	touched();
	at(1100);
	event("h0", "g1", "workload", "load: corrupted at 0x7f0000010000",
	      "{'workload': 'load', 'event': 'corrupted'}");
	victim_gets_sigbus();
	lives_on("h0");
	end("done");
}

static void reports_nothing(void)
{
	begin(INJECT, "{'guest': 'unharmed'}", "");
	hwpoison();
	touched();
	at(3000);
	end("done");
}

/* A second of heartbeats is reported after the fault, all of which came before it. */
static void beat_before_the_fault(void)
{
	begin(INJECT, "{'guest': 'unharmed'}", "");
	hwpoison();
	touched();
	at(1300);
	beats("h0", 310);
	status("h0", "running", "booted");
	end("done");
}

static void panics_and_beats(void)
{
	begin(INJECT, "{'guest': 'killed'}", "");
	hwpoison();
	touched();
	at(1100);
	guest_panics();
	at(1500);
	heart_now("h0", 5);
	end("done");
}

static void panics_by_one_sign(void)
{
	begin(INJECT, "{'guest': 'killed'}", "");
	hwpoison();
	touched();
	at(1100);
	console("[   41.2] Kernel panic - not syncing: Fatal local machine check");
	end("done");
}

/* A killed daemon reports nothing, so that a missing report proves nothing. */
static void daemon_dies(const char *expect)
{
	begin("{'inject': {}}", expect, "");
	at(200);
	beats("h0", 0);
	at(900);
	step("inject");
	at(1000);
	put("intent",
	    "{'injector': 'kill', 'arguments': {'what': 'libvirtd', 'restart': 'at-end'}, "
	    "'boot_id': '" BOOT_H0 "', 'host': 'h0'}");
	at(1010);
	put("outcome", "{'injector': 'kill', 'host': 'h0', 'error': 0, 'result': {'ended': true, "
		       "'pid': 500}}");
	event("h0", NULL, "libvirt", "the connection to libvirt broke: its end",
	      "{'event': 'connection-lost', 'detail': 'its end'}");
	at(1300);
	status("h0", "unknown", "no connection to libvirt");
	heart_now("h0", 5);
	end("done");
}

static void daemon_dies_alone(void)
{
	daemon_dies("{'events': {'libvirt': ['connection to libvirt broke']}}");
}

static void daemon_says_nothing(void)
{
	daemon_dies("{'guest': 'unharmed'}");
}

static void bystander_dies(void)
{
	begin(INJECT, CONTAINED, "");
	guest_on("g2", "h0", "22222222-bbbb-4bbb-8bbb-000000000002",
		 "11111111-aaaa-4aaa-8aaa-000000000009");
	hwpoison();
	touched();
	victim_gets_sigbus();
	event("h0", "g2", "guest-console", "Kernel panic - not syncing: Oops", "{'guest': 'g2'}");
	event("h0", "g2", "libvirt", "g2: panicked",
	      "{'guest': 'g2', 'event': 'panicked', 'state': 'crashed', 'detail': 'panicked'}");
	lives_on("h0");
	end("done");
}

static void other_host_dies(void)
{
	begin(INJECT, CONTAINED, "");
	hwpoison();
	touched();
	victim_gets_sigbus();
	lives_on("h0");
	event("h1", NULL, "console", "Kernel panic - not syncing: Oops", "{}");
	event("h1", NULL, "bench", "the host went down by itself", "{'event': 'host-died'}");
	end("done");
}

/* Migrations. */

#define MIGRATE "{'start': 'victim'}, {'migrate': {'guest': 'g1'}}, {'when': {}}"
#define PLAIN(outcome) "{'delivered': false, 'guest': 'unharmed', 'migration': '" outcome "'}"

static void migrate(void)
{
	victim_in_guest();
	at(1000);
	step("migrate");
	at(1100);
	event("h1", "g1", "libvirt", "g1: started migrated",
	      "{'guest': 'g1', 'uuid': '" UUID_G1
	      "', 'event': 'lifecycle', 'state': 'started', 'detail': 'migrated'}");
	event("h0", "g1", "migration", "g1: iteration 1",
	      "{'guest': 'g1', 'event': 'stage', 'stage': 'pre-copy', 'iteration': 1}");
	at(1200);
	step("when");
	at(2000);
	beats("h0", 0);
	event("h0", "g1", "migration", "g1: iteration 3",
	      "{'guest': 'g1', 'event': 'progress', 'stage': 'pre-copy', 'iteration': 3}");
}

static void migration_ends(const char *outcome)
{
	__cleanup_free char *data = format_text(
		"{'guest': 'g1', 'event': 'end', 'stage': '%s', 'outcome': '%s', 'reason': '', "
		"'elapsed_ns': 3000000000, 'downtime_ns': 62000000, 'iteration': 4}",
		outcome, outcome);
	__cleanup_free char *text = format_text("g1: the migration ended: %s", outcome);

	event("h0", "g1", "migration", text, data);
}

/* The last heartbeat at the source is at 3000 ms, the first at the target at 3700 ms. */
static void arrives(const char *boot)
{
	at(3100);
	beats("h0", 100);
	libvirt("h0", "lifecycle", "suspended", "migrated");
	at(3200);
	libvirt("h1", "lifecycle", "resumed", "migrated");
	libvirt("h0", "lifecycle", "stopped", "migrated");
	migration_ends("completed");
	at(3600);
	hello("h1", boot, false);
	at(3650);
	gone("h0");
	at(3700);
	first_beat("h1");
	at(4000);
	silent("h0");
	status("h0", "gone", "migrated");
	status("h1", "running", "migrated");
	heart_now("h1", 5);
}

/* Its own clock went 640 of the 700 ms between the two beats: it stood still for 60, and dialled for the rest. */
static void tells_its_clock(void)
{
	begin(MIGRATE, PLAIN("completed"), "");
	migrate();
	at(3100);
	event("h0", "g1", "heartbeat", "g1: 10 heartbeats, longest time between two 101000 us",
	      "{'what': 'heartbeat', 'beats': 10, 'missed': 0, 'age_ns': 100000000, 'guest_ns': "
	      "50000000000}");
	libvirt("h0", "lifecycle", "suspended", "migrated");
	at(3200);
	libvirt("h1", "lifecycle", "resumed", "migrated");
	libvirt("h0", "lifecycle", "stopped", "migrated");
	migration_ends("completed");
	at(3600);
	hello("h1", BOOT_G1, false);
	gone("h0");
	at(3700);
	event("h1", "g1", "heartbeat", "g1: heard for the first time",
	      "{'what': 'heard', 'first': true, 'guest_ns': 50640000000}");
	at(4000);
	status("h0", "gone", "migrated");
	status("h1", "running", "migrated");
	heart_now("h1", 5);
	end("done");
}

static void tells_of_monitor(const char *host, const char *name)
{
	__cleanup_free char *data = format_text(
		"{'guest': 'g1', 'uuid': '" UUID_G1 "', 'event': 'monitor', 'detail': '%s'}", name);

	event(host, "g1", "libvirt", name, data);
}

static void clock_is_behind(const char *host, long long nanoseconds)
{
	__cleanup_free char *data = format_text(
		"{'event': 'clock', 'offset_ns': %lld, 'error_ns': 100000}", nanoseconds);

	event(host, NULL, "bench", "the clock of the host is behind that of the controller", data);
}

/*
 * It stood still for 500 ms, from 3065 on; its own clock only for 300 of them. Of its beats the promptest at the source came
 * when its clock was at 46990 ms more than the controller's, and the next one was lost. At the target it then got no processor
 * for long. The clock of the target is 3 ms ahead.
 */
static void tells_its_gaps(void)
{
	begin(MIGRATE, PLAIN("completed"), "");
	clock_is_behind("h0", 1000000);
	clock_is_behind("h1", -2000000);
	migrate();
	at(3070);
	tells_of_monitor("h0", "STOP");
	at(3080);
	libvirt("h0", "lifecycle", "suspended", "migrated");
	at(3100);
	event("h0", "g1", "heartbeat", "g1: 10 heartbeats, longest time between two 101000 us",
	      "{'what': 'heartbeat', 'beats': 10, 'missed': 0, 'age_ns': 40000000, 'guest_ns': "
	      "50040000000, 'prompt': {'age_ns': 90000000, 'guest_ns': 50000000000}}");
	at(3560);
	tells_of_monitor("h1", "RESUME");
	libvirt("h1", "lifecycle", "resumed", "migrated");
	libvirt("h0", "lifecycle", "stopped", "migrated");
	migration_ends("completed");
	at(3900);
	hello("h1", BOOT_G1, false);
	gone("h0");
	event("h1", "g1", "heartbeat", "g1: heard for the first time",
	      "{'what': 'heard', 'first': true, 'guest_ns': 50580000000, 'interval_ns': 10000000, "
	      "'gaps': [{'monotonic': 900000000, 'after_ns': 48000000000}, "
	      "{'monotonic': 260000000, 'after_ns': 50300000000}, "
	      "{'monotonic': 205000000, 'after_ns': 50050000000}]}");
	at(4100);
	event("h1", "g1", "heartbeat", "g1: 9 heartbeats, longest time between two 101000 us",
	      "{'what': 'heartbeat', 'beats': 9, 'missed': 0, 'age_ns': 4000000, 'guest_ns': "
	      "50780000000, 'prompt': {'age_ns': 100000000, 'guest_ns': 50690000000}}");
	status("h0", "gone", "migrated");
	status("h1", "running", "migrated");
	heart_now("h1", 5);
	end("done");
}

/* Long enough to count as silent: it is not, while it moves. */
static void is_away_for_long(void)
{
	begin(MIGRATE, PLAIN("completed"), "");
	migrate();
	at(3000);
	beats("h0", 0);
	libvirt("h0", "lifecycle", "suspended", "migrated");
	at(4000);
	silent("h0");
	at(4400);
	gone("h0");
	libvirt("h1", "lifecycle", "resumed", "migrated");
	libvirt("h0", "lifecycle", "stopped", "migrated");
	migration_ends("completed");
	hello("h1", BOOT_G1, false);
	at(4500);
	first_beat("h1");
	status("h1", "running", "migrated");
	heart_now("h1", 0);
	end("done");
}

static void completes(void)
{
	begin(MIGRATE, PLAIN("completed"), "");
	migrate();
	arrives(BOOT_G1);
	end("done");
}

static void another_boot_arrives(void)
{
	begin(MIGRATE, PLAIN("completed"), "");
	migrate();
	arrives(BOOT_OTHER);
	end("done");
}

static void ends_at_source(const char *outcome)
{
	migrate();
	at(3000);
	event("h1", "g1", "libvirt", "g1: crashed stopped failed",
	      "{'guest': 'g1', 'uuid': '" UUID_G1
	      "', 'event': 'crashed', 'state': 'stopped', 'detail': 'failed'}");
	migration_ends(outcome);
	at(3500);
	status("h0", "running", "booted");
	status("h1", "gone", "");
	heart_now("h0", 5);
	end("done");
}

static void is_refused(void)
{
	begin(MIGRATE, PLAIN("refused"), "");
	ends_at_source("refused");
}

static void is_cancelled(void)
{
	begin(MIGRATE, PLAIN("cancelled"), "");
	ends_at_source("cancelled");
}

static void fails(void)
{
	begin(MIGRATE, PLAIN("completed"), "");
	ends_at_source("failed");
}

static void kill_qemu(const char *host)
{
	__cleanup_free char *intent =
		format_text("{'injector': 'kill', 'arguments': {'what': 'qemu', 'guest': 'g1'}, "
			    "'guest': 'g1', 'boot_id': '%s', 'host': '%s'}",
			    strcmp(host, "h0") == 0 ? BOOT_H0 : BOOT_H1, host);

	at(2500);
	step("inject");
	put("intent", intent);
	at(2510);
	put("outcome", "{'injector': 'kill', 'error': 0, 'result': {'ended': true, 'pid': 901}}");
}

/* The stream of the guest breaks before the injector has answered. */
static void dies_at_once(void)
{
	begin("{'inject': {}}", "{'guest': 'killed', 'host': 'up'}", "");
	at(2500);
	step("inject");
	put("intent", "{'injector': 'kill', 'arguments': {'what': 'qemu', 'guest': 'g1'}, 'guest': "
		      "'g1', 'boot_id': '" BOOT_H0 "', 'host': 'h0'}");
	at(2505);
	gone("h0");
	at(2510);
	put("outcome", "{'injector': 'kill', 'error': 0, 'result': {'ended': true, 'pid': 901}}");
	at(2700);
	libvirt("h0", "crashed", "stopped", "failed");
	status("h0", "gone", "failed");
	end("done");
}

#define KILL "{'migrate': {'guest': 'g1'}}, {'inject': {}}"

static void qemu_of_target_dies(void)
{
	begin(KILL, "{'guest': 'unharmed', 'migration': 'failed', 'host': 'up'}", "");
	migrate();
	kill_qemu("h1");
	at(2600);
	event("h1", NULL, "libvirt", "the connection to libvirt broke", "{'event': 'connected'}");
	event("h1", "g1", "libvirt", "g1: crashed stopped failed",
	      "{'guest': 'g1', 'uuid': '" UUID_G1
	      "', 'event': 'crashed', 'state': 'stopped', 'detail': 'failed'}");
	migration_ends("failed");
	at(3500);
	status("h0", "running", "booted");
	heart_now("h0", 5);
	end("done");
}

static void qemu_of_source_dies(void)
{
	begin(KILL, "{'guest': 'killed', 'migration': 'failed'}", "");
	migrate();
	kill_qemu("h0");
	at(2600);
	libvirt("h0", "crashed", "stopped", "failed");
	gone("h0");
	migration_ends("failed");
	end("done");
}

/* No fault, and the guest is on no host. */
static void is_lost(void)
{
	begin(MIGRATE, PLAIN("completed"), "");
	migrate();
	at(3000);
	libvirt("h0", "crashed", "stopped", "failed");
	gone("h0");
	migration_ends("failed");
	at(3500);
	status("h0", "gone", "failed");
	status("h1", "gone", "failed");
	end("done");
}

/* In post-copy the source dies, and the guest stands still at the target for ever. */
static void waits_for_pages(void)
{
	begin("{'migrate': {'guest': 'g1'}}, {'post-copy': 'g1'}, {'inject': {}}",
	      "{'host': 'died', 'migration': 'completed'}", "");
	migrate();
	at(2100);
	libvirt("h0", "lifecycle", "suspended", "postcopy");
	libvirt("h1", "lifecycle", "resumed", "postcopy");
	hello("h1", BOOT_G1, false);
	first_beat("h1");
	at(2500);
	put("intent",
	    "{'injector': 'panic', 'arguments': {}, 'boot_id': '" BOOT_H0 "', 'host': 'h0'}");
	at(2600);
	event("h0", NULL, "console", "Kernel panic - not syncing: sysrq triggered crash", "{}");
	event("h0", NULL, "bench", "the host went down by itself", "{'event': 'host-died'}");
	libvirt("h1", "lifecycle", "suspended", "postcopy-failed");
	at(3600);
	silent("h1");
	status("h1", "paused", "postcopy-failed");
	end("done");
}

#define POST_COPY "{'migrate': {'guest': 'g1'}}, {'post-copy': 'g1'}"

static void switches_over(void)
{
	migrate();
	at(2100);
	step("post-copy");
	event("h0", "g1", "migration", "g1: post-copy",
	      "{'guest': 'g1', 'event': 'stage', 'stage': 'post-copy', 'iteration': 3}");
	libvirt("h0", "lifecycle", "suspended", "postcopy");
	libvirt("h1", "lifecycle", "resumed", "postcopy");
	at(2200);
	hello("h1", BOOT_G1, false);
	at(2250);
	first_beat("h1");
}

static void completes_in_post_copy(void)
{
	begin(POST_COPY, PLAIN("completed"), "");
	switches_over();
	at(4000);
	migration_ends("completed");
	libvirt("h0", "lifecycle", "stopped", "migrated");
	status("h1", "running", "migrated");
	heart_now("h1", 5);
	end("done");
}

/* On one host: the guest is at the same place before and after, only its domain is another one. */
static void moves_on_its_host(const char *outcome, const char *detail, bool speaks)
{
	__cleanup_free char *data =
		format_text("{'guest': 'g1', 'event': 'end', 'stage': '%s', 'outcome': '%s', "
			    "'local': true, 'iteration': 3, 'elapsed_ns': 3000000000}",
			    outcome, outcome);

	migrate();
	at(2900);
	libvirt("h0", "lifecycle", "suspended", "migrated");
	at(3000);
	if (speaks) {
		gone("h0");
		libvirt("h0", "lifecycle", "resumed", detail);
	}
	event("h0", "g1", "migration", "g1: migration ended", data);
	at(3500);
	if (speaks && strcmp(outcome, "completed") == 0)
		hello("h0", BOOT_G1, false);
	if (speaks) {
		status("h0", "running", "");
		heart_now("h0", 5);
	}
	end("done");
}

static void completes_on_its_host(void)
{
	begin(MIGRATE, PLAIN("completed"), "");
	moves_on_its_host("completed", "migrated", true);
}

static void completes_on_its_host_unseen(void)
{
	begin(MIGRATE, PLAIN("completed"), "");
	moves_on_its_host("completed", "migrated", false);
}

static void fails_on_its_host(void)
{
	begin(MIGRATE, PLAIN("failed"), "");
	moves_on_its_host("failed", "migration-cancelled", true);
}

static void is_one_of_several(void)
{
	begin(INJECT, "{'delivered': true, 'guest': ['contained', 'killed']}", "");
	hwpoison();
	touched();
	victim_gets_sigbus();
	lives_on("h0");
	end("done");
}

static void is_none_of_several(void)
{
	begin(INJECT, "{'delivered': true, 'guest': ['contained', 'killed']}", "");
	hwpoison();
	touched();
	at(1100);
	event("h0", "g1", "workload", "victim: touched",
	      "{'workload': 'victim', 'event': 'touched', 'value_ok': true, 'data': 'intact'}");
	lives_on("h0");
	end("done");
}

static void is_ended_by_hypervisor(void)
{
	begin(INJECT, "{'delivered': true, 'guest': 'killed'}", "");
	hwpoison();
	touched();
	at(1100);
	libvirt("h0", "crashed", "stopped", "killed");
	silent("h0");
	at(1200);
	status("h0", "gone", "");
	end("done");
}

/* It sends heartbeats at the target, and libvirt reports it as running, but not all of its memory is there. */
static void is_still_in_post_copy(void)
{
	begin(POST_COPY, PLAIN("completed"), "");
	switches_over();
	at(4000);
	status("h1", "running", "postcopy");
	heart_now("h1", 5);
	end("done");
}

/* The source is gone with the rest of its memory; libvirt goes on calling it running. */
static void stands_still(void)
{
	begin(POST_COPY, PLAIN("completed"), "");
	switches_over();
	at(3000);
	libvirt("h0", "crashed", "stopped", "failed");
	migration_ends("failed");
	at(3300);
	silent("h1");
	at(4000);
	status("h1", "running", "postcopy");
	end("done");
}

/* It goes on for as long as it needs none of the pages that were never sent. */
static void lives_on_what_it_has(void)
{
	begin(POST_COPY, PLAIN("completed"), "");
	switches_over();
	at(3000);
	libvirt("h0", "crashed", "stopped", "failed");
	migration_ends("failed");
	at(4000);
	status("h1", "running", "postcopy-failed");
	heart_now("h1", 5);
	end("done");
}

static void only_source_tells(void)
{
	begin(MIGRATE, "{'delivered': false, 'migration': 'completed'}", "");
	migrate();
	at(3000);
	migration_ends("completed");
	at(5000);
	end("done");
}

/* The source reports a failure; no witness reports whether the guest survived. */
static void nobody_saw_it_since(void)
{
	begin(MIGRATE, "{'delivered': false, 'migration': 'failed'}", "");
	migrate();
	at(3000);
	migration_ends("failed");
	at(5000);
	end("done");
}

/* The bench breaks down: what was read before is wrong all the same. */
static void reads_wrong_data_and_ends(void)
{
	begin(INJECT, CONTAINED, "");
	victim_in_guest();
	event("h0", "g1", "workload", "load: corrupted at 0x7f0000010000",
	      "{'workload': 'load', 'event': 'corrupted'}");
	end("infra");
}

static void runs_on_both(void)
{
	begin(MIGRATE, "{'delivered': false, 'migration': 'completed'}", "");
	migrate();
	arrives(BOOT_G1);
	at(4500);
	status("h0", "running", "booted");
	end("done");
}

static void trigger_is_missed(void)
{
	begin("{'migrate': {'guest': 'g1'}}, {'when': {}}, {'inject': {}}",
	      "{'guest': 'contained'}", "");
	migrate();
	arrives(BOOT_G1);
	event("h0", "g1", "engine",
	      "the migration ended (completed) before migration.iteration >= 9",
	      "{'event': 'trigger-missed'}");
	end("trigger-missed");
}

/* Versions, and what is known of them. */

#define REFUSED_SINCE_9                                                                            \
	", 'versions': [{'when': {'xen': '>=4'}, 'expect': {}}, {'when': {'qemu': '>=99'}, "       \
	"'expect': {'migration': 'lost'}}, {'when': {'qemu': '>=9.0', 'kernel': '>=7.0', "         \
	"'libvirt': '>=10'}, 'expect': {'migration': 'refused'}}]"
#define KNOWN(qemu)                                                                                \
	", 'known-failure': {'qemu': '" qemu                                                       \
	"', 'code': ['migration-failed'], 'reason': 'QEMU gives up too early, "                    \
	"migration/ram.c'}"

static void differs_by_version(void)
{
	begin(MIGRATE, PLAIN("completed"), REFUSED_SINCE_9);
	ends_at_source("refused");
}

static void version_is_unknown(void)
{
	json_t *body;

	begin(MIGRATE, PLAIN("completed"), REFUSED_SINCE_9);
	body = json_object_get(json_array_get(script.records, json_array_size(script.records) - 1),
			       "body");
	json_object_del(json_object_get(body, "facts"), "qemu");
	ends_at_source("refused");
}

static void fails_as_known(void)
{
	begin(MIGRATE, PLAIN("completed"), KNOWN(">=10.0"));
	ends_at_source("failed");
}

static void fails_in_another_version(void)
{
	begin(MIGRATE, PLAIN("completed"), KNOWN("<10.0"));
	ends_at_source("failed");
}

static void no_longer_fails(void)
{
	begin(MIGRATE, PLAIN("completed"), KNOWN(">=10.0"));
	migrate();
	arrives(BOOT_G1);
	end("done");
}

static const struct guest_case {
	const char *name;
	void (*write)(void);
} guest_cases[] = {
	{"pass-guest-unharmed", unharmed},
	{"pass-guest-contained", contained},
	{"pass-guest-machine-check", machine_check_of_guest},
	{"pass-guest-corrected", corrected_and_traced},
	{"inconclusive-guest-moved-under-fault", moved_under_fault},
	{"fail-guest-moved-before-fault", moved_before_fault},
	{"inconclusive-guest-corrected-elsewhere", corrected_elsewhere},
	{"inconclusive-guest-corrected-untraced", corrected_without_trace},
	{"inconclusive-guest-polled-alone", polled_alone},
	{"pass-guest-killed-by-panic", killed_by_panic},
	{"pass-guest-killed-by-reboot", killed_by_reboot},
	{"inconclusive-guest-says-it-rebooted", says_it_rebooted},
	{"pass-guest-killed-with-host", killed_with_host},
	{"pass-guest-hung", hangs},
	{"fail-guest-qemu-crash", qemu_crashes},
	{"pass-guest-killed-by-hypervisor", is_ended_by_hypervisor},
	{"pass-guest-one-of-several", is_one_of_several},
	{"fail-guest-none-of-several", is_none_of_several},
	{"fail-guest-killed-for-memory", runs_out_of_memory},
	{"fail-guest-destroyed", is_destroyed},
	{"fail-guest-corrupted", reads_wrong_data},
	{"inconclusive-guest-cut-off", is_cut_off},
	{"pass-guest-namesake-ends", namesake_ends},
	{"fail-guest-bystander-died", bystander_dies},
	{"fail-guest-other-host-died", other_host_dies},
	{"inconclusive-guest-reports-nothing", reports_nothing},
	{"inconclusive-guest-beat-before-fault", beat_before_the_fault},
	{"inconclusive-guest-panics-and-beats", panics_and_beats},
	{"inconclusive-guest-one-sign-of-death", panics_by_one_sign},
	{"inconclusive-guest-another-page", another_page_of_guest},
	{"inconclusive-guest-frame-on-host", guest_line_on_host},
	{"pass-libvirt-daemon-killed", daemon_dies_alone},
	{"inconclusive-libvirt-silent", daemon_says_nothing},
	{"pass-migration-completed", completes},
	{"pass-migration-local", completes_on_its_host},
	{"inconclusive-migration-local-unseen", completes_on_its_host_unseen},
	{"pass-migration-local-failed", fails_on_its_host},
	{"pass-migration-long-downtime", is_away_for_long},
	{"pass-migration-refused", is_refused},
	{"pass-migration-cancelled", is_cancelled},
	{"pass-migration-failed-at-target", qemu_of_target_dies},
	{"pass-migration-guest-killed", qemu_of_source_dies},
	{"fail-migration-failed", fails},
	{"fail-migration-lost", is_lost},
	{"fail-migration-lost-in-post-copy", waits_for_pages},
	{"fail-migration-another-boot", another_boot_arrives},
	{"fail-migration-torn-in-post-copy", lives_on_what_it_has},
	{"pass-migration-post-copy", completes_in_post_copy},
	{"pass-guest-killed-at-once", dies_at_once},
	{"pass-migration-own-clock", tells_its_clock},
	{"pass-migration-gaps", tells_its_gaps},
	{"inconclusive-migration-post-copy-goes-on", is_still_in_post_copy},
	{"fail-migration-stands-still", stands_still},
	{"inconclusive-migration-only-source", only_source_tells},
	{"inconclusive-migration-failed-unseen", nobody_saw_it_since},
	{"fail-guest-corrupted-before", reads_wrong_data_and_ends},
	{"inconclusive-migration-runs-twice", runs_on_both},
	{"inconclusive-migration-trigger-missed", trigger_is_missed},
	{"pass-version-refuses", differs_by_version},
	{"fail-version-unknown", version_is_unknown},
	{"fail-known-failure", fails_as_known},
	{"fail-known-in-another-version", fails_in_another_version},
	{"pass-known-failure-fixed", no_longer_fails},
};

/* Return: the records of a case, without numbers and checksums; owned by the caller */
static json_t *record_case(const struct guest_case *each)
{
	script.records = json_array();
	each->write();
	return script.records;
}

/* Return: the journal of a case; owned by the caller */
static char *write_case(const struct guest_case *each)
{
	__cleanup_json json_t *records = record_case(each);
	char *journal = strdup("");
	json_t *record;
	size_t index;

	json_array_foreach (records, index, record) {
		__cleanup_free char *line = journal_encode(
			index + 1, json_number(record, "time_ns", 0), json_text(record, "type", ""),
			json_text(record, "trial", NULL), json_object_get(record, "body"));
		char *longer = format_text("%s%s", journal, line ? line : "");

		free(journal);
		journal = longer;
	}
	return journal;
}

/* Return: the records of a case as they are read from its journal; owned by the caller */
static json_t *tell_case(const struct guest_case *each)
{
	__cleanup_free char *journal = write_case(each);
	json_t *records = NULL;

	if (journal_parse(journal, strlen(journal), &records, NULL, NULL))
		abort();
	return records;
}

#endif
