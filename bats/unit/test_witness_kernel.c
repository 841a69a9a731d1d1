// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the witnesses against a fake machine: losses of the kernel log, interrupt counts of many processors,
 * trace lines of old and new kernels, and what changes only in comparison.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/witness/witness.h"
#include "bats/unit/fake_root.h"

static json_t *seen;

static void keep(void *context, const char *witness, int64_t time_ns, const char *text,
		 json_t *data)
{
	(void)context;
	json_array_append_new(seen,
			      json_pack("{s:s, s:I, s:s, s:o*}", "witness", witness, "time_ns",
					(json_int_t)time_ns, "text", text, "data", data));
}

/* Return: the end to write to; the witness reads the other one, without blocking. */
static int put_pipe(const char *path)
{
	int fd;

	/* A pipe that is there already would block an open for writing. */
	(void)unlink(place(path));
	put(path, "");
	assert_int_equal(unlink(place(path)), 0);
	assert_int_equal(mkfifo(place(path), 0600), 0);
	fd = open(place(path), O_RDWR | O_CLOEXEC | O_NONBLOCK);
	assert_true(fd >= 0);
	return fd;
}

static const struct witness *start(struct witness_run *run, const char *name)
{
	const struct witness *witness = witness_find(name);
	struct reason why = {0};

	assert_non_null(witness);
	*run = (struct witness_run){.fd = -1, .emit = keep};
	if (witness->start(run, &why))
		fail_msg("%s: %s", name, why.text);
	return witness;
}

static const json_t *nth(size_t index)
{
	const json_t *event = json_array_get(seen, index);

	if (!event)
		fail_msg("only %zu events were seen", json_array_size(seen));
	return event;
}

static const json_t *data_of(size_t index)
{
	return json_object_get(nth(index), "data");
}

static void say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void kmsg_reports_records_and_losses(void **state)
{
	struct witness_run run;
	int log = put_pipe("/dev/kmsg");
	const struct witness *witness = start(&run, "kmsg");
	char line[128];

	(void)state;
	snprintf(line, sizeof(line), "2,100,%" PRId64 ",-;mce: [Hardware Error]: x\n SUBSYSTEM=a\n",
		 now_monotonic_ns() / 1000);
	say(log, line);
	witness->dispatch(&run);
	say(log, "6,101,5,-;Memory failure: 0x5000: Recovered\n");
	witness->dispatch(&run);
	say(log, "14,105,6,c;after the gap\n");
	witness->dispatch(&run);
	say(log, "rubbish without a header\n");
	witness->dispatch(&run);
	witness->collect(&run);
	assert_int_equal(json_array_size(seen), 4);
	assert_string_equal(json_text(nth(0), "text", ""), "mce: [Hardware Error]: x");
	assert_int_equal(json_number(data_of(0), "seq", -1), 100);
	assert_int_equal(json_number(data_of(0), "level", -1), 2);
	/* A record with the present time is present: the two clocks are distinguished. */
	assert_true(llabs(json_number(nth(0), "time_ns", 0) - now_realtime_ns()) < NSEC_PER_SEC);
	assert_string_equal(json_text(nth(1), "text", ""), "Memory failure: 0x5000: Recovered");
	assert_string_equal(json_text(nth(2), "text", ""), "3 kernel log records lost");
	assert_int_equal(json_number(data_of(2), "lost", -1), 3);
	/* The facility is no part of the level. */
	assert_int_equal(json_number(data_of(3), "level", -1), 6);
	assert_int_equal(json_number(data_of(3), "facility", -1), 1);
	assert_int_equal(json_number(data_of(0), "facility", -1), 0);
	witness->stop(&run);
	close(log);
}

/* What the kernel escapes is the text that it was given. */
static void kmsg_reads_escaped_bytes(void **state)
{
	static const char *const records[][2] = {
		{"rcu: \\x090-....: (5249 ticks this GP)", "rcu: \t0-....: (5249 ticks this GP)"},
		{"usb 1-1: Product: Ger\\xc3\\xa4t", "usb 1-1: Product: Ger\xc3\xa4t"},
		{"C:\\x5cx41 \\x5c", "C:\\x41 \\"},
		{"one\\x0atwo", "one\ntwo"},
		{"\\x", "\\x"},
		{"\\x4", "\\x4"},
		{"\\xzz \\n", "\\xzz \\n"},
		{"a\\x00b", "a\\x00b"},
	};
	struct witness_run run;
	int log = put_pipe("/dev/kmsg");
	const struct witness *witness = start(&run, "kmsg");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		__cleanup_free char *record = format_text("6,%zu,5,-;%s\n", i, records[i][0]);

		say(log, record);
		witness->dispatch(&run);
		assert_string_equal(json_text(nth(i), "text", ""), records[i][1]);
	}
	witness->stop(&run);
	close(log);
}

