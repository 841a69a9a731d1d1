// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lines of the kernel's log mean. One table, each entry with the kernel file that prints the
 * line, in the wording of Linux 6.1 and later. Lines in which an injector only announces what it is
 * about to do ("Injecting memory failure for pfn", "Soft offlining pfn", "Triggering MCE exception
 * on CPU") are left out on purpose: they prove nothing.
 */
#include <errno.h>
#include <pthread.h>
#include <regex.h>
#include <string.h>

#include "harness/evidence/evidence.h"

/* Longer lines are cut before they are matched: the kernel's own limit is 1 KiB (LOG_LINE_MAX). */
#define LINE_LIMIT 2048
#define PATTERN_LIMIT 512
#define GROUPS 5

#define PFN "(0x[0-9a-f]+)"
#define HEX "([0-9a-f]+)"

/**
 * struct line_kind - one kind of line
 * @pattern:  POSIX extended regular expression, not anchored: the console puts a time before the
 *            line
 * @meaning:  what it says
 * @pfn:      number of the group that holds a page frame number, 0 for none
 * @physical: of the group with a physical address
 * @pid:      of the group with a process id
 * @address:  of the group with a virtual address
 * @source:   kernel file that prints it
 */
struct line_kind {
	const char *pattern;
	enum meaning meaning;
	unsigned char pfn, physical, pid, address;
	const char *source;
};

static const struct line_kind kinds[] = {
	{.pattern = "Kernel panic - not syncing: ",
	 .meaning = MEANS_PANIC,
	 .source = "kernel/panic.c"},
	{.pattern = "Memory failure: " PFN
		    ": recovery action for .*: (Recovered|Ignored|Failed|Delayed)",
	 .meaning = MEANS_PAGE_HANDLED,
	 .pfn = 1,
	 .source = "mm/memory-failure.c, action_result()"},
	{.pattern = "Memory failure: " PFN
		    ": Sending SIGBUS to .*:([0-9]+) due to hardware memory corruption",
	 .meaning = MEANS_SIGBUS_SENT,
	 .pfn = 1,
	 .pid = 2,
	 .source = "mm/memory-failure.c, kill_proc()"},
	{.pattern = "Memory failure: " PFN
		    ": forcibly killing .*:([0-9]+) because of failure to unmap",
	 .meaning = MEANS_KILLED,
	 .pfn = 1,
	 .pid = 2,
	 .source = "mm/memory-failure.c, kill_procs()"},
	/* In spite of its word it sends SIGBUS BUS_MCEERR_AR, which a process can handle. */
	{.pattern = "MCE: Killing .*:([0-9]+) due to hardware memory corruption fault at " HEX,
	 .meaning = MEANS_SIGBUS_SENT,
	 .pid = 1,
	 .address = 2,
	 .source = "arch/x86/mm/fault.c, do_sigbus()"},
	{.pattern = "Unpoison: (Software-unpoisoned|Unpoisoned) (free )?page " PFN,
	 .meaning = MEANS_PAGE_HANDLED,
	 .pfn = 3,
	 .source = "mm/memory-failure.c, unpoison_memory()"},
	{.pattern = "Uncorrected hardware memory error in user-access at " HEX,
	 .meaning = MEANS_HARDWARE_ERROR,
	 .physical = 1,
	 .source = "arch/x86/kernel/cpu/mce/core.c, kill_me_maybe()"},
	{.pattern = "Kernel accessed poison in user space at " HEX,
	 .meaning = MEANS_HARDWARE_ERROR,
	 .physical = 1,
	 .source = "arch/x86/kernel/cpu/mce/core.c, kill_me_never()"},
	{.pattern = "\\[Hardware Error\\]: Machine check events logged",
	 .meaning = MEANS_HARDWARE_ERROR,
	 .source = "arch/x86/kernel/cpu/mce/core.c"},
	{.pattern = "\\[Hardware Error\\]: CPU [0-9]+: Machine Check",
	 .meaning = MEANS_HARDWARE_ERROR,
	 .source = "arch/x86/kernel/cpu/mce/core.c, print_mce()"},
	{.pattern = "\\[Hardware Error\\]: TSC [0-9a-f]+ .*ADDR " HEX,
	 .meaning = MEANS_HARDWARE_ERROR,
	 .physical = 1,
	 .source = "arch/x86/kernel/cpu/mce/core.c, print_mce()"},
	{.pattern = "\\[Hardware Error\\]: Hardware error from APEI Generic Hardware Error Source",
	 .meaning = MEANS_HARDWARE_ERROR,
	 .source = "drivers/acpi/apei/ghes.c"},
	{.pattern = "\\[Hardware Error\\]: +physical_address: 0x" HEX,
	 .meaning = MEANS_HARDWARE_ERROR,
	 .physical = 1,
	 .source = "drivers/firmware/efi/cper.c"},
	{.pattern = "BERT: Error records from previous boot",
	 .meaning = MEANS_HARDWARE_ERROR,
	 .source = "drivers/acpi/apei/bert.c"},
	{.pattern = "EDAC MC[0-9]+: [0-9]+ [CU]E .*page:" PFN,
	 .meaning = MEANS_HARDWARE_ERROR,
	 .pfn = 1,
	 .source = "drivers/edac/edac_mc.c"},
	{.pattern = "AER: .*(rror|rrors) (message )?received",
	 .meaning = MEANS_HARDWARE_ERROR,
	 .source = "drivers/pci/pcie/aer.c"},
	{.pattern = "DMAR: \\[.*\\] Request device \\[.*\\] .*fault (addr|index)",
	 .meaning = MEANS_IOMMU_FAULT,
	 .source = "drivers/iommu/intel/dmar.c"},
	{.pattern = "AMD-Vi: Event logged \\[IO_PAGE_FAULT",
	 .meaning = MEANS_IOMMU_FAULT,
	 .source = "drivers/iommu/amd/iommu.c"},
	{.pattern = "BUG: soft lockup - CPU|etected hard LOCKUP",
	 .meaning = MEANS_STUCK,
	 .source = "kernel/watchdog.c"},
	{.pattern = "INFO: task .*:[0-9]+ (<.*> )?blocked .*for more than [0-9]+ seconds",
	 .meaning = MEANS_STUCK,
	 .source = "kernel/hung_task.c"},
	{.pattern = "rcu: INFO: .*(self-detected stall|detected stalls|detected expedited stalls)",
	 .meaning = MEANS_STUCK,
	 .source = "kernel/rcu/tree_stall.h"},
};

static regex_t compiled[ARRAY_SIZE(kinds)];
static pthread_once_t compile_once = PTHREAD_ONCE_INIT;

static void compile_kinds(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (regcomp(&compiled[i], kinds[i].pattern, REG_EXTENDED) != 0)
			abort();
}

static uint64_t group_number(const char *line, const regmatch_t *match, int base)
{
	char digits[32] = "";
	size_t length = (size_t)(match->rm_eo - match->rm_so);

	if (match->rm_so < 0 || length >= sizeof(digits))
		return 0;
	memcpy(digits, line + match->rm_so, length);
	return strtoull(digits, NULL, base);
}

/**
 * kernel_line_read - what a line of the kernel's log says
 * @text: message, with or without the time that a console shows before it
 *
 * Return: its meaning, and the page, process and address that it names.
 */
struct kernel_line kernel_line_read(const char *text)
{
	struct kernel_line read = {.meaning = MEANS_NOTHING};
	regmatch_t groups[GROUPS];
	char line[LINE_LIMIT];

	pthread_once(&compile_once, compile_kinds);
	snprintf(line, sizeof(line), "%s", text);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct line_kind *kind = &kinds[i];

		if (regexec(&compiled[i], line, GROUPS, groups, 0) != 0)
			continue;
		read.meaning = kind->meaning;
		read.has_pfn = kind->pfn || kind->physical;
		if (kind->pfn)
			read.pfn = group_number(line, &groups[kind->pfn], 16);
		if (kind->physical)
			read.pfn = group_number(line, &groups[kind->physical], 16) >> 12;
		read.has_pid = kind->pid != 0;
		if (kind->pid)
			read.pid = (int64_t)group_number(line, &groups[kind->pid], 10);
		read.has_address = kind->address != 0;
		if (kind->address)
			read.address = group_number(line, &groups[kind->address], 16);
		break;
	}
	return read;
}

