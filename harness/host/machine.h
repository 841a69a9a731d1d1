/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_HOST_MACHINE_H
#define BRINELL_HOST_MACHINE_H

#include "harness/lib/util.h"

/* Bits of /proc/kpageflags (include/uapi/linux/kernel-page-flags.h). */
#define PAGE_FLAG_HUGE 17
#define PAGE_FLAG_HWPOISON 19
#define PAGE_FLAG_THP 22
#define PAGE_FLAG_ZERO_PAGE 24

/**
 * enum memory_kind - what an address of the machine is, by /proc/iomem
 * @MEMORY_RAM:      system RAM
 * @MEMORY_OTHER:    no RAM, but memory that the kernel lets EINJ have: persistent, soft reserved, firmware's
 * @MEMORY_DEVICE:   a device, or nothing at all
 * @MEMORY_UNKNOWN:  /proc/iomem hides its addresses or can not be read
 */
enum memory_kind {
	MEMORY_RAM,
	MEMORY_OTHER,
	MEMORY_DEVICE,
	MEMORY_UNKNOWN,
};

enum memory_kind machine_memory_kind(uint64_t address);
int machine_page_flags(uint64_t pfn, uint64_t *flags);
bool machine_has_file(const char *path);
char *machine_find_kernel(const char *release);
char *machine_line(const char *path);
char *machine_find_program(const char *name);
bool machine_module_available(const char *module);
bool machine_is_locked_down(void);
int machine_load_module(const char *module, const char *proof, struct reason *why);
void probe_debugfs(json_t *findings);
int machine_is_expendable(struct reason *why);
void finding_add(json_t *findings, const char *name, bool ok, const char *reason,
		 const char *remedy);
/* The names of what machine_add_facts() adds, up to a NULL. */
extern const char *const machine_facts[];
void machine_add_facts(json_t *facts);
json_t *machine_clean_bill(void);

void machine_take_seed(void);

#endif
