/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_FAKE_XENCTRL_H
#define BRINELL_UNIT_FAKE_XENCTRL_H

/* What the witnesses of Xen use of its libraries, for a test that makes up the functions. */
#include <stdint.h>

typedef struct xc_interface_core xc_interface;
typedef unsigned long xen_pfn_t;

int xc_interface_close(xc_interface *xch);
int xc_readconsolering(xc_interface *xch, char *buffer, unsigned int *count, int clear,
		       int incremental, uint32_t *index);
int xc_maximum_ram_page(xc_interface *xch, unsigned long *most);

#endif
