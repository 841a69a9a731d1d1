// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwpoison: the kernel treats a page as broken although its memory is fine (mm/madvise.c, mm/hwpoison-inject.c,
 * drivers/base/memory.c). madvise works only on pages of the caller, so the target calls it.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "harness/host/machine.h"
#include "inject/injector.h"

#define HWPOISON_DIRECTORY "/sys/kernel/debug/hwpoison"
#define MEMORY_DIRECTORY "/sys/devices/system/memory"

#define FRAMES_MOST 10000

enum method_input {
	INPUT_COMMAND,
	INPUT_PFN,
	INPUT_ADDRESS,
};

static const struct method {
	const char *name;
	enum method_input input;
	const char *path;
	const char *module;
	bool poisons;
} methods[] = {
	{"madvise-hard", INPUT_COMMAND, NULL, NULL, true},
	{"madvise-soft", INPUT_COMMAND, NULL, NULL, true},
	{"corrupt-pfn", INPUT_PFN, HWPOISON_DIRECTORY "/corrupt-pfn", "hwpoison-inject", true},
	{"unpoison-pfn", INPUT_PFN, HWPOISON_DIRECTORY "/unpoison-pfn", "hwpoison-inject", false},
	{"hard-offline-page", INPUT_ADDRESS, MEMORY_DIRECTORY "/hard_offline_page", NULL, true},
	{"soft-offline-page", INPUT_ADDRESS, MEMORY_DIRECTORY "/soft_offline_page", NULL, true},
};

static const char *const method_names[] = {
	"madvise-hard",	     "madvise-soft",	  "corrupt-pfn", "unpoison-pfn",
	"hard-offline-page", "soft-offline-page", NULL,
};

_Static_assert(ARRAY_SIZE(method_names) == ARRAY_SIZE(methods) + 1, "every method has its name");

/* One file for each filter. All of them are set, so that no old setting selects pages. */
static const struct filter {
	const char *param, *file, *neutral;
} filters[] = {
	{"filter-dev-major", "corrupt-filter-dev-major", "0xffffffff"},
	{"filter-dev-minor", "corrupt-filter-dev-minor", "0xffffffff"},
	{"filter-flags-mask", "corrupt-filter-flags-mask", "0"},
	{"filter-flags-value", "corrupt-filter-flags-value", "0"},
	{"filter-memcg", "corrupt-filter-memcg", "0"},
};

static const struct param hwpoison_params[] = {
	{"method", PARAM_CHOICE, "how the page is poisoned", NULL, method_names, true},
	{"pfn", PARAM_NUMBER, "page frame number (default: of the target)", NULL, NULL, false},
	{"frames", PARAM_NUMBER,
	 "soft-offline-page: number of frames, from that page on, not counting refused ones", "1",
	 NULL, false},
	{"filter-dev-major", PARAM_NUMBER, "corrupt-pfn: only pages of this device", NULL, NULL,
	 false},
	{"filter-dev-minor", PARAM_NUMBER, "corrupt-pfn: only pages of this device", NULL, NULL,
	 false},
	{"filter-flags-mask", PARAM_NUMBER, "corrupt-pfn: page flags that are compared", NULL, NULL,
	 false},
	{"filter-flags-value", PARAM_NUMBER, "corrupt-pfn: their value", NULL, NULL, false},
	{"filter-memcg", PARAM_NUMBER, "corrupt-pfn: only pages of this memory cgroup (inode)",
	 NULL, NULL, false},
	{0},
};

