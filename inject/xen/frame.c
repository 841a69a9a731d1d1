// SPDX-License-Identifier: GPL-2.0-only
/*
 * The frame of the machine that a page of a domain has. The tables of a domain that is not PV are Xen's own, and no call shows what is
 * in them. But Xen translates the address of an error that is interposed, and logs the outcome (do_mca() and x86_mc_msrinject() of
 * xen/arch/x86/cpu/mcheck/mce.c). The table of the machine's frames, which the first domain can map, must lead back to the page:
 * alone it would not do, because the two domains of a migration have the same pages.
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

/* What Xen has logged since @index; owned by the caller, or NULL. */
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
	__cleanup_free char *said = NULL;
	const char *found;
	uint32_t index = 0;
	int error;

	free(read_log(xen, &index));
	error = xen_write_address(xen, processor, number, domain, pfn << PAGE_BITS, why);
	if (error)
		return error;
	said = read_log(xen, &index);
	found = said ? strstr(said, wanted) : NULL;
	if (!found)
		return fail(why, -ENODATA,
			    "Xen does not log where page 0x%" PRIx64 " of domain %u is: 'HV MSR "
			    "INJECT' is missing in its log (loglvl=)",
			    pfn, domain);
	*frame = strtoull(found + strlen(wanted), NULL, 16) >> PAGE_BITS;
	return 0;
}

/**
 * xen_map_frames - the table of the machine's frames: the page that each is in its domain, or all ones when no domain has it
 * @table: receives it, for reading; xen_unmap_frames() is due after success
 * @most:  receives how many
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

/** xen_unmap_frames - give such a table back */
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
				   ", whose page it says is 0x%" PRIx64,
				   pfn, frame, found);
}

/** xen_frame - the frame of a page; see struct xen_control */
int xen_frame(void *handle, unsigned int processor, uint32_t number, uint32_t domain, uint64_t pfn,
	      uint64_t *frame, struct reason *why)
{
	return translate(handle, processor, number, domain, pfn, frame, why)
		       ?: check_back(handle, pfn, *frame, why);
}
