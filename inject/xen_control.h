/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_INJECT_XEN_CONTROL_H
#define BRINELL_INJECT_XEN_CONTROL_H

#include "harness/lib/registry.h"
#include "harness/lib/util.h"

/* Types of pages (xen/include/public/domctl.h, XEN_DOMCTL_PFINFO_*), as far as they are told apart here. */
enum xen_page {
	XEN_PAGE_USED,
	XEN_PAGE_HOLE,
	XEN_PAGE_BROKEN,
};

/**
 * struct xen_domain - what Xen says of a domain
 * @id:     its number
 * @hvm:    its memory is that of a machine of its own (HVM or PVH); otherwise PV
 * @dying, @shutdown, @paused: its state
 * @reason: of a domain that has shut down (xen/include/public/sched.h, SHUTDOWN_*)
 * @pfns:   its highest pfn and one more
 */
struct xen_domain {
	uint32_t id;
	bool hvm, dying, shutdown, paused;
	unsigned int reason;
	uint64_t pfns;
};

/**
 * struct xen_machine - what Xen says of the machine
 * @major, @minor: version of Xen
 * @processors: online
 * @cap:        IA32_MCG_CAP of processor 0, 0 when it is not known
 * @intel:      of the vendor whose machine checks Xen handles by itself
 */
struct xen_machine {
	unsigned int major, minor;
	unsigned int processors;
	uint64_t cap;
	bool intel;
};

/* One write of a machine check register before a simulated machine check: @physical: @value is a physical address of a guest. */
struct xen_msr {
	uint32_t number;
	uint64_t value;
	bool physical;
};

/**
 * struct xen_control - the way of an injector to Xen
 * @name:   for people
 * @open:   a handle; NULL with the reason when this is no Xen, or another version than the library's
 * @close:  ends it
 * @machine: about the machine
 * @find:   a domain by its name (of xenstore)
 * @state:  a domain by its number; -ESRCH when there is none
 * @page:   the type of a page of a domain that is not PV
 * @frame:  the machine frame behind a pfn of it. The page is mapped and its frame is looked up, so that a hole has none
 * @write_msrs: interposes values of registers of machine checks of one processor; with @domain those are of its memory
 * @raise:  has a processor take a simulated machine check. @kind: XEN_RAISE_*
 * @break_page: marks a page of a domain as broken
 * @offline: takes a machine frame out of use; @status receives PG_OFFLINE_STATUS_* (xen/include/public/sysctl.h)
 *
 * Errors are -errno with a reason. Only a program that is linked with libxenctrl has one of these.
 */
struct xen_control {
	const char *name;
	void *(*open)(struct reason *why);
	void (*close)(void *handle);
	int (*machine)(void *handle, struct xen_machine *machine, struct reason *why);
	int (*find)(void *handle, const char *name, struct xen_domain *domain, struct reason *why);
	int (*state)(void *handle, uint32_t id, struct xen_domain *domain, struct reason *why);
	int (*page)(void *handle, uint32_t domain, uint64_t pfn, enum xen_page *page,
		    struct reason *why);
	int (*write_msrs)(void *handle, unsigned int processor, uint32_t domain,
			  const struct xen_msr *msrs, size_t count, struct reason *why);
	int (*raise)(void *handle, unsigned int processor, unsigned int kind, struct reason *why);
	int (*break_page)(void *handle, uint32_t domain, uint64_t pfn, struct reason *why);
	int (*offline)(void *handle, uint64_t frame, uint32_t *status, struct reason *why);
};

REGISTRY(xen_control)

#define XEN_RAISE_EXCEPTION 0
#define XEN_RAISE_CMCI 1
#define XEN_RAISE_LOCAL 2

#endif