static void put_interrupts(unsigned int processors, unsigned int mce, unsigned int dmar)
{
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	fputs("    ", file);
	for (unsigned int i = 0; i < processors; i++)
		fprintf(file, "      CPU%u", i);
	fputs("\n  24:", file);
	for (unsigned int i = 0; i < processors; i++)
		fprintf(file, " %10u", i ? 0 : dmar);
	fputs("  DMAR-MSI    0-edge      dmar0\n  25:", file);
	for (unsigned int i = 0; i < processors; i++)
		fprintf(file, " %10u", i ? 0 : dmar);
	fputs("  IR-PCI-MSI-0000:00:00.2    0-edge      AMD-Vi0-Evt\n MCE:", file);
	for (unsigned int i = 0; i < processors; i++)
		fprintf(file, " %10u", mce);
	fputs("   Machine check exceptions\n MCP:", file);
	for (unsigned int i = 0; i < processors; i++)
		fprintf(file, " %10u", 7u);
	fputs("   Machine check polls\n ERR:          0\n", file);
	fclose(file);
	put("/proc/interrupts", text);
	free(text);
}

static void interrupts_sum_many_processors(void **state)
{
	struct witness_run run;
	const struct witness *witness;
	const json_t *change;

	(void)state;
	put_interrupts(300, 1, 0);
	witness = start(&run, "interrupts");
	witness->collect(&run);
	assert_int_equal(json_array_size(seen), 0);
	put_interrupts(300, 2, 3);
	witness->collect(&run);
	assert_int_equal(json_array_size(seen), 1);
	change = json_object_get(data_of(0), "MCE");
	assert_int_equal(json_number(change, "before", -1), 300);
	assert_int_equal(json_number(change, "after", -1), 600);
	assert_int_equal(json_number(json_object_get(data_of(0), "dmar0"), "after", -1), 3);
	assert_int_equal(json_number(json_object_get(data_of(0), "AMD-Vi0-Evt"), "after", -1), 3);
	assert_null(json_object_get(data_of(0), "MCP"));
	assert_non_null(strstr(json_text(nth(0), "text", ""), "MCE +300"));
	/* The same again is no news. */
	witness->collect(&run);
	assert_int_equal(json_array_size(seen), 1);
	/* A processor brings counts along that are no news: what came meanwhile is not known. */
	put_interrupts(301, 2, 3);
	witness->collect(&run);
	assert_int_equal(json_array_size(seen), 2);
	assert_int_equal(json_number(data_of(1), "lost", 0), 1);
	put_interrupts(301, 3, 3);
	witness->collect(&run);
	change = json_object_get(data_of(2), "MCE");
	assert_int_equal(json_number(change, "before", -1), 602);
	assert_int_equal(json_number(change, "after", -1), 903);
	witness->stop(&run);
}

static bool counts_iommu_faults(const char *interrupts)
{
	__cleanup_json json_t *findings = json_array();
	const json_t *finding;

	put("/proc/interrupts", interrupts);
	witness_find("interrupts")->probe(findings);
	finding = json_array_get(findings, 0);
	assert_string_equal(json_text(finding, "name", ""), "interrupts:iommu");
	return json_is_true(json_object_get(finding, "ok"));
}

static void only_rows_of_faults_alone_count_them(void **state)
{
	(void)state;
	assert_true(counts_iommu_faults("     CPU0\n 24:  0  DMAR-MSI  1-edge  dmar1\n"));
	assert_true(counts_iommu_faults("     CPU0\n 24:  0  AMD-Vi0-Evt\n"));
	assert_false(counts_iommu_faults("     CPU0\n 24:  0  DMAR-MSI  1-edge  dmar1-prq\n"));
	assert_false(counts_iommu_faults("     CPU0\n 24:  0  PCI-MSI  0-edge  AMD-Vi\n"));
}

