/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_SCENARIO_CONDITION_H
#define BRINELL_SCENARIO_CONDITION_H

#include "harness/lib/util.h"

enum condition_field {
	CONDITION_ITERATION,
	CONDITION_REMAINING,
	CONDITION_PROCESSED,
	CONDITION_ELAPSED,
	CONDITION_STAGE,
	CONDITION_ENDED,
	CONDITION_HELD,
};

enum condition_operator {
	CONDITION_AT_LEAST,
	CONDITION_AT_MOST,
	CONDITION_EQUAL,
	CONDITION_ABOVE,
	CONDITION_BELOW,
};

/**
 * struct condition - "migration.remaining < 10M", understood
 * @field:    of a migration
 * @operator: how it is compared; not looked at for CONDITION_ENDED and CONDITION_HELD
 * @value:    with what: a count, bytes, nanoseconds, or the rank of a stage
 */
struct condition {
	enum condition_field field;
	enum condition_operator operator;
	int64_t value;
};

/**
 * struct migration_view - what is known of a migration
 * @stage:      setup, pre-copy, switchover, post-copy, or an end: completed, cancelled, failed, refused; NULL: not known
 * @iteration:  passes over the memory, from 1; below 0: not known
 * @remaining:  bytes still to be sent; below 0: not known
 * @processed:  bytes sent; below 0: not known
 * @elapsed_ns: since its begin; below 0: not known
 * @ended:      one of the ends was reached
 * @held:       it stands still where its step wanted it to
 */
struct migration_view {
	const char *stage;
	int64_t iteration, remaining, processed;
	int64_t elapsed_ns;
	bool ended, held;
};

int condition_parse(const char *text, struct condition *condition, struct reason *why);
bool condition_holds(const struct condition *condition, const struct migration_view *view);
bool condition_wants_stage(const struct condition *condition, const char *stage);

#endif
