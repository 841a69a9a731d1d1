/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_HYPERVISOR_DOMAIN_H
#define BRINELL_HYPERVISOR_DOMAIN_H

#include "harness/lib/util.h"

/* Files of micro guests, one directory a guest; in a tmpfs. */
#define DOMAIN_DIRECTORY "/run/brinell/guests"
/* The name of a domain of brinell is this, followed by the name of the guest. */
#define DOMAIN_PREFIX "brinell-"

/**
 * struct domain_plan - configuration of a micro guest
 * @guest:      its name; domain_name_is_valid()
 * @uuid:       of its domain
 * @kernel, @initramfs, @console: paths; @initramfs NULL: the kernel is a unikernel. A file "kernel" beside the initramfs is the hypervisor's
 * @owner:      identifies the agent that creates it; domain_owner()
 * @machine:    one of @machines of the hypervisor; NULL: it has only one
 * @arguments:  appended to the kernel command line; may be empty
 * @port:       of the host's vsock that it dials
 * @memory_mib, @processors: its size
 * @huge_pages: its memory is of hugetlbfs
 */
struct domain_plan {
	const char *guest;
	const char *uuid;
	const char *kernel, *initramfs, *console;
	const char *machine;
	const char *arguments;
	const char *owner;
	unsigned int port;
	unsigned int memory_mib, processors;
	bool huge_pages;
};

/**
 * struct domain_flood - rate limit of one kind of event; events above it are only counted
 * @window_ns: start of the present second
 * @reported:      events reported in this second
 * @unreported:    events counted since domain_flood_rest()
 */
struct domain_flood {
	int64_t window_ns;
	unsigned int reported;
	uint64_t unreported;
};

bool domain_flood_takes(struct domain_flood *flood, int64_t now_ns);
uint64_t domain_flood_rest(struct domain_flood *flood, int64_t now_ns);

bool domain_name_is_valid(const char *name);
char *domain_owner(pid_t pid);
bool domain_is_orphan(const char *owner);
int domain_claim(const char *guest);
void domain_disclaim(const char *guest);
char *domain_log_tail(const char *begin, const char *domain, size_t most);
char *domain_agent(const char *guest, const char *description);

/**
 * struct initramfs_source - contents of an initramfs
 * @program:  becomes /init; static
 * @modules:  directory of kernel modules; see modules_collect()
 * @programs: array of names of programs of this machine, which are added with their libraries; NULL: none
 */
struct initramfs_source {
	const char *program;
	const char *modules;
	const json_t *programs;
};

int programs_collect(const json_t *names, json_t **files, struct reason *why);
int modules_collect(const char *directory, json_t **paths, struct reason *why);
int initramfs_write(const char *path, const struct initramfs_source *source, struct reason *why);

/**
 * struct host_page - location of a page of a process
 * @present:   it is in memory
 * @swapped:   it is in swap
 * @zero:      it is the kernel's zero page, which all processes share
 * @huge:      it belongs to a huge page, of hugetlbfs or transparent
 * @poisoned:  the kernel has marked it as poisoned (KPF_HWPOISON)
 * @flags_known: /proc/kpageflags could be read
 * @pfn:       its page frame; 0 if it has none of its own
 * @page_size: bytes of the page that the kernel manages: 4096, or that of hugetlbfs
 * @flags:     of /proc/kpageflags
 */
struct host_page {
	bool present, swapped, zero, huge, poisoned, flags_known;
	uint64_t pfn;
	uint64_t page_size;
	uint64_t flags;
};

int host_page_find(pid_t pid, uint64_t address, struct host_page *page, struct reason *why);

int huge_pages_reserve(unsigned int memory_mib, uint64_t *added, struct reason *why);
void huge_pages_release(uint64_t added);
char *transparent_pages_policy(void);

struct console;

/* @lost: lines before this one that were dropped, at least */
typedef void console_line_fn(void *context, const char *text, uint64_t lost);

struct console *console_open(const char *path, struct reason *why);
void console_free(struct console *console);
int console_fd(const struct console *console);
void console_read(struct console *console, console_line_fn *line, void *context);
void console_end(struct console *console, console_line_fn *line, void *context);
char *console_tail(const struct console *console, size_t most);

#endif