/*
 * glibc expands an interval such as x{1,1000} into copies of x, nested ones into their product: a
 * short pattern can ask for more memory than the machine has. Back references need exponential
 * time.
 */
static bool too_costly(const char *pattern)
{
	uint64_t copies = 1;

	if (strlen(pattern) > PATTERN_LIMIT)
		return true;
	for (const char *slash = pattern; (slash = strchr(slash, '\\')) && slash[1]; slash += 2)
		if (slash[1] >= '1' && slash[1] <= '9')
			return true;
	for (const char *brace = pattern; (brace = strchr(brace, '{')); brace++) {
		unsigned long most = 1;

		for (const char *digit = brace + 1; *digit && *digit != '}';) {
			char *end;
			unsigned long count = strtoul(digit, &end, 10);

			if (count > most)
				most = count;
			digit = end > digit ? end : digit + 1;
		}
		if (most > 1000 || (copies *= most) > 1000)
			return true;
	}
	return false;
}

static int compile(const char *pattern, regex_t *regex, struct reason *why)
{
	char message[128];
	int error;

	if (too_costly(pattern))
		return fail(why, -E2BIG, "the pattern '%.80s' is too long or repeats too much",
			    pattern);
	error = regcomp(regex, pattern, REG_EXTENDED | REG_NOSUB);
	if (!error)
		return 0;
	regerror(error, regex, message, sizeof(message));
	return fail(why, -EINVAL, "the pattern '%.80s' is no regular expression: %s", pattern,
		    message);
}

/**
 * regex_check - can a pattern of a scenario be used?
 * @pattern: POSIX extended regular expression
 * @why:     filled when it can not
 *
 * Return: 0, -EINVAL, or -E2BIG for one that would cost too much.
 */
int regex_check(const char *pattern, struct reason *why)
{
	regex_t regex;
	int error = compile(pattern, &regex, why);

	if (!error)
		regfree(&regex);
	return error;
}

/**
 * regex_matches - does a pattern of a scenario match a line?
 * @pattern: POSIX extended regular expression, not anchored
 * @text:    the line
 * @why:     filled when the pattern is no regular expression, otherwise untouched
 *
 * Return: true when it matches.
 */
bool regex_matches(const char *pattern, const char *text, struct reason *why)
{
	char line[LINE_LIMIT];
	regex_t regex;
	bool matches;

	if (compile(pattern, &regex, why))
		return false;
	snprintf(line, sizeof(line), "%s", text);
	matches = regexec(&regex, line, 0, NULL, 0) == 0;
	regfree(&regex);
	return matches;
}
