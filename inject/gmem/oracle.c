// SPDX-License-Identifier: GPL-2.0-only
/*
 * The oracle: announces conversions to the users, returns ranges to them, and compares each user's data with the model.
 */
#include <errno.h>
#include <string.h>

#include "inject/gmem/engine.h"

/** oracle_violation - count a difference from the model, and report the first STORM_SHOWN of them */
void oracle_violation(struct storm *storm, const struct storm_operation *operation,
		      enum storm_outcome outcome, const char *user, uint64_t page, const char *text)
{
	uint64_t *const counts[] = {&storm->counts->torn, &storm->counts->corrupted,
				    &storm->counts->broken};
	struct storm_violation violation = {
		.outcome = outcome,
		.operation = operation->number,
		.vm = operation->vm,
		.page = page,
	};

	__atomic_add_fetch(counts[outcome], 1, __ATOMIC_RELAXED);
	if (storm->shown++ >= STORM_SHOWN)
		return;
	snprintf(violation.user, sizeof(violation.user), "%s", user);
	snprintf(violation.text, sizeof(violation.text), "%s", text);
	storm->report(storm->context, &violation);
}

/* A user that lost its range reacquires it after the report, so that the storm can go on. */
static void check_user(struct storm *storm, struct gmem_user *user, const struct gmem_range *range,
		       const struct storm_operation *operation)
{
	struct user_finding finding = {.page = range->first};
	int same = user->kind->check(user, range, &finding);

	storm->counts->checked += range->count;
	if (same == 1)
		return;
	if (same < 0)
		oracle_violation(storm, operation, OUTCOME_BROKEN, user->kind->name, range->first,
				 *finding.text ? finding.text : strerror(-same));
	else
		oracle_violation(storm, operation, finding.lost ? OUTCOME_TORN : OUTCOME_CORRUPTED,
				 user->kind->name, finding.page, finding.text);
	if (finding.lost && user->kind->reacquire)
		(void)user->kind->reacquire(user, range);
}

/** oracle_check - check the range of an operation, and one page on each side of it, through every user */
void oracle_check(struct storm *storm, const struct storm_operation *operation)
{
	const struct gmem_range *range = &operation->range;
	uint64_t first = range->first ? range->first - 1 : 0;
	uint64_t end = range->first + range->count + 1;
	struct gmem_range wide;

	if (end > storm->knobs.shape.pages)
		end = storm->knobs.shape.pages;
	wide = (struct gmem_range){first, end - first};
	for (size_t i = 0; i < storm->user_count[operation->vm]; i++)
		check_user(storm, &storm->users[operation->vm][i], &wide, operation);
}

/** oracle_check_all - check all pages of a VM */
void oracle_check_all(struct storm *storm, unsigned int vm, const struct storm_operation *operation)
{
	struct gmem_range all = {0, storm->knobs.shape.pages};

	for (size_t i = 0; i < storm->user_count[vm]; i++)
		check_user(storm, &storm->users[vm][i], &all, operation);
}

/** users_open - open the users of a VM, whose pages are all shared. Return: 0 or -errno with the reason */
int users_open(struct storm *storm, unsigned int vm, struct reason *why)
{
	int error = 0;

	for (size_t i = 0; !error && i < storm->knobs.user_count; i++) {
		struct gmem_user *user = &storm->users[vm][i];

		*user = (struct gmem_user){.kind = gmem_user_kind_find(storm->knobs.users[i]),
					   .knobs = &storm->knobs,
					   .vm = &storm->vms[vm]};
		storm->user_count[vm] = i + 1;
		error = user->kind->open(user, why);
	}
	return error;
}

/** users_close - close the users of a VM */
void users_close(struct storm *storm, unsigned int vm)
{
	for (size_t i = storm->user_count[vm]; i-- > 0;)
		storm->users[vm][i].kind->close(&storm->users[vm][i]);
	storm->user_count[vm] = 0;
}

static void reacquire(struct storm *storm, const struct storm_operation *operation, size_t count,
		      enum storm_rollback how)
{
	struct gmem_user *users = storm->users[operation->vm];

	for (size_t i = count; i-- > 0;) {
		int error;

		if (!users[i].kind->reacquire || how == ROLLBACK_NONE)
			continue;
		error = how == ROLLBACK_FAILS
				? 0
				: users[i].kind->reacquire(&users[i], &operation->range);
		/* ROLLBACK_FAILS is for one user only. */
		how = ROLLBACK_GOOD;
		if (error)
			oracle_violation(storm, operation, OUTCOME_TORN, users[i].kind->name,
					 operation->range.first, strerror(-error));
	}
}

/**
 * users_release - announce a conversion to private to the users in turn; each releases the range
 *
 * The first user that refuses ends it. The users before it reacquire the range, as the knob @rollback sets.
 *
 * Return: whether all users released it.
 */
bool users_release(struct storm *storm, const struct storm_operation *operation)
{
	struct gmem_user *users = storm->users[operation->vm];

	for (size_t i = 0; i < storm->user_count[operation->vm]; i++) {
		bool refuses = operation->refused && (int)i == storm->knobs.refuser;
		int error = refuses ? -EBUSY
			    : users[i].kind->release
				    ? users[i].kind->release(&users[i], &operation->range)
				    : 0;

		if (!error)
			continue;
		if (!refuses)
			oracle_violation(storm, operation, OUTCOME_BROKEN, users[i].kind->name,
					 operation->range.first, strerror(-error));
		reacquire(storm, operation, i, storm->knobs.rollback);
		return false;
	}
	return true;
}

/**
 * users_reacquire - let the users reacquire a range that is shared again
 * @failed: its conversion failed after all users had released it
 */
void users_reacquire(struct storm *storm, const struct storm_operation *operation, bool failed)
{
	reacquire(storm, operation, storm->user_count[operation->vm],
		  failed ? storm->knobs.rollback : ROLLBACK_GOOD);
}
