/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_INJECT_XEN_CONTROL_H
#define BRINELL_INJECT_XEN_CONTROL_H

#include "harness/lib/registry.h"
#include "harness/lib/util.h"

/**
 * enum xen_page - what a page of a domain is (xen/include/public/domctl.h, XEN_DOMCTL_PFINFO_*)
 * @XEN_PAGE_USED:   memory of the domain
 * @XEN_PAGE_HOLE:   no memory: never there, ballooned out, or of a device
 * @XEN_PAGE_BROKEN: marked as broken
 */
enum xen_page {
	XEN_PAGE_USED,
	XEN_PAGE_HOLE,
	XEN_PAGE_BROKEN,
};

/**
 * enum xen_frame_flag - what Xen keeps of a frame of the machine (xen/include/public/sysctl.h, PG_OFFLINE_STATUS_*)
 * @XEN_FRAME_PENDING: it is taken out of use when its domain gives it back
 * @XEN_FRAME_OFFLINE: it is out of use
 * @XEN_FRAME_BROKEN:  a machine check struck it
 */
enum xen_frame_flag {
	XEN_FRAME_PENDING = 1 << 0,
	XEN_FRAME_OFFLINE = 1 << 1,
	XEN_FRAME_BROKEN = 1 << 2,
};

/**
 * struct xen_domain - what Xen says of a domain
 * @id:    its number
 * @hvm:   its memory is that of a machine of its own (HVM and PVH); otherwise it is PV
 * @dying: it is being destroyed
 * @ended: it has shut down, with @reason (xen/include/public/sched.h, SHUTDOWN_*)
 * @pfns:  its highest pfn and one more
 */
struct xen_domain {
	uint32_t id;
	bool hvm, dying, ended;
	unsigned int reason;
	uint64_t pfns;
};

/**
 * struct xen_machine - what Xen says of the machine
 * @processors: that are online
 * @cap:        IA32_MCG_CAP of the first of them
 * @hvm:        it has guests with a device model
 * @intel:      of Intel: only there Xen acts on a machine check itself (xen/arch/x86/cpu/mcheck/mce_intel.c, mce_dhandlers)
 */
struct xen_machine {
	unsigned int processors;
	uint64_t cap;
	bool hvm, intel;
};

/* A register of machine checks (IA32_MC*) and the value that Xen reads from it in the next simulated machine check. */
struct xen_msr {
	uint32_t number;
	uint64_t value;
};

enum xen_raise {
	XEN_RAISE_EXCEPTION,
	XEN_RAISE_CMCI,
	XEN_RAISE_LOCAL,
};

/**
 * struct xen_control - the way of an injector to Xen
 * @open:       a handle; NULL with the reason: this is no Xen, or not the version of the library
 * @close:      ends it
 * @machine:    describes the machine
 * @find:       describes the domain of a name. -ESRCH: there is none
 * @page:       the type of a page of a domain that is not PV
 * @write_msrs: interposes values of registers of one processor
 * @write_address: interposes the address of an error: a physical address of a domain that is not PV, which Xen translates
 * @raise:      has a processor take a simulated machine check
 * @frame:      the frame of the machine that a page of a domain has, which Xen says in both directions. @number: an address
 *              register (IA32_MCi_ADDR) of @processor, which keeps an interposed value that no valid status goes with
 * @break_page: marks a page of a domain as broken
 * @offline:    takes a frame out of use, and leaves in @state what it is then: a set of enum xen_frame_flag. -EBUSY: Xen needs it
 * @frame_state: what a frame is, such a set
 * @free_frame: a frame that no domain has
 * @watch_frame: has the witness of frames look at a frame from now on, which is in @state now
 * @watch:      has the witness of page types look at a page from now on
 *
 * Each returns 0 or -errno with a reason. Only a program that is linked with libxenctrl has one of these.
 */
struct xen_control {
	const char *name;
	void *(*open)(struct reason *why);
	void (*close)(void *handle);
	int (*machine)(void *handle, struct xen_machine *machine, struct reason *why);
	int (*find)(void *handle, const char *name, struct xen_domain *domain, struct reason *why);
	int (*page)(void *handle, uint32_t domain, uint64_t pfn, enum xen_page *page,
		    struct reason *why);
	int (*write_msrs)(void *handle, unsigned int processor, const struct xen_msr *msrs,
			  size_t count, struct reason *why);
	int (*write_address)(void *handle, unsigned int processor, uint32_t number, uint32_t domain,
			     uint64_t gpa, struct reason *why);
	int (*raise)(void *handle, unsigned int processor, enum xen_raise raise,
		     struct reason *why);
	int (*frame)(void *handle, unsigned int processor, uint32_t number, uint32_t domain,
		     uint64_t pfn, uint64_t *frame, struct reason *why);
	int (*break_page)(void *handle, uint32_t domain, uint64_t pfn, struct reason *why);
	int (*offline)(void *handle, uint64_t frame, unsigned int *state, struct reason *why);
	int (*frame_state)(void *handle, uint64_t frame, unsigned int *state, struct reason *why);
	int (*free_frame)(void *handle, uint64_t *frame, struct reason *why);
	void (*watch_frame)(uint64_t frame, unsigned int state);
	void (*watch)(uint32_t domain, uint64_t pfn);
};

REGISTRY(xen_control)

#define XEN_CONTROL_MISSING "this agent is not linked with libxenctrl"
#define XEN_CONTROL_REMEDY "use brinell-agent-xen, in the first domain of Xen"

#endif
