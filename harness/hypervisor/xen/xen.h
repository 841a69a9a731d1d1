/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_HYPERVISOR_XEN_H
#define BRINELL_HYPERVISOR_XEN_H

#include <libxl.h>
#include <libxl_utils.h>
#include <xenctrl.h>

#include "harness/hypervisor/hypervisor.h"

#define XEN_NO_DOMAIN UINT32_MAX
/* Suffixes of the name during a migration on this host: of the restored domain, and then of the source. */
#define XEN_INCOMING "--incoming"
#define XEN_LEFT "--migratedaway"

/**
 * struct xen_session - libxl and libxenctrl, for one thread
 * @log: an anonymous file with their messages, for reasons of failures
 */
struct xen_session {
	libxl_ctx *libxl;
	xc_interface *control;
	xentoollog_logger *logger;
	FILE *log;
};

/**
 * struct xen_child - a process for one operation of libxl, which may fork, block, or be killed
 * @pid: 0: none
 * @log: of its session; -1: none
 */
struct xen_child {
	pid_t pid;
	int log;
};

#define XEN_NO_CHILD ((struct xen_child){.log = -1})

/* The operation of a child. @fd: its end of a stream, or -1. Return: 0, or an error of libxl */
typedef int xen_child_work(struct xen_session *session, const void *context, int fd);

/* session.c */
struct xen_session *xen_session_open(int log, struct reason *why);
void xen_session_close(void *session);
int xen_fail(const struct xen_session *session, struct reason *why, int error, const char *format,
	     ...) __attribute__((format(printf, 4, 5)));
int xen_domain_info(xc_interface *control, uint32_t domain, xc_domaininfo_t *info);
uint32_t xen_find(const struct xen_session *session, const char *domain, const char *suffix);

/* child.c */
int xen_child_start(struct xen_child *child, xen_child_work *work, const void *context, int fd,
		    struct reason *why);
bool xen_child_ended(struct xen_child *child, int *status);
int xen_child_wait(struct xen_child *child, const char *what, struct reason *why);
void xen_child_kill(struct xen_child *child);

/* domain.c: operations of struct hypervisor, and helpers of migrations */
char *xen_plan(const struct domain_plan *plan);
hypervisor_work xen_start, xen_find_domain, xen_describe, xen_claim, xen_state, xen_stop,
	xen_unsupported;
int xen_destroy(struct xen_session *session, uint32_t domain, struct reason *why);
char *xen_store_read(uint32_t domain, const char *name);
void xen_sweep(void);

/* linux.c */
int xen_unpack_linux(struct xen_session *session, json_t *description, struct reason *why);
int xen_fit_linux(struct xen_session *session, uint32_t domain, struct reason *why);
bool xen_suspends_itself(uint32_t domain);

/* watch.c: ends of domains as events */
int xen_watch_start(struct reason *why);
void xen_watch_domain(const char *uuid, uint32_t domain, bool ours);
bool xen_is_ours(const struct hypervisor_job *job);
void xen_watch_end(const char *uuid);
void xen_event(const char *uuid, const char *event, const char *state, const char *detail);

/* arrive.c */
hypervisor_work xen_receive;
void xen_await_end(const char *uuid);

/* mover.c, migrate.c */
hypervisor_work xen_migrate, xen_control;
void xen_page_event(xc_interface *control, const char *uuid, uint32_t domain, uint64_t page,
		    const char *place, uint64_t iteration);
void xen_migrate_break(const char *uuid);
void xen_migrate_abandon(const char *uuid);

#endif
