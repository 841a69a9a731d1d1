/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_REPORTS_REPORT_H
#define BRINELL_REPORTS_REPORT_H

#include "harness/lib/registry.h"
#include "harness/lib/util.h"

/**
 * struct report - one format of the results
 * @name:    as in `brinell report --format NAME`
 * @summary: one line
 * @file:    its file name in a run's directory, or NULL when it is only printed
 * @write:   writes the whole report; @results is results.json, @records the journal (for
 *           timelines), both borrowed
 */
struct report {
	const char *name;
	const char *summary;
	const char *file;
	int (*write)(FILE *out, const json_t *results, const json_t *records);
};

REGISTRY(report)

#endif
