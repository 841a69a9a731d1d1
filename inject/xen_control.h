/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_INJECT_XEN_CONTROL_H
#define BRINELL_INJECT_XEN_CONTROL_H

#include "harness/lib/registry.h"
#include "harness/lib/util.h"

/**
 * enum xen_page - type of a page of a domain (xen/include/public/domctl.h, XEN_DOMCTL_PFINFO_*)
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
 * enum xen_frame_flag - state of a machine frame in Xen (xen/include/public/sysctl.h, PG_OFFLINE_STATUS_*)
 * @XEN_FRAME_PENDING: it is taken out of use when its domain frees it
 * @XEN_FRAME_OFFLINE: it is out of use
 * @XEN_FRAME_BROKEN:  a machine check reported it
 */
enum xen_frame_flag {
	XEN_FRAME_PENDING = 1 << 0,
	XEN_FRAME_OFFLINE = 1 << 1,
	XEN_FRAME_BROKEN = 1 << 2,
};

/**
 * struct xen_domain - state of a domain, from Xen
 * @id:    its number
 * @hvm:   it has a physical address space of its own (HVM and PVH); otherwise it is PV
 * @dying: it is being destroyed
 * @ended: it has shut down, for @reason (xen/include/public/sched.h, SHUTDOWN_*)
 * @pfns:  its highest pfn, plus one
 */
struct xen_domain {
	uint32_t id;
	bool hvm, dying, ended;
	unsigned int reason;
	uint64_t pfns;
};

/**
 * struct xen_machine - properties of the machine, from Xen
 * @processors: number that are online
 * @cap:        IA32_MCG_CAP of the first of them
 * @hvm:        it can run guests with a device model
 * @kernel:     it has a file with its kernel, which Linux guests boot
 * @intel:      its processors are Intel's: only there Xen handles machine checks itself (xen/arch/x86/cpu/mcheck/mce_intel.c, mce_dhandlers)
 */
struct xen_machine {
	unsigned int processors;
	uint64_t cap;
	bool hvm, kernel, intel;
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
 * struct xen_control - access of an injector to Xen
 * @open:       opens a handle; NULL with the reason: this is no Xen, or its version differs from the library's
 * @close:      closes it
 * @machine:    describes the machine
 * @find:       finds a domain by its name. -ESRCH: there is none
 * @page:       reads the type of a page of a domain that is not PV
 * @write_msrs: interposes values of registers of one processor
 * @write_address: interposes the address of an error: a physical address of a domain that is not PV, which Xen translates
 * @raise:      raises a simulated machine check on a processor
 * @frame:      finds the machine frame of a page of a domain, and verifies it in both directions. @number: an address
 *              register (IA32_MCi_ADDR) of @processor, which keeps an interposed value that no valid status goes with
 * @break_page: marks a page of a domain as broken
 * @offline:    takes a frame out of use; @state receives its new state, a set of enum xen_frame_flag. -EBUSY: Xen uses it
 * @frame_state: reads the state of a frame, such a set
 * @free_frame: finds a frame that no domain owns
 * @watch_frame: makes the witness of frames follow a frame, whose present state is @state
 * @watch:      makes the witness of page types follow a page
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
