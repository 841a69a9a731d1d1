/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_FAKE_XENGUEST_H
#define BRINELL_UNIT_FAKE_XENGUEST_H

#include "xenctrl.h"

int xc_mark_page_offline(xc_interface *xch, unsigned long first, unsigned long last,
			 uint32_t *status);
int xc_query_page_offline_status(xc_interface *xch, unsigned long first, unsigned long last,
				 uint32_t *status);
xen_pfn_t *xc_map_m2p(xc_interface *xch, unsigned long most, int protection, unsigned long *first);

#endif
