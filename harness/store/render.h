/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_STORE_RENDER_H
#define BRINELL_STORE_RENDER_H

#include "harness/judge/judge.h"
#include "reports/report.h"

/**
 * struct rendering - reports that are written in one pass over a journal
 * @index:   of the journal
 * @again:   judge every trial again, whatever its recorded verdict
 * @reports, @outs: what is written, and where to
 * @count:   number of reports, at most RENDER_MOST
 * @each:    gets each trial with a result too; may be NULL
 * @context: for @each
 */
struct rendering {
	const struct journal_index *index;
	bool again;
	const struct report *const *reports;
	FILE *const *outs;
	size_t count;
	judged_fn each;
	void *context;
};

#define RENDER_MOST 32

int render(const struct rendering *rendering, json_t **summary);

#endif
