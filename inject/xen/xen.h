/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_INJECT_XEN_XEN_H
#define BRINELL_INJECT_XEN_XEN_H

/* In this order: the second one relies on definitions of the first. */
#include <xenctrl.h>
#include <xenforeignmemory.h>

#include "inject/xen_control.h"

#define XEN_LOG_CHUNK 4096

xc_interface *xen_open(struct reason *why);
void xen_probe(json_t *findings, const char *name);
bool xen_is_alive(xc_interface *xen, uint32_t domain);
int xen_page_type(xc_interface *xen, uint32_t domain, uint64_t pfn, enum xen_page *page,
		  struct reason *why);
int xen_log_read(xc_interface *xen, uint32_t *index, char *text, uint32_t *lost);
int xen_write_address(void *handle, unsigned int processor, uint32_t number, uint32_t domain,
		      uint64_t gpa, struct reason *why);
int xen_frame(void *handle, unsigned int processor, uint32_t number, uint32_t domain, uint64_t pfn,
	      uint64_t *frame, struct reason *why);
int xen_map_frames(xc_interface *xen, xen_pfn_t **table, unsigned long *most, struct reason *why);
void xen_unmap_frames(xen_pfn_t *table, unsigned long most);
int xen_offline(void *handle, uint64_t frame, unsigned int *state, struct reason *why);
int xen_frame_state(void *handle, uint64_t frame, unsigned int *state, struct reason *why);
int xen_free_frame(void *handle, uint64_t *frame, struct reason *why);
void frame_state_watch(uint64_t frame, unsigned int state);
void page_type_watch(uint32_t domain, uint64_t pfn);

#endif
