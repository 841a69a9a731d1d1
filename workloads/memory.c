// SPDX-License-Identifier: GPL-2.0-only
/*
 * memory: a process that owns a page of a chosen kind and touches it in a chosen way. This is the agent's side, which
 * waits for the victim only with a deadline, because a victim may hang in the kernel forever.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "harness/host/machine.h"
#include "workloads/memory.h"

#define READY_NS (8 * NSEC_PER_SEC)
#define HUGE_PAGES "/sys/kernel/mm/hugepages/hugepages-2048kB"

static const char *const pages[] = {
	[PAGE_ANONYMOUS] = "anonymous",	    [PAGE_THP] = "thp",
	[PAGE_HUGETLB] = "hugetlb",	    [PAGE_SHARED] = "shared",
	[PAGE_MLOCKED] = "mlocked",	    [PAGE_FILE_CLEAN] = "file-clean",
	[PAGE_FILE_DIRTY] = "file-dirty",   [PAGE_TMPFS] = "tmpfs",
	[PAGE_INSTRUCTION] = "instruction", NULL,
};

static const char *const touches[] = {
	[TOUCH_LOAD] = "load",		 [TOUCH_STORE] = "store",
	[TOUCH_EXECUTE] = "execute",	 [TOUCH_COPYIN] = "copyin",
	[TOUCH_COPYOUT] = "copyout",	 [TOUCH_COPY_ON_WRITE] = "copy-on-write",
	[TOUCH_THREADS] = "threads",	 [TOUCH_PREFETCH] = "prefetch",
	[TOUCH_UNALIGNED] = "unaligned", [TOUCH_MEMCPY] = "memcpy",
	[TOUCH_FUTEX] = "futex",	 [TOUCH_FULL_STORE] = "full-store",
	[TOUCH_NONE] = "none",		 NULL,
};

static const char *const handlers[] = {"catch", "none", NULL};

static const struct param memory_params[] = {
	{"page", PARAM_CHOICE, "kind of page", "anonymous", pages, false},
	{"touch", PARAM_CHOICE, "how it is touched", "load", touches, false},
	{"handler", PARAM_CHOICE, "catch SIGBUS, or none: be killed by it", "catch", handlers,
	 false},
	{"mce-kill", PARAM_CHOICE, "prctl(PR_MCE_KILL): early, late, or the host's default",
	 "default", process_mce_kills, false},
	{"offset", PARAM_NUMBER, "of the victim line in its page; a multiple of 64", "0x400", NULL,
	 false},
	{"deadline", PARAM_DURATION, "a touch that takes longer is reported as hung", "5s", NULL,
	 false},
	{"directory", PARAM_STRING, "on a disk, for the kinds file-* and instruction", NULL, NULL,
	 false},
	{0},
};

struct memory_run {
	struct process process;
	struct memory_options options;
	char *huge_pages_before;
};

static int take_options(const json_t *arguments, struct memory_options *options, struct reason *why)
{
	*options = (struct memory_options){
		.page = (enum memory_page)process_choice(arguments, "page", pages),
		.touch = (enum memory_touch)process_choice(arguments, "touch", touches),
		.handler = strcmp(param_text(arguments, "handler"), "catch") == 0,
		.mce_kill = process_mce_kill(arguments),
		.offset = param_number(arguments, "offset"),
		.directory = param_text(arguments, "directory"),
	};
	if (options->offset % MEMORY_LINE || options->offset < MEMORY_LINE ||
	    options->offset > MEMORY_PAGE - 2 * MEMORY_LINE)
		return fail(why, -EINVAL,
			    "'offset' is 0x%" PRIx64 ": it must be a multiple of 64 with a line "
			    "before and a line behind it in the page",
			    options->offset);
	return memory_touch_fits(options->page, options->touch, why) ? 0 : -EINVAL;
}

/* On an expendable machine the agent reserves huge pages, else the administrator. */
static int reserve_huge_page(struct memory_run *memory, struct reason *why)
{
	__cleanup_free char *free_pages = NULL;
	__cleanup_free char *all = NULL;
	char path[4096], text[32];
	int error;

	if (read_small_file(system_path(path, HUGE_PAGES "/free_hugepages"), &free_pages, NULL) ||
	    read_small_file(system_path(path, HUGE_PAGES "/nr_hugepages"), &all, NULL))
		return fail(why, -ENOTSUP, "this machine has no huge pages of 2 MiB (%s)",
			    HUGE_PAGES);
	if (strtoul(free_pages, NULL, 10) > 0)
		return 0;
	if (machine_is_expendable(NULL))
		return fail(
			why, -ENOTSUP,
			"no huge page is free: write a higher number to %s/nr_hugepages, or "
			"put this host's name in /etc/brinell/expendable, so that brinell does it",
			HUGE_PAGES);
	snprintf(text, sizeof(text), "%lu", strtoul(all, NULL, 10) + 1);
	error = write_small_file(system_path(path, HUGE_PAGES "/nr_hugepages"), text);
	if (error)
		return fail_errno(why, error, "write %s to %s/nr_hugepages", text, HUGE_PAGES);
	memory->huge_pages_before = steal(all);
	return 0;
}

