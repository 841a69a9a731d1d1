/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_FAKE_XENCTRL_H
#define BRINELL_UNIT_FAKE_XENCTRL_H

/* What witnesses and migrations use of libxenctrl, for tests that make up the functions. */
#include <stdint.h>
#include <stdio.h>

typedef struct xentoollog_logger xentoollog_logger;
typedef struct xc_interface_core xc_interface;
typedef unsigned long xen_pfn_t;
typedef uint16_t domid_t;

typedef struct {
	uint32_t domain, flags;
	uint64_t tot_pages;
} xc_domaininfo_t;

/* xen/include/public/xen.h, domctl.h and sched.h */
#define DOMID_INVALID 0x7ff4
#define XEN_DOMINF_shutdown (1u << 2)
#define XEN_DOMINF_shutdownmask 255
#define XEN_DOMINF_shutdownshift 16
#define XEN_DOMCTL_SHADOW_OP_OFF 0
#define SHUTDOWN_suspend 2

/* xen/include/public/sysctl.h */
#define PG_OFFLINE_FAILED (1u << 3)
#define PG_OFFLINE_STATUS_OFFLINED (1u << 1)
#define PG_OFFLINE_STATUS_OFFLINE_PENDING (1u << 3)
#define PG_OFFLINE_STATUS_BROKEN (1u << 4)

typedef struct {
	uint32_t capabilities;
} xc_physinfo_t;

#define XTL_CRITICAL 1
#define XENVER_version 0

void *xtl_createlogger_stdiostream(FILE *file, int level, unsigned int flags);
xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *builder,
				unsigned int flags);
int xc_domain_shutdown(xc_interface *xch, uint32_t domain, int reason);
int xc_hvm_param_set(xc_interface *xch, uint32_t domain, uint32_t parameter, uint64_t value);
int xc_domain_pause(xc_interface *xch, uint32_t domain);
int xc_domain_unpause(xc_interface *xch, uint32_t domain);
long long xc_shadow_control(xc_interface *xch, uint32_t domain, unsigned int what, void *stats,
			    unsigned int mode);
int xc_interface_close(xc_interface *xch);
int xc_physinfo(xc_interface *xch, xc_physinfo_t *machine);
int xc_version(xc_interface *xch, int what, void *answer);
int xc_readconsolering(xc_interface *xch, char *buffer, unsigned int *count, int clear,
		       int incremental, uint32_t *index);
int xc_maximum_ram_page(xc_interface *xch, unsigned long *most);

#endif
