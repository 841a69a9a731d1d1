// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages, addresses and processes that a fault was meant for, on one machine: the host, or a guest with addresses
 * of its own. Evidence about others is no proof.
 */
#include <string.h>

#include "harness/judge/read/scope.h"

static void add_range(struct range *ranges, size_t *count, uint64_t first, uint64_t length)
{
	uint64_t end;

	if (*count == RANGE_LIMIT)
		return;
	if (__builtin_add_overflow(first, length, &end))
		end = UINT64_MAX;
	ranges[(*count)++] = (struct range){first, end};
}

static bool in_ranges(const struct range *ranges, size_t count, uint64_t value)
{
	for (size_t i = 0; i < count; i++)
		if (value >= ranges[i].first && value < ranges[i].end)
			return true;
	return false;
}

static bool read_number(const json_t *object, const char *key, uint64_t *number)
{
	*number = (uint64_t)json_number(object, key, 0);
	return *number != 0;
}

/* A page of 2^n bytes; anything else that calls itself a page size is taken for 4 KiB. */
static uint64_t page_size_of(const json_t *facts)
{
	uint64_t size = (uint64_t)json_number(facts, "page_size", 4096);

	return size >= 4096 && size <= 1ull << 30 && (size & (size - 1)) == 0 ? size : 4096;
}

static void add_pfns(struct scope *scope, uint64_t pfn, uint64_t pages)
{
	add_range(scope->pfns, &scope->pfn_count, pfn & ~(pages - 1), pages);
}

/* A process id, or a list of them. */
static void add_pids(struct scope *scope, const json_t *value)
{
	size_t index;
	json_t *each;

	if (json_is_integer(value) && scope->pid_count < RANGE_LIMIT)
		scope->pids[scope->pid_count++] = json_integer_value(value);
	json_array_foreach (value, index, each)
		if (json_is_integer(each) && scope->pid_count < RANGE_LIMIT)
			scope->pids[scope->pid_count++] = json_integer_value(each);
}

/** scope_add_frames - the page frames of a workload */
void scope_add_frames(struct scope *scope, const json_t *facts)
{
	uint64_t size = page_size_of(facts), number;

	if (read_number(facts, "pfn", &number))
		add_pfns(scope, number, size / 4096);
	if (read_number(facts, "physical", &number))
		add_pfns(scope, number >> 12, size / 4096);
}

/** scope_add_facts - what else belongs to a workload: its addresses, its processes and threads */
void scope_add_facts(struct scope *scope, const json_t *facts)
{
	static const char *const pid_keys[] = {"pid", "pids", "tid", "tids", "threads", "children"};
	uint64_t size = page_size_of(facts), number;

	if (read_number(facts, "address", &number))
		add_range(scope->addresses, &scope->address_count, number & ~(size - 1), size);
	for (size_t i = 0; i < ARRAY_SIZE(pid_keys); i++)
		add_pids(scope, json_object_get(facts, pid_keys[i]));
}

/** scope_add_resolved - where a host has the page of a guest: its frame, and the address and the process of QEMU */
void scope_add_resolved(struct scope *scope, const json_t *page)
{
	uint64_t size = page_size_of(page), number;

	if (read_number(page, "pfn", &number))
		add_pfns(scope, number, size / 4096);
	if (read_number(page, "hpa", &number))
		add_pfns(scope, number >> 12, size / 4096);
	if (read_number(page, "hva", &number))
		add_range(scope->addresses, &scope->address_count, number & ~(size - 1), size);
	add_pids(scope, json_object_get(page, "pid"));
}

/**
 * scope_add_aim - what a fault was aimed at on its host
 *
 * An injector's "address" is physical or virtual, by its kind; reading it both ways is harmless, because no virtual
 * address of a process is the number of a page frame that exists.
 */
void scope_add_aim(struct scope *scope, const json_t *aim)
{
	static const char *const address_keys[] = {"address", "physical", "param1"};
	uint64_t number;

	if (!scope->device)
		scope->device = json_text(aim, "sbdf", NULL);
	if (json_object_get(aim, "iova")) {
		(void)read_number(aim, "iova", &number);
		add_range(scope->iovas, &scope->iova_count, number & ~0xfffull,
			  (uint64_t)json_number(aim, "length", 4096));
	}
	if (read_number(aim, "pfn", &number))
		add_pfns(scope, number, 1);
	for (size_t i = 0; i < ARRAY_SIZE(address_keys); i++)
		if (read_number(aim, address_keys[i], &number))
			add_pfns(scope, number >> 12, 1);
}

/** scope_add_guest_aim - what a fault was aimed at as a guest counts its memory */
void scope_add_guest_aim(struct scope *scope, const json_t *aim)
{
	uint64_t number;

	if (read_number(aim, "gpa", &number))
		add_pfns(scope, number >> 12, 1);
}

/** scope_owns_pfn - is a page frame one that the fault was meant for? */
bool scope_owns_pfn(const struct scope *scope, uint64_t pfn)
{
	return in_ranges(scope->pfns, scope->pfn_count, pfn);
}

/** scope_has_pfn_of - is one of so many page frames one that the fault was meant for? */
bool scope_has_pfn_of(const struct scope *scope, uint64_t pfn, uint64_t pages)
{
	for (size_t i = 0; i < scope->pfn_count; i++)
		if (pfn < scope->pfns[i].end &&
		    (scope->pfns[i].first <= pfn || scope->pfns[i].first - pfn < pages))
			return true;
	return false;
}

/** scope_owns_pid - is a process, or a thread, one of the victim? */
bool scope_owns_pid(const struct scope *scope, int64_t pid)
{
	for (size_t i = 0; i < scope->pid_count; i++)
		if (scope->pids[i] == pid)
			return true;
	return false;
}

/** scope_owns_address - is a virtual address in the victim's page? */
bool scope_owns_address(const struct scope *scope, uint64_t address)
{
	return in_ranges(scope->addresses, scope->address_count, address);
}

/** scope_owns_dma - is an access one that the fault makes: of its device, to one of its addresses? */
bool scope_owns_dma(const struct scope *scope, const char *device, uint64_t iova)
{
	return scope->device && strcmp(device, scope->device) == 0 &&
	       in_ranges(scope->iovas, scope->iova_count, iova);
}