static const struct method *find_method(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

static int hwpoison_check(const json_t *arguments, enum injector_target target, struct reason *why)
{
	const struct method *method = find_method(param_text(arguments, "method"));
	uint64_t frames = param_number(arguments, "frames");

	if (!method)
		return fail(why, -EINVAL, "'method' is missing");
	if (method->input == INPUT_COMMAND && target == TARGET_GUEST)
		return fail(
			why, -EINVAL,
			"'%s' needs a call of the process that owns the page; a page of a guest "
			"belongs to QEMU, which makes no such call: use corrupt-pfn, "
			"hard-offline-page or soft-offline-page",
			method->name);
	if (method->input == INPUT_COMMAND && target == TARGET_NONE)
		return fail(
			why, -EINVAL,
			"'%s' needs a call of the process that owns the page: name it with 'at'",
			method->name);
	if (method->input != INPUT_COMMAND && target == TARGET_NONE &&
	    !param_given(arguments, "pfn"))
		return fail(why, -EINVAL, "'%s' needs a page: give a target with 'at', or 'pfn'",
			    method->name);
	if (!frames || frames > FRAMES_MOST)
		return fail(why, -EINVAL, "'frames' is 1 to %d", FRAMES_MOST);
	if (frames > 1 && strcmp(method->name, "soft-offline-page") != 0)
		return fail(why, -EINVAL,
			    "'frames' is for soft-offline-page: '%s' would kill their users",
			    method->name);
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++)
		if (param_given(arguments, filters[i].param) &&
		    strcmp(method->name, "corrupt-pfn") != 0)
			return fail(why, -EINVAL, "'%s' is for corrupt-pfn, not for '%s'",
				    filters[i].param, method->name);
	return 0;
}

static int check_page(const struct method *method, uint64_t pfn, struct reason *why)
{
	uint64_t flags;
	int error;

	if (!pfn)
		return fail(why, -EPERM,
			    "the page frame is 0: /proc/PID/pagemap hides frames from a process "
			    "without CAP_SYS_ADMIN; run brinell as root");
	if (pfn >= 1ull << 52 || machine_memory_kind(pfn << 12) == MEMORY_DEVICE)
		return fail(why, -ENXIO,
			    "page frame 0x%" PRIx64 " is no RAM of this machine (/proc/iomem)",
			    pfn);
	error = machine_page_flags(pfn, &flags);
	if (error == -ENXIO)
		return fail(why, error, "page frame 0x%" PRIx64 " does not exist", pfn);
	if (error)
		return 0;
	if (method->poisons && flags >> PAGE_FLAG_ZERO_PAGE & 1)
		return fail(why, -EADDRINUSE,
			    "page frame 0x%" PRIx64 " is the kernel's zero page, which all "
			    "processes share; let the target write to its page first",
			    pfn);
	if (method->poisons && flags >> PAGE_FLAG_HWPOISON & 1)
		return fail(why, -EHWPOISON, "page frame 0x%" PRIx64 " is poisoned already", pfn);
	if (!method->poisons && !(flags >> PAGE_FLAG_HWPOISON & 1))
		return fail(why, -EINVAL, "page frame 0x%" PRIx64 " is not poisoned", pfn);
	return 0;
}

static int check_machine(const struct injection *injection, const struct method *method,
			 struct reason *why)
{
	int error = 0;

	if (method->input == INPUT_COMMAND) {
		if (!injection->target || !injection->command)
			return fail(why, -EINVAL,
				    "'%s' needs a target whose process can call madvise (workload "
				    "memory)",
				    method->name);
		return 0;
	}
	if (method->module && machine_is_locked_down())
		return fail(why, -EPERM,
			    "the kernel is locked down and refuses writes to %s; turn Secure Boot "
			    "off, or remove lockdown= from the kernel's command line",
			    HWPOISON_DIRECTORY);
	if (method->module)
		error = machine_load_module(method->module, method->path, why);
	if (error)
		return error;
	if (!machine_has_file(method->path))
		return fail(why, -ENOENT, "%s is missing: this kernel has no CONFIG_MEMORY_FAILURE",
			    method->path);
	return check_page(method, param_number(injection->arguments, "pfn"), why);
}

static int set(struct injection *injection, const char *file, const char *text, struct reason *why)
{
	char path[128];

	snprintf(path, sizeof(path), HWPOISON_DIRECTORY "/%s", file);
	if (!injection->change.dry_run && !machine_has_file(path))
		return 0;
	return injection_set(injection, path, STICKY_TEXT, text, why);
}

