// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rate limit of events: a few are reported each second, the others are counted. A guest that consumes poison in its kernel can
 * make QEMU report hundreds of memory failures a second until it is stopped.
 */
#include "harness/hypervisor/domain.h"

#define REPORTS_PER_SECOND 10

/**
 * domain_flood_takes - whether to report an event, or only count it
 * @flood:  for one kind of event of one guest; initialized with zero
 * @now_ns: CLOCK_MONOTONIC
 *
 * Return: true: report it.
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
 * domain_flood_rest - number of events that were only counted, once their second is over
 * @flood:  as above
 * @now_ns: CLOCK_MONOTONIC
 *
 * Return: the number, which is reset; 0: none, or not yet.
 */
uint64_t domain_flood_rest(struct domain_flood *flood, int64_t now_ns)
{
	uint64_t unreported = flood->unreported;

	if (now_ns - flood->window_ns < NSEC_PER_SEC)
		return 0;
	flood->unreported = 0;
	return unreported;
}
