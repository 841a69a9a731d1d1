/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_FAKE_XENFOREIGNMEMORY_H
#define BRINELL_UNIT_FAKE_XENFOREIGNMEMORY_H

#include <stddef.h>

#include "xenctrl.h"

typedef struct xenforeignmemory_handle xenforeignmemory_handle;

xenforeignmemory_handle *xenforeignmemory_open(void *logger, unsigned int flags);
int xenforeignmemory_close(xenforeignmemory_handle *handle);
void *xenforeignmemory_map(xenforeignmemory_handle *handle, uint32_t domain, int protection,
			   size_t pages, const xen_pfn_t *pfns, int *errors);
int xenforeignmemory_unmap(xenforeignmemory_handle *handle, void *address, size_t pages);

#endif