static int set_filters(struct injection *injection, struct reason *why)
{
	bool any = false;
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(filters) && !error; i++) {
		const char *given = param_text(injection->arguments, filters[i].param);

		any = any || given;
		error = set(injection, filters[i].file, given ?: filters[i].neutral, why);
	}
	return error ?: set(injection, "corrupt-filter-enable", any ? "1" : "0", why);
}

static int hwpoison_prepare(struct injection *injection, struct reason *why)
{
	const struct method *method = find_method(param_text(injection->arguments, "method"));
	/* A dry run has no running target; it records the request nevertheless. */
	enum injector_target target =
		injection->target || injection->change.dry_run ? TARGET_WORKLOAD : TARGET_NONE;
	int error = hwpoison_check(injection->arguments, target, why);

	if (error)
		return error;
	if (!injection->change.dry_run)
		error = machine_is_expendable(why) ?: check_machine(injection, method, why);
	if (error)
		return error;
	error = change_lock(&injection->change, why);
	if (error)
		return error;
	if (strcmp(method->name, "corrupt-pfn") == 0)
		error = set_filters(injection, why);
	if (error)
		(void)injection_finish(injection, NULL);
	return error;
}

static const char *explain(const struct method *method, int error)
{
	switch (error) {
	case -ENXIO:
		return "the page frame does not exist, or is no RAM";
	case -EPERM:
	case -EACCES:
		return "the kernel refuses: brinell lacks CAP_SYS_ADMIN, or the kernel is locked "
		       "down";
	case -EHWPOISON:
		return "the page is poisoned already";
	case -EBUSY:
		return method->poisons ? "the page can not be unmapped from its user now (it is "
					 "pinned, or its migration failed); try again"
				       : "the page is still mapped or held";
	case -EIO:
		return "the kernel can not handle this kind of page (reserved, slab, or another "
		       "page that can not be freed)";
	case -EOPNOTSUPP:
		return method->poisons
			       ? "the kernel does not support this for such a page, or filtered it"
			       : "unpoisoning is off until the next boot: this host has seen a "
				 "real "
				 "memory failure";
	case -EINVAL:
		return "the page or the request is invalid for the kernel";
	default:
		return "see the kernel log";
	}
}

/* Success of the write proves nothing: the kernel skips free, filtered and other pages without an error. */
static void note_page(struct injection *injection, const struct method *method)
{
	uint64_t pfn = param_number(injection->arguments, "pfn"), flags;

	if (injection->change.dry_run || !pfn || method->input == INPUT_COMMAND)
		return;
	json_object_set_new(injection->result, "pfn", json_sprintf("0x%" PRIx64, pfn));
	if (machine_page_flags(pfn, &flags) == 0)
		json_object_set_new(injection->result, "hwpoison",
				    json_boolean(flags >> PAGE_FLAG_HWPOISON & 1));
}

static int fire_at_target(struct injection *injection, const struct method *method,
			  struct reason *why)
{
	json_array_append_new(injection->change.writes,
			      json_pack("{s:s, s:s}", "path", "target's process", "text",
					method->name));
	if (injection->change.dry_run)
		return 0;
	if (!injection->target)
		return fail(why, -ESRCH, "the target was stopped after the injection was prepared");
	return injection->command(injection->target, method->name, why);
}

static int fire_at_frame(struct injection *injection, const struct method *method, uint64_t pfn,
			 struct reason *why)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%" PRIx64,
		 method->input == INPUT_ADDRESS ? pfn << 12 : pfn);
	return change_write(&injection->change, method->path, text, why);
}

/* The first frame must go offline; the kernel may refuse others, such as its own. */
static int fire_by_file(struct injection *injection, const struct method *method,
			struct reason *why)
{
	uint64_t pfn = param_number(injection->arguments, "pfn"), gone = 1, refused = 0;
	uint64_t frames = param_number(injection->arguments, "frames");
	int error = fire_at_frame(injection, method, pfn, why);

