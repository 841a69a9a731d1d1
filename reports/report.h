/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_REPORTS_REPORT_H
#define BRINELL_REPORTS_REPORT_H

#include "harness/lib/registry.h"
#include "harness/lib/util.h"

/**
 * struct report_run - data of the run for a report; all borrowed
 * @about:   records of the journal for environment_of()
 * @trials:  number of trials in the journal, those that are pending included
 * @summary: results.json without its trials; NULL as long as trials are still to come
 * @flaws:   texts: what is missing from a journal that is not whole
 * @fixed:   trials that passed although their scenario names a failure as known
 * @time_ns: of all trials together
 * @first_ns, @last_ns: times of the first and the last record
 * @state:   the report's own, NULL at the start; its @tail, which is always called, frees it
 */
struct report_run {
	const json_t *about;
	size_t trials;
	const json_t *summary, *flaws;
	size_t fixed;
	int64_t time_ns, first_ns, last_ns;
	void **state;
};

/**
 * struct report_trial - a trial for a report; all borrowed
 * @number:  from 1
 * @name:    of the test: its scenario and how often that came before in this run, from 1. It does not change when scenarios
 *           are added to a run; the id of a trial does.
 * @result:  as in results.json, without the members that no requested report needs
 * @text:    members of the whole result as JSON, with the bracket that closes it; NULL: @result is whole
 * @text_length: its length
 * @records: of its attempts; NULL unless the report needs them
 * @rows:    stream for rows, which come before the output of all trials; NULL unless the report has @middle
 */
struct report_trial {
	size_t number;
	const char *name;
	const json_t *result;
	const char *text;
	size_t text_length;
	const json_t *records;
	FILE *rows;
};

/* What of a trial a report needs besides its verdict, reason, axes and time. */
#define REPORT_EVIDENCE 1u
#define REPORT_DETAILS 2u /* checks and metrics */
#define REPORT_RECORDS 4u

/**
 * struct report - one format of the results, written trial by trial
 * @name:    as in `brinell report --format NAME`
 * @summary: one line
 * @file:    its file name in a run's directory, or NULL when it is only printed
 * @needs:   REPORT_...
 * @records_most: of REPORT_RECORDS: after so many trials only those that did not pass have theirs
 * @counts_first: @head needs the summary; then the trials wait in a temporary file
 * @tests:   the format is a list of tests: an incomplete journal adds a test that did not pass
 * @head:    what comes before the trials; may be NULL
 * @trial:   one trial
 * @middle:  what comes between the rows and the trials; NULL: there are no rows
 * @tail:    what comes behind the trials; may be NULL
 *
 * Each returns 0 or -errno; the caller checks the stream for errors.
 */
struct report {
	const char *name;
	const char *summary;
	const char *file;
	unsigned int needs;
	size_t records_most;
	bool counts_first, tests;
	int (*head)(FILE *out, const struct report_run *run);
	int (*trial)(FILE *out, const struct report_run *run, const struct report_trial *trial);
	int (*middle)(FILE *out, const struct report_run *run);
	int (*tail)(FILE *out, const struct report_run *run);
};

REGISTRY(report)

#endif
