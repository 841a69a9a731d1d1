// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine frame of a page of a domain. No call reads the page tables (P2M) of a domain that is not PV. But Xen translates an
 * interposed error address, and logs the result (do_mca() and x86_mc_msrinject() of xen/arch/x86/cpu/mcheck/mce.c). The M2P
 * table, which the first domain can map, must lead back to the page. M2P alone is not enough, because the two domains of a
 * migration have the same pages.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

/* xenguest.h relies on definitions of xenctrl.h. */
#include "inject/xen/xen.h"
#include <xenguest.h>

#define PAGE_BITS 12
/* Of the table, which is mapped in such pieces (xc_map_m2p() of tools/libs/guest/xg_offline_page.c). */
#define PIECE_BYTES (2ul << 20)

/* Read Xen's log since @index. Return: text, owned by the caller, or NULL. */
static char *read_log(xc_interface *xen, uint32_t *index)
{
	char chunk[XEN_LOG_CHUNK + 1];
	char *text = NULL;
	uint32_t lost;
	int count;

	while ((count = xen_log_read(xen, index, chunk, &lost)) > 0) {
		chunk[count] = '\0';
		append_text(&text, "", "%s", chunk);
	}
	return text;
}

static int translate(xc_interface *xen, unsigned int processor, uint32_t number, uint32_t domain,
		     uint64_t pfn, uint64_t *frame, struct reason *why)
{
	__cleanup_free char *wanted = format_text(" MSR 0x%x <-- 0x", number);
	__cleanup_free char *log = NULL;
	const char *found;
	uint32_t index = 0;
	int error;

	free(read_log(xen, &index));
	error = xen_write_address(xen, processor, number, domain, pfn << PAGE_BITS, why);
	if (error)
		return error;
	log = read_log(xen, &index);
	found = log ? strstr(log, wanted) : NULL;
	if (!found)
		return fail(why, -ENODATA,
			    "Xen does not log the frame of page 0x%" PRIx64 " of domain %u: 'HV "
			    "MSR INJECT' is missing in its log (loglvl=)",
			    pfn, domain);
	*frame = strtoull(found + strlen(wanted), NULL, 16) >> PAGE_BITS;
	return 0;
}

/**
 * xen_map_frames - map the M2P table: the page of each machine frame in its domain, or all ones when no domain owns it
 * @table: receives it, read-only; xen_unmap_frames() after success
 * @most:  receives the number of entries
 *
 * Return: 0 or -errno with a reason.
 */
int xen_map_frames(xc_interface *xen, xen_pfn_t **table, unsigned long *most, struct reason *why)
{
	*table = xc_maximum_ram_page(xen, most) ? NULL : xc_map_m2p(xen, *most, PROT_READ, NULL);
	return *table ? 0
		      : fail(why, -errno, "the table of this machine's frames: %s",
			     strerror(errno));
}

/** xen_unmap_frames - unmap the M2P table */
void xen_unmap_frames(xen_pfn_t *table, unsigned long most)
{
	munmap(table, (most * sizeof(*table) + PIECE_BYTES - 1) / PIECE_BYTES * PIECE_BYTES);
}

static int check_back(xc_interface *xen, uint64_t pfn, uint64_t frame, struct reason *why)
{
	unsigned long most = 0;
	xen_pfn_t *table;
	uint64_t found;
	int error = xen_map_frames(xen, &table, &most, why);

	if (error)
		return error;
	found = frame < most ? table[frame] : UINT64_MAX;
	xen_unmap_frames(table, most);
	return found == pfn ? 0
			    : fail(why, -EFAULT,
				   "Xen has page 0x%" PRIx64 " in frame 0x%" PRIx64
				   ", and that frame as page 0x%" PRIx64,
				   pfn, frame, found);
}

/** xen_frame - the frame of a page; see struct xen_control */
int xen_frame(void *handle, unsigned int processor, uint32_t number, uint32_t domain, uint64_t pfn,
	      uint64_t *frame, struct reason *why)
{
	return translate(handle, processor, number, domain, pfn, frame, why)
		       ?: check_back(handle, pfn, *frame, why);
}
