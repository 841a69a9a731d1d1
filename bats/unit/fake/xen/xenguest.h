/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_FAKE_XENGUEST_H
#define BRINELL_UNIT_FAKE_XENGUEST_H

#include "xenctrl.h"

int xc_mark_page_offline(xc_interface *xch, unsigned long first, unsigned long last,
			 uint32_t *status);
int xc_query_page_offline_status(xc_interface *xch, unsigned long first, unsigned long last,
				 uint32_t *status);
/* What is unpacked of a kernel. */
struct xc_dom_image {
	void *kernel_blob;
	size_t kernel_size;
	enum {
		XC_DOM_PV_CONTAINER,
		XC_DOM_HVM_CONTAINER
	} container_type;
};

struct xc_dom_image *xc_dom_allocate(xc_interface *xch, const char *command_line,
				     const char *features);
int xc_dom_kernel_file(struct xc_dom_image *image, const char *path);
int xc_dom_boot_xen_init(struct xc_dom_image *image, xc_interface *xch, domid_t domain);
int xc_dom_parse_image(struct xc_dom_image *image);
void xc_dom_release(struct xc_dom_image *image);
xen_pfn_t *xc_map_m2p(xc_interface *xch, unsigned long most, int protection, unsigned long *first);

#endif