static void meminfo_reports_the_difference(void **state)
{
	struct witness_run run;
	const struct witness *witness;
	const json_t *change;

	(void)state;
	put("/proc/meminfo", "MemTotal: 100 kB\nHardwareCorrupted:     8 kB\nHugetlb: 0 kB\n");
	witness = start(&run, "meminfo");
	witness->collect(&run);
	put("/proc/meminfo", "MemTotal: 100 kB\nHardwareCorrupted:    12 kB\nHugetlb: 0 kB\n");
	witness->collect(&run);
	witness->collect(&run);
	assert_int_equal(json_array_size(seen), 1);
	change = json_object_get(data_of(0), "HardwareCorrupted");
	assert_int_equal(json_number(change, "before", -1), 8);
	assert_int_equal(json_number(change, "after", -1), 12);
	assert_string_equal(json_text(nth(0), "text", ""), "HardwareCorrupted +4 kB");
	/* Below 0: no growth, but no number of the kernel's that a verdict could rest on. */
	put("/proc/meminfo", "HardwareCorrupted:    18446744073709551612 kB\n");
	witness->collect(&run);
	change = json_object_get(data_of(1), "HardwareCorrupted");
	assert_int_equal(json_number(change, "after", 0), -4);
	assert_string_equal(json_text(nth(1), "text", ""), "HardwareCorrupted -12 kB");
	witness->stop(&run);
}

static void pageflags_follow_the_focus(void **state)
{
	__cleanup_json json_t *focus = json_pack("{s:s}", "pfn", "0x3");
	uint64_t flags[4] = {[3] = 0x868};
	struct witness_run run;
	const struct witness *witness;

	(void)state;
	put_bytes("/proc/kpageflags", flags, sizeof(flags));
	witness = start(&run, "pageflags");
	witness->collect(&run);
	run.focus = focus;
	witness->collect(&run);
	assert_int_equal(json_array_size(seen), 0);
	flags[3] = 1u << 19 | 0x4;
	put_bytes("/proc/kpageflags", flags, sizeof(flags));
	witness->collect(&run);
	assert_int_equal(json_array_size(seen), 1);
	assert_true(json_is_true(json_object_get(data_of(0), "hwpoison")));
	assert_string_equal(json_text(data_of(0), "pfn", ""), "0x3");
	assert_string_equal(json_text(data_of(0), "before", ""), "0x868");
	assert_string_equal(json_text(data_of(0), "after", ""), "0x80004");
	witness->stop(&run);
}

/* A tracefs that has the event in this system only. */
static int put_tracing(const char *system)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/tracing/instances/brinell-%d/trace_pipe",
		 (int)getpid());
	fd = put_pipe(path);
	snprintf(path, sizeof(path),
		 "/sys/kernel/tracing/instances/brinell-%d/events/mce/mce_record/enable",
		 (int)getpid());
	put(path, "0");
	snprintf(path, sizeof(path),
		 "/sys/kernel/tracing/instances/brinell-%d/events/%s/memory_failure_event/enable",
		 (int)getpid(), strcmp(system, "ras") == 0 ? "memory_failure" : "ras");
	(void)unlink(place(path));
	snprintf(path, sizeof(path),
		 "/sys/kernel/tracing/instances/brinell-%d/events/%s/memory_failure_event/enable",
		 (int)getpid(), system);
	put(path, "0");
	return fd;
}

static void trace_reads_events_and_losses(void **state)
{
	static const char *const systems[] = {"ras", "memory_failure"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(systems); i++) {
		__cleanup_free char *name = format_text("%s:memory_failure_event", systems[i]);
		struct witness_run run;
		int pipe = put_tracing(systems[i]);
		const struct witness *witness = start(&run, "trace");

		json_array_clear(seen);
		/* The end of a line may come later than its begin. */
		say(pipe,
		    "     kworker/0:1-93      [000] d..1.     12.345678: memory_failure_event: "
		    "pfn 0x5000: recovery action for dirty LRU page: Reco");
		witness->dispatch(&run);
		assert_int_equal(json_array_size(seen), 0);
		say(pipe, "vered\nCPU:1 [LOST 12 EVENTS]\nCPU:0 [LOST EVENTS]\n"
			  "  <...>-9  [001] .....     12.5: mce_record: CPU: 1, MCGc/s: 0/0, MC5: "
			  "bd000000000000c0, ADDR/MISC/SYND: 0000000005000400/8c/0, RIP: 0\n");
		witness->dispatch(&run);
		assert_int_equal(json_array_size(seen), 4);
		assert_string_equal(json_text(data_of(0), "event", ""), name);
		assert_int_equal(json_number(json_object_get(data_of(0), "fields"), "pfn", 0),
				 0x5000);
		assert_non_null(strstr(json_text(nth(0), "text", ""), "Recovered"));
		assert_int_equal(json_number(data_of(1), "lost", 0), 12);
		assert_int_equal(json_number(data_of(2), "lost", 0), 1);
		assert_string_equal(json_text(data_of(3), "event", ""), "mce:mce_record");
		assert_int_equal(json_number(json_object_get(data_of(3), "fields"), "addr", 0),
				 0x5000400);
		assert_string_equal(json_text(json_object_get(data_of(3), "fields"), "status", ""),
				    "0xbd000000000000c0");
		witness->stop(&run);
		/* The instance stays until the agent ends; what comes meanwhile is no evidence of the next trial. */
		say(pipe,
		    "  <...>-9  [001] .....     12.6: memory_failure_event: pfn 0x6000: stale\n");
		json_array_clear(seen);
		witness = start(&run, "trace");
		witness->dispatch(&run);
		assert_int_equal(json_array_size(seen), 0);
		witness->stop(&run);
		witness->release();
		close(pipe);
	}
}

