// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conditions on a migration: a field, an operator and a value with its unit.
 */
#include <errno.h>
#include <string.h>

#include "harness/lib/param.h"
#include "harness/scenario/condition.h"
#include "harness/scenario/document.h"

#define PREFIX "migration."

static const char *const fields[] = {
	[CONDITION_ITERATION] = "iteration", [CONDITION_REMAINING] = "remaining",
	[CONDITION_PROCESSED] = "processed", [CONDITION_ELAPSED] = "elapsed",
	[CONDITION_STAGE] = "stage",	     [CONDITION_ENDED] = "ended",
	[CONDITION_HELD] = "held",
};

static const char *const operators[] = {
	[CONDITION_AT_LEAST] = ">=", [CONDITION_AT_MOST] = "<=", [CONDITION_EQUAL] = "==",
	[CONDITION_ABOVE] = ">",     [CONDITION_BELOW] = "<",
};

/*
 * Stages in the order of a migration. Behind its last stage it ends: completed is the end of that way, while
 * the others may come at any time and so are neither before nor behind anything.
 */
static const char *const stages[] = {"setup",	  "pre-copy",  "switchover", "post-copy",
				     "completed", "cancelled", "failed",     "refused"};

#define FIRST_OTHER_END 5

static const char blanks[] = " \t\n";

/* "unknown field 'x'; did you mean 'y'? known: ..." */
static int unknown(struct reason *why, const char *what, const char *name, const char *const *names,
		   size_t count)
{
	__cleanup_json json_t *known = json_array();
	__cleanup_free char *all = NULL;
	const char *near;

	for (size_t i = 0; i < count; i++)
		json_array_append_new(known, json_string(names[i]));
	all = join_names(known);
	near = nearest_name(name, known);
	return fail(why, -EINVAL, "unknown %s '%s'; %s%s%sknown: %s", what, name,
		    near ? "did you mean '" : "", near ?: "", near ? "'? " : "", all);
}

/* Number of a name in a list, or the length of the list. */
static size_t index_of(const char *name, const char *const *names, size_t count)
{
	size_t i = 0;

	while (i < count && strcmp(names[i], name) != 0)
		i++;
	return i;
}

/* A word that ends where a blank or an operator begins; @text goes on behind it and the blanks. */
static char *take_word(const char **text)
{
	size_t length = strcspn(*text, " \t\n<>=");
	char *word = xstrndup(*text, length);

	*text += length;
	*text += strspn(*text, blanks);
	return word;
}

static int take_field(const char **text, struct condition *condition, struct reason *why)
{
	__cleanup_free char *word = take_word(text);
	const char *name;
	size_t index;

	if (strncmp(word, PREFIX, strlen(PREFIX)) != 0)
		return fail(why, -EINVAL,
			    "a condition begins with migration.FIELD, such as migration.iteration "
			    ">= 2; it is '%s'",
			    word);
	name = word + strlen(PREFIX);
	index = index_of(name, fields, ARRAY_SIZE(fields));
	if (index == ARRAY_SIZE(fields))
		return unknown(why, "field of a migration", name, fields, ARRAY_SIZE(fields));
	condition->field = (enum condition_field)index;
	return 0;
}

static int take_operator(const char **text, struct condition *condition, struct reason *why)
{
	size_t length = strspn(*text, "<>=!");
	__cleanup_free char *word = xstrndup(*text, length);
	size_t index;

	index = index_of(word, operators, ARRAY_SIZE(operators));
	if (index == ARRAY_SIZE(operators))
		return fail(why, -EINVAL,
			    "'%s' must be compared by one of >=, <=, ==, > and <%s%s%s",
			    fields[condition->field], length ? ", and not by '" : "", word,
			    length ? "'" : "");
	condition->operator=(enum condition_operator) index;
	*text += length;
	*text += strspn(*text, blanks);
	return 0;
}

static int take_stage(const char *text, struct condition *condition, struct reason *why)
{
	size_t index = index_of(text, stages, ARRAY_SIZE(stages));

	if (index == ARRAY_SIZE(stages))
		return unknown(why, "stage", text, stages, ARRAY_SIZE(stages));
	if (index >= FIRST_OTHER_END && condition->operator!= CONDITION_EQUAL)
		return fail(why, -EINVAL,
			    "a migration may be %s at any stage, so nothing is before or behind "
			    "that; write migration.stage == %s",
			    text, text);
	condition->value = (int64_t)index;
	return 0;
}

