/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_JUDGE_SCOPE_H
#define BRINELL_JUDGE_SCOPE_H

#include "harness/lib/util.h"

#define RANGE_LIMIT 64

/**
 * struct range - addresses or page frames that belong to the trial: @first up to but without @end
 */
struct range {
	uint64_t first, end;
};

/**
 * struct scope - the page frames, addresses and processes of one machine that belong to the victim or were aimed at
 * @device: PCI function that the fault was aimed at; NULL: none; borrowed
 * @iovas:  addresses to which the fault lets @device go
 * @cpu, @bank: of the machine check that the fault is, with @has_bank
 */
struct scope {
	struct range pfns[RANGE_LIMIT];
	size_t pfn_count;
	struct range addresses[RANGE_LIMIT];
	size_t address_count;
	int64_t pids[RANGE_LIMIT];
	size_t pid_count;
	const char *device;
	struct range iovas[RANGE_LIMIT];
	size_t iova_count;
	bool has_bank;
	uint64_t cpu, bank;
};

void scope_add_frames(struct scope *scope, const json_t *facts);
void scope_add_facts(struct scope *scope, const json_t *facts);
void scope_add_resolved(struct scope *scope, const json_t *page);
void scope_add_aim(struct scope *scope, const json_t *aim);
void scope_add_guest_aim(struct scope *scope, const json_t *aim);

bool scope_owns_pfn(const struct scope *scope, uint64_t pfn);
bool scope_has_pfn_of(const struct scope *scope, uint64_t pfn, uint64_t pages);
bool scope_owns_pid(const struct scope *scope, int64_t pid);
bool scope_owns_dma(const struct scope *scope, const char *device, uint64_t iova);
bool scope_owns_address(const struct scope *scope, uint64_t address);

#endif