/* Fields have the names of the format file, and a process the name that it likes. */
static void trace_reads_fields_by_the_format(void **state)
{
	struct witness_run run;
	int pipe = put_tracing("ras");
	const struct witness *witness;
	char path[256];

	(void)state;
	snprintf(path, sizeof(path),
		 "/sys/kernel/tracing/instances/brinell-%d/events/ras/extlog_mem_event/enable",
		 (int)getpid());
	put(path, "0");
	snprintf(path, sizeof(path),
		 "/sys/kernel/tracing/instances/brinell-%d/events/ras/extlog_mem_event/format",
		 (int)getpid());
	put(path, "name: extlog_mem_event\nID: 1\nformat:\n\tfield:u64 pa;\n\n"
		  "print fmt: \"{%d} %s error: %s physical addr: %016llx (mask lsb: %x) \" "
		  "\"%sFRU: %pUl %.20s\", REC->err_seq, cper_severity_str(REC->sev), "
		  "cper_mem_err_type_str(REC->etype), REC->pa, REC->pa_mask_lsb, "
		  "cper_mem_err_unpack(p, &REC->data), &REC->fru_id, __get_str(fru_text)\n");
	witness = start(&run, "trace");
	say(pipe,
	    "   gunicorn: worke-31570   [007] d.h..   112.345678: extlog_mem_event: {1} Corrected "
	    "error: single-bit ECC physical addr: 00000003a5d7a040 (mask lsb: c) node: 1 "
	    "FRU: 00000000-0000-0000-0000-000000000000 x\n");
	say(pipe, "       CPU 3/KVM-31570     [007] d.h..   112.345678: memory_failure_event: pfn "
		  "0x11a3f4: recovery action for dirty LRU page: Recovered\n");
	witness->dispatch(&run);
	assert_int_equal(json_array_size(seen), 2);
	assert_string_equal(json_text(data_of(0), "event", ""), "ras:extlog_mem_event");
	assert_string_equal(json_text(json_object_get(data_of(0), "fields"), "pa", ""),
			    "0x3a5d7a040");
	assert_int_equal(json_number(json_object_get(data_of(0), "fields"), "err_seq", 0), 1);
	assert_string_equal(json_text(json_object_get(data_of(0), "fields"), "sev", ""),
			    "Corrected");
	assert_int_equal(json_number(json_object_get(data_of(0), "fields"), "pa_mask_lsb", 0), 12);
	assert_int_equal(json_number(json_object_get(data_of(1), "fields"), "pfn", 0), 0x11a3f4);
	witness->stop(&run);
	witness->release();
	close(pipe);
}

static void missing_sources_are_reported(void **state)
{
	static const char *const names[] = {"kmsg", "trace", "interrupts", "meminfo", "pageflags"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct witness *witness = witness_find(names[i]);
		struct witness_run run = {.fd = -1, .emit = keep};
		__cleanup_json json_t *findings = json_array();
		struct reason why = {0};

		assert_non_null(witness);
		assert_true(witness->start(&run, &why) < 0);
		assert_true(why.text[0]);
		witness->probe(findings);
		assert_true(json_array_size(findings) > 0);
		assert_true(json_is_false(json_object_get(json_array_get(findings, 0), "ok")));
		assert_true(json_text(json_array_get(findings, 0), "remedy", "")[0]);
	}
}

static int start_seeing(void **state)
{
	seen = json_array();
	return make_root(state);
}

static int stop_seeing(void **state)
{
	json_decref(seen);
	return remove_root(state);
}

#define MACHINE_TEST(function) cmocka_unit_test_setup_teardown(function, start_seeing, stop_seeing)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(kmsg_reports_records_and_losses),
		MACHINE_TEST(kmsg_reads_escaped_bytes),
		MACHINE_TEST(interrupts_sum_many_processors),
		MACHINE_TEST(only_rows_of_faults_alone_count_them),
		MACHINE_TEST(meminfo_reports_the_difference),
		MACHINE_TEST(pageflags_follow_the_focus),
		MACHINE_TEST(trace_reads_events_and_losses),
		MACHINE_TEST(trace_reads_fields_by_the_format),
		MACHINE_TEST(missing_sources_are_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