static void give_back_huge_page(struct activity *run)
{
	struct memory_run *memory = run->private;
	char path[4096];
	int error;

	if (!memory->huge_pages_before)
		return;
	error = write_small_file(system_path(path, HUGE_PAGES "/nr_hugepages"),
				 memory->huge_pages_before);
	if (error)
		log_warning("memory: write %s to %s/nr_hugepages: %s", memory->huge_pages_before,
			    HUGE_PAGES, strerror(-error));
	free(memory->huge_pages_before);
	memory->huge_pages_before = NULL;
}

static void emit_touched(struct activity *run, const struct memory_report *report)
{
	static const char *const names[] = {"unread", "intact", "zero", "other"};
	bool read = report->data != DATA_UNREAD;
	json_t *data = json_object();
	__cleanup_free char *text =
		format_text("touched by %s: %s",
			    *report->call ? report->call : param_text(run->arguments, "touch"),
			    read ? names[report->data] : "done");

	if (read) {
		json_object_set_new(data, "value_ok", json_boolean(report->data == DATA_INTACT));
		json_object_set_new(data, "data", json_string(names[report->data]));
	}
	process_emit(run, "touched", &report->base, data, text);
}

static void emit_corrupted(struct activity *run, const struct memory_report *report)
{
	__cleanup_free char *text =
		format_text("0x%" PRIx64 " holds 0x%" PRIx64 " instead of 0x%" PRIx64,
			    report->base.address, report->found, report->expected);

	process_emit(run, "corrupted", &report->base,
		     json_pack("{s:o, s:o, s:o}", "address",
			       json_sprintf("0x%" PRIx64, report->base.address), "found",
			       json_sprintf("0x%" PRIx64, report->found), "expected",
			       json_sprintf("0x%" PRIx64, report->expected)),
		     text);
}

static void emit_signal(struct activity *run, const struct memory_report *report)
{
	json_t *data = json_pack("{s:o}", "expected_address",
				 json_sprintf("0x%" PRIx64, report->expected));

	if (report->elapsed_ns > 0)
		json_object_set_new(data, "metrics",
				    json_pack("{s:{s:I, s:s, s:s}}", "touch_to_signal", "value",
					      (json_int_t)report->elapsed_ns, "unit", "ns",
					      "better", "lower"));
	process_emit_signal(run, &report->base, data);
}

static void handle_report(struct activity *run, const void *packet)
{
	struct memory_run *memory = run->private;
	const struct memory_report *report = packet;

	switch (report->base.kind) {
	case PROCESS_SIGNAL:
		emit_signal(run, report);
		break;
	case REPORT_TOUCHED:
		emit_touched(run, report);
		break;
	case REPORT_ERROR:
		process_emit_error(run, &report->base, report->call);
		break;
	case REPORT_CORRUPTED:
		emit_corrupted(run, report);
		break;
	case REPORT_CHECKED:
		process_touched(&memory->process);
		process_emit(run, "checked", &report->base,
			     json_pack("{s:s}", "elsewhere", report->base.error ? "lost" : "read"),
			     report->base.error ? "a page besides the victim is lost too"
						: "all other pages were read again");
		break;
	case REPORT_MEMBER_EXIT:
		process_emit_exit(run, report->member, report->status, report->base.signal);
		break;
	default:
		break;
	}
}

