// SPDX-License-Identifier: GPL-2.0-only
/*
 * Witness "page-type": the type of the target page in Xen, before and after the injection, by XEN_DOMCTL_getpageframeinfo3.
 * Witness "page-mapping": whether the first domain can map this page through its page tables (HYPERVISOR_mmu_update). No
 * injector uses either call. A domain that is destroyed, such as the source of a migration, loses its pages without a fault,
 * and is not checked.
 *
 * A broken page has the type broken with EPT. With SVM's nested paging, Xen's page tables do not keep the mark, and the page is a hole
 * (p2m_pt_get_entry() of xen/arch/x86/mm/p2m-pt.c).
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "harness/witness/witness.h"
#include "inject/xen/xen.h"

static const char *const names[] = {
	[XEN_PAGE_USED] = "memory", [XEN_PAGE_HOLE] = "a hole", [XEN_PAGE_BROKEN] = "broken"};

/* Last state of the page that a witness read. */
struct look {
	bool known;
	int before, last;
};

static struct {
	bool active;
	uint32_t domain;
	uint64_t pfn;
	struct look type, mapping;
} watched;

/* Whether the state differs from the last one. */
static bool has_changed(struct look *look, int now)
{
	if (!look->known)
		*look = (struct look){.known = true, .before = now, .last = now};
	if (now == look->last)
		return false;
	look->last = now;
	return true;
}

/** page_type_watch - follow this page */
void page_type_watch(uint32_t domain, uint64_t pfn)
{
	watched.active = true;
	watched.domain = domain;
	watched.pfn = pfn;
	watched.type = watched.mapping = (struct look){0};
}

static json_t *page_data(const char *before, const char *after, bool is_lost)
{
	return json_pack("{s:I, s:i, s:s, s:s, s:b}", "pfn", (json_int_t)watched.pfn, "domain",
			 (int)watched.domain, "before", before, "after", after, "page-lost",
			 is_lost);
}

static void type_probe(json_t *findings)
{
	xen_probe(findings, "page-type");
}

static int type_start(struct witness_run *run, struct reason *why)
{
	run->private = xen_open(why);
	watched.active = false;
	return run->private ? 0 : -EOPNOTSUPP;
}

static void type_collect(struct witness_run *run)
{
	__cleanup_free char *text = NULL;
	const char *before;
	enum xen_page now;

	if (!watched.active || !xen_is_alive(run->private, watched.domain) ||
	    xen_page_type(run->private, watched.domain, watched.pfn, &now, NULL) ||
	    !has_changed(&watched.type, now))
		return;
	before = names[watched.type.before];
	text = format_text("page 0x%" PRIx64 " of domain %u was %s and is %s", watched.pfn,
			   watched.domain, before, names[now]);
	run->emit(run->context, "page-type", now_realtime_ns(), text,
		  page_data(before, names[now], now != XEN_PAGE_USED));
}

static void type_stop(struct witness_run *run)
{
	xc_interface_close(run->private);
}

static void mapping_probe(json_t *findings)
{
	xen_probe(findings, "page-mapping");
}

struct mapping {
	xc_interface *xen;
	xenforeignmemory_handle *memory;
};

static void mapping_stop(struct witness_run *run)
{
	struct mapping *mapping = run->private;

	if (mapping->memory)
		xenforeignmemory_close(mapping->memory);
	if (mapping->xen)
		xc_interface_close(mapping->xen);
	free(mapping);
}

static int mapping_start(struct witness_run *run, struct reason *why)
{
	struct mapping *mapping = xzalloc(sizeof(*mapping));

	run->private = mapping;
	mapping->xen = xen_open(why);
	mapping->memory = mapping->xen ? xenforeignmemory_open(NULL, 0) : NULL;
	if (mapping->memory)
		return 0;
	if (mapping->xen)
		fail(why, -errno, "no foreign memory: this is no Xen");
	mapping_stop(run);
	return -EOPNOTSUPP;
}

static void mapping_collect(struct witness_run *run)
{
	const struct mapping *mapping = run->private;
	xen_pfn_t pfn = watched.pfn;
	int error = 0;
	void *page;

	if (!watched.active || !xen_is_alive(mapping->xen, watched.domain))
		return;
	page = xenforeignmemory_map(mapping->memory, watched.domain, PROT_READ, 1, &pfn, &error);
	if (page && error == 0)
		xenforeignmemory_unmap(mapping->memory, page, 1);
	if (has_changed(&watched.mapping, page && error == 0))
		run->emit(run->context, "page-mapping", now_realtime_ns(),
			  error ? "the page of the guest can not be mapped any more"
				: "the page of the guest can be mapped",
			  page_data(error ? "mapped" : "refused", error ? "refused" : "mapped",
				    error != 0));
}

static const struct witness_proof type_proofs[] = {{"page-lost", false, "memory", "uncorrected"},
						   {0}};

static const struct witness page_type = {
	.name = "page-type",
	.summary = "the type of the guest's page, as Xen keeps it",
	.host_only = true,
	.group = "page type",
	.proofs = type_proofs,
	.probe = type_probe,
	.start = type_start,
	.collect = type_collect,
	.stop = type_stop,
};

REGISTER(witness, page_type);

static const struct witness page_mapping = {
	.name = "page-mapping",
	.summary = "whether the host can map the guest's page",
	.host_only = true,
	.group = "page mapping",
	.proofs = type_proofs,
	.probe = mapping_probe,
	.start = mapping_start,
	.collect = mapping_collect,
	.stop = mapping_stop,
};

REGISTER(witness, page_mapping);
