// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flags of the page frame that a trial is about, from /proc/kpageflags: 64 bits a frame, those of
 * include/uapi/linux/kernel-page-flags.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "harness/witness/witness.h"
#include "harness/host/machine.h"

struct pageflags {
	uint64_t pfn, before, reported;
	bool looking;
};

static void pageflags_probe(json_t *findings)
{
	char path[4096];
	uint64_t flags;
	__cleanup_close int fd = open(system_path(path, "/proc/kpageflags"), O_RDONLY | O_CLOEXEC);

	finding_add(findings, "pageflags",
		    fd >= 0 && pread(fd, &flags, sizeof(flags), 0) == sizeof(flags),
		    "/proc/kpageflags can not be read",
		    "run as root on a kernel with CONFIG_PROC_PAGE_MONITOR");
}

static int pageflags_start(struct witness_run *run, struct reason *why)
{
	char path[4096];

	if (access(system_path(path, "/proc/kpageflags"), R_OK) != 0)
		return fail_errno(why, -errno, "/proc/kpageflags");
	run->private = xzalloc(sizeof(struct pageflags));
	return 0;
}

/* The first look at a frame is what it is compared with: the agent has it taken when the focus is set. */
static void pageflags_collect(struct witness_run *run)
{
	struct pageflags *page = run->private;
	uint64_t pfn = (uint64_t)json_number(run->focus, "pfn", 0);
	bool poisoned;
	uint64_t flags;

	if (!pfn || machine_page_flags(pfn, &flags))
		return;
	if (!page->looking || pfn != page->pfn) {
		*page = (struct pageflags){
			.pfn = pfn, .before = flags, .reported = flags, .looking = true};
		return;
	}
	if (flags == page->reported)
		return;
	page->reported = flags;
	poisoned = flags >> PAGE_FLAG_HWPOISON & 1;

	__cleanup_free char *text =
		format_text("pfn 0x%" PRIx64 "%s, flags 0x%" PRIx64 " -> 0x%" PRIx64, pfn,
			    poisoned ? " hwpoison" : "", page->before, flags);
	__cleanup_free char *number = format_text("0x%" PRIx64, pfn);
	__cleanup_free char *before = format_text("0x%" PRIx64, page->before);
	__cleanup_free char *after = format_text("0x%" PRIx64, flags);

	/* A page that was poisoned before and changes otherwise shows an earlier fault. */
	run->emit(run->context, "pageflags", now_realtime_ns(), text,
		  json_pack("{s:s, s:s, s:s, s:b, s:b}", "pfn", number, "before", before, "after",
			    after, "hwpoison", poisoned, "hwpoison-changed",
			    (page->before ^ flags) >> PAGE_FLAG_HWPOISON & 1));
}

static void pageflags_stop(struct witness_run *run)
{
	free(run->private);
}

static const struct witness_proof pageflags_proofs[] = {
	{"hwpoison-changed", false, "memory", "any"},
	{0},
};

REGISTERED(witness, pageflags_witness) = {
	.name = "pageflags",
	.summary = "flags of the page frame that the trial is about (/proc/kpageflags)",
	.host_only = true,
	.group = "pageflags",
	.proofs = pageflags_proofs,
	.probe = pageflags_probe,
	.start = pageflags_start,
	.collect = pageflags_collect,
	.stop = pageflags_stop,
};