static void note_facts(struct activity *run, const void *packet)
{
	const struct memory_options *options = &((struct memory_run *)run->private)->options;
	const struct memory_report *ready = packet;

	if (ready->member > 0)
		json_object_set_new(run->facts, "children", json_pack("[i]", ready->member));
	process_fact(run, "address", ready->base.address);
	process_fact(run, "page_size", ready->page_size);
	process_fact(run, "offset", options->offset);
	process_fact(run, "region", ready->region);
	process_fact(run, "region_size", ready->region_size);
	process_fact(run, "pfn", ready->pfn);
	process_fact(run, "physical", ready->pfn ? ready->pfn << 12 | options->offset : 0);
	json_object_set_new(run->facts, "page", json_string(pages[options->page]));
}

static int memory_command(struct activity *run, const char *command, struct reason *why)
{
	struct memory_run *memory = run->private;
	int64_t until = now_monotonic_ns() + param_duration_ns(run->arguments, "deadline");
	const struct memory_report *report = memory->process.packet;
	bool hard = strcmp(command, "madvise-hard") == 0;
	int error, got;

	if (!hard && strcmp(command, "madvise-soft") != 0)
		return fail(why, -EINVAL, "%s: no command '%s'; known: madvise-hard, madvise-soft",
			    run->name, command);
	error = machine_is_expendable(why)
			?: process_request(run, &memory->process,
					   hard ? REQUEST_MADVISE_HARD : REQUEST_MADVISE_SOFT, why);
	if (error)
		return error;
	while ((got = process_await(&memory->process, until)) == 1) {
		if (report->base.kind != REPORT_ANSWER) {
			handle_report(run, report);
			continue;
		}
		if (!report->base.error)
			return 0;
		return fail(why, -report->base.error, "%s: madvise(%s) on its own page: %s",
			    run->name, hard ? "MADV_HWPOISON" : "MADV_SOFT_OFFLINE",
			    strerror(report->base.error));
	}
	/* The signal of MADV_HWPOISON may kill the process; an event reports that. */
	if (got == 0)
		return 0;
	return fail(why, -ETIME, "%s: madvise on its own page did not return", run->name);
}

static int memory_touch_by(struct activity *run, const char *way, struct reason *why)
{
	enum memory_page page = ((struct memory_run *)run->private)->options.page;
	bool load = strcmp(way, "load") == 0;

	if (!load && strcmp(way, "store") != 0)
		return fail(why, -EINVAL, "%s: 'by' must be load or store", run->name);
	if (page != PAGE_ANONYMOUS && page != PAGE_THP && page != PAGE_HUGETLB &&
	    page != PAGE_MLOCKED)
		return fail(
			why, -EOPNOTSUPP,
			"%s: 'by' is for pages of the kinds anonymous, thp, hugetlb and mlocked; "
			"this one is touched in the way that it was declared with",
			run->name);
	return process_touch(run, run->private, load ? REQUEST_LOAD : REQUEST_REWRITE, why);
}

static int prepare(struct activity *run, int64_t *ready_ns, struct reason *why)
{
	struct memory_run *memory = run->private;
	int error = take_options(run->arguments, &memory->options, why);

	if (error || memory->options.page != PAGE_HUGETLB)
		return error;
	return reserve_huge_page(memory, why);
}

static const struct process_workload victim = {
	.kind = {.name = "memory",
		 .report_size = sizeof(struct memory_report),
		 .body = memory_victim,
		 .ready = note_facts,
		 .report = handle_report},
	.size = sizeof(struct memory_run),
	.options = offsetof(struct memory_run, options),
	.ready_ns = READY_NS,
	.request = REQUEST_TOUCH,
	.prepare = prepare,
	.release = give_back_huge_page,
};

REGISTERED(workload, memory) = {
	.name = "memory",
	.summary = "a process that owns a page of a chosen kind, and touches it in a chosen way",
	.params = memory_params,
	.touch_by = memory_touch_by,
	.command = memory_command,
	.process = &victim,
	PROCESS_WORKLOAD,
};