static int take_number(const char *text, struct condition *condition, struct reason *why)
{
	const char *name = fields[condition->field];
	uint64_t number;

	switch (condition->field) {
	case CONDITION_ITERATION:
		if (parse_number(text, &number) || number > INT64_MAX)
			return fail(why, -EINVAL, "'%s' is compared with '%s'; it must be a number",
				    name, text);
		condition->value = (int64_t)number;
		break;
	case CONDITION_ELAPSED:
		if (parse_duration(text, &condition->value))
			return fail(why, -EINVAL,
				    "'%s' is compared with '%s'; it must be a time with its unit, "
				    "such as 200ms or 5s",
				    name, text);
		break;
	default:
		if (parse_size(text, &number))
			return fail(why, -EINVAL,
				    "'%s' is compared with '%s'; it must be a size in bytes, such "
				    "as 64K, 10M or 1G",
				    name, text);
		condition->value = (int64_t)number;
	}
	if (condition->operator== CONDITION_BELOW && condition->value == 0)
		return fail(why, -EINVAL, "'%s' is never below 0", name);
	return 0;
}

/**
 * condition_parse - understand the text of a condition
 * @text:      "migration.iteration >= 2", "migration.stage == post-copy", "migration.ended"
 * @condition: receives it
 * @why:       describes the error
 *
 * Return: 0, -EINVAL.
 */
int condition_parse(const char *text, struct condition *condition, struct reason *why)
{
	__cleanup_free char *value = NULL;
	int error;

	*condition = (struct condition){0};
	text += strspn(text, blanks);
	error = take_field(&text, condition, why);
	if (error)
		return error;
	if (condition->field == CONDITION_ENDED || condition->field == CONDITION_HELD)
		return *text ? fail(why, -EINVAL,
				    "'migration.%s' stands by itself; remove '%s', or compare "
				    "migration.stage",
				    fields[condition->field], text)
			     : 0;
	error = take_operator(&text, condition, why);
	if (error)
		return error;
	value = xstrdup(text);
	for (size_t length = strlen(value); length && strchr(blanks, value[length - 1]); length--)
		value[length - 1] = '\0';
	return condition->field == CONDITION_STAGE ? take_stage(value, condition, why)
						   : take_number(value, condition, why);
}

static bool compare(enum condition_operator operator, int64_t found, int64_t value)
{
	switch (operator) {
	case CONDITION_AT_LEAST:
		return found >= value;
	case CONDITION_AT_MOST:
		return found <= value;
	case CONDITION_EQUAL:
		return found == value;
	case CONDITION_ABOVE:
		return found > value;
	case CONDITION_BELOW:
		return found < value;
	}
	return false;
}

static bool stage_holds(const struct condition *condition, const char *stage)
{
	size_t rank = stage ? index_of(stage, stages, ARRAY_SIZE(stages)) : ARRAY_SIZE(stages);

	if (rank == ARRAY_SIZE(stages) ||
	    (rank >= FIRST_OTHER_END && condition->operator!= CONDITION_EQUAL))
		return false;
	return compare(condition->operator,(int64_t) rank, condition->value);
}

/**
 * condition_holds - whether a condition is fulfilled
 * @condition: from condition_parse()
 * @view:      what is known of the migration
 *
 * What is not known fulfils nothing. Stages compare by their order, with completed as the last; cancelled, failed and
 * refused are only equal to themselves.
 */
bool condition_holds(const struct condition *condition, const struct migration_view *view)
{
	int64_t found = -1;

	switch (condition->field) {
	case CONDITION_STAGE:
		return stage_holds(condition, view->stage);
	case CONDITION_ENDED:
		return view->ended;
	case CONDITION_HELD:
		return view->held;
	case CONDITION_ITERATION:
		found = view->iteration;
		break;
	case CONDITION_REMAINING:
		found = view->remaining;
		break;
	case CONDITION_PROCESSED:
		found = view->processed;
		break;
	case CONDITION_ELAPSED:
		found = view->elapsed_ns;
		break;
	}
	return found >= 0 && compare(condition->operator, found, condition->value);
}

/** condition_wants_stage - whether a condition holds at that very stage and at none else */
bool condition_wants_stage(const struct condition *condition, const char *stage)
{
	return condition->field == CONDITION_STAGE &&
	       condition->operator== CONDITION_EQUAL &&
		       strcmp(stages[condition->value], stage) == 0;
}