	while (!error && gone < frames && refused <= frames && !injection->change.dry_run) {
		struct reason ignored;

		pfn++;
		if (!check_page(method, pfn, &ignored) &&
		    !fire_at_frame(injection, method, pfn, &ignored))
			gone++;
		else
			refused++;
	}
	if (error || frames == 1)
		return error;
	json_object_update_new(injection->result,
			       json_pack("{s:I, s:I}", "frames", (json_int_t)gone, "refused",
					 (json_int_t)refused));
	if (gone < frames && !injection->change.dry_run)
		return fail(why, -EBUSY, "only %" PRIu64 " of %" PRIu64 " frames went offline",
			    gone, frames);
	return 0;
}

static int hwpoison_fire(struct injection *injection, struct reason *why)
{
	const struct method *method = find_method(param_text(injection->arguments, "method"));
	struct reason reason = {0};
	int64_t before;
	int error;

	before = now_monotonic_ns();
	error = method->input == INPUT_COMMAND ? fire_at_target(injection, method, &reason)
					       : fire_by_file(injection, method, &reason);
	json_object_set_new(injection->result, "duration_ns",
			    json_integer(now_monotonic_ns() - before));
	note_page(injection, method);
	if (error)
		return fail(why, error, "hwpoison: %s: %s", reason.text, explain(method, error));
	return 0;
}

static void hwpoison_probe(json_t *findings)
{
	bool memory_failure = machine_has_file(MEMORY_DIRECTORY "/hard_offline_page");
	bool module = machine_module_available("hwpoison-inject");
	struct reason why = {0};
	bool works;

	finding_add(findings, "hwpoison:memory-failure", memory_failure,
		    "this kernel can not handle memory failures (no hard_offline_page "
		    "in " MEMORY_DIRECTORY ")",
		    "use a kernel with CONFIG_MEMORY_FAILURE");
	finding_add(findings, "hwpoison:madvise", memory_failure,
		    "this kernel has no MADV_HWPOISON", "use a kernel with CONFIG_MEMORY_FAILURE");
	finding_add(findings, "hwpoison:hard-offline-page", memory_failure,
		    "hard_offline_page is missing", "use a kernel with CONFIG_MEMORY_FAILURE");
	finding_add(findings, "hwpoison:soft-offline-page",
		    machine_has_file(MEMORY_DIRECTORY "/soft_offline_page"),
		    "soft_offline_page is missing", "use a kernel with CONFIG_MEMORY_FAILURE");
	finding_add(findings, "hwpoison:module", module,
		    "this kernel has no module hwpoison-inject",
		    "use a kernel with CONFIG_HWPOISON_INJECT, or install the package of its "
		    "modules");
	probe_debugfs(findings);
	works = machine_has_file(HWPOISON_DIRECTORY "/corrupt-pfn");
	if (!works && module)
		works = machine_load_module("hwpoison-inject", HWPOISON_DIRECTORY "/corrupt-pfn",
					    &why) == 0;
	finding_add(findings, "hwpoison:corrupt-pfn", works,
		    *why.text ? why.text : "hwpoison/corrupt-pfn is missing in debugfs",
		    "modprobe hwpoison-inject");
	finding_add(findings, "hwpoison:unpoison-pfn",
		    works && machine_has_file(HWPOISON_DIRECTORY "/unpoison-pfn"),
		    *why.text ? why.text : "hwpoison/unpoison-pfn is missing in debugfs",
		    "modprobe hwpoison-inject");
	finding_add(findings, "hwpoison", works && memory_failure,
		    *why.text ? why.text : "a part of hwpoison is missing, see above",
		    "see the findings 'hwpoison:...' above");
}

REGISTERED(injector, hwpoison) = {
	.name = "hwpoison",
	.fault_of = nature_of_page_method,
	.summary = "the kernel treats a page of intact memory as poisoned",
	.params = hwpoison_params,
	.check = hwpoison_check,
	.probe = hwpoison_probe,
	.prepare = hwpoison_prepare,
	.fire = hwpoison_fire,
	.restore = injection_finish,
};
