// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events that repeat without end are reported a few times a second, the others are counted. A guest that runs into poison in its own
 * kernel can have QEMU report hundreds of memory failures a second until it is stopped.
 */
#include "harness/hypervisor/domain.h"

#define REPORTS_PER_SECOND 10

/**
 * domain_flood_takes - whether an event is reported, or only counted
 * @flood:  of events of one kind and one guest; zeroed before the first
 * @now_ns: CLOCK_MONOTONIC
 *
 * Return: true when it is to be reported.
 */
bool domain_flood_takes(struct domain_flood *flood, int64_t now_ns)
{
	if (now_ns - flood->window_ns >= NSEC_PER_SEC) {
		flood->window_ns = now_ns;
		flood->reported = 0;
	}
	if (flood->reported < REPORTS_PER_SECOND) {
		flood->reported++;
		return true;
	}
	flood->unreported++;
	return false;
}

/**
 * domain_flood_rest - how many were only counted; to be reported once their second is over
 * @flood:  as above
 * @now_ns: CLOCK_MONOTONIC
 *
 * Return: their number, which is forgotten here; 0 for none, or not yet.
 */
uint64_t domain_flood_rest(struct domain_flood *flood, int64_t now_ns)
{
	uint64_t unreported = flood->unreported;

	if (now_ns - flood->window_ns < NSEC_PER_SEC)
		return 0;
	flood->unreported = 0;
	return unreported;
}
