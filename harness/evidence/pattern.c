// SPDX-License-Identifier: GPL-2.0-only
/*
 * The patterns of scenarios: POSIX extended regular expressions (regex(7)).
 */
#include <errno.h>
#include <regex.h>
#include <string.h>

#include "harness/evidence/evidence.h"

/* Longer lines are cut before they are matched: the kernel's own limit is 1 KiB (LOG_LINE_MAX). */
#define LINE_LIMIT 2048
#define PATTERN_LIMIT 512

/*
 * glibc expands an interval such as x{1,1000} into copies of x, nested ones into their product: a
 * short pattern can ask for more memory than the machine has. Back references need exponential
 * time.
 */
static bool too_costly(const char *pattern)
{
	uint64_t copies = 1;

	if (strlen(pattern) > PATTERN_LIMIT)
		return true;
	for (const char *slash = pattern; (slash = strchr(slash, '\\')) && slash[1]; slash += 2)
		if (slash[1] >= '1' && slash[1] <= '9')
			return true;
	for (const char *brace = pattern; (brace = strchr(brace, '{')); brace++) {
		unsigned long most = 1;

		for (const char *digit = brace + 1; *digit && *digit != '}';) {
			char *end;
			unsigned long count = strtoul(digit, &end, 10);

			if (count > most)
				most = count;
			digit = end > digit ? end : digit + 1;
		}
		if (most > 1000 || (copies *= most) > 1000)
			return true;
	}
	return false;
}

/*
 * What the escapes of other expression syntaxes are spelled like here (regex(7)). glibc reads \\d as the letter d, and takes
 * a backslash between brackets for itself, so such a pattern would mean something else. Four marks are places to glibc, but to others
 * an escaped mark is the mark.
 */
static const struct {
	char letter;
	const char *spelling;
} spellings[] = {
	{'d', "[0-9]"},
	{'D', "[^0-9]"},
	{'w', "[[:alnum:]_]"},
	{'W', "[^[:alnum:]_]"},
	{'s', "[[:space:]]"},
	{'S', "[^[:space:]]"},
	{'h', "[[:blank:]]"},
	{'b', "(^|[^[:alnum:]_]) or ($|[^[:alnum:]_])"},
	{'<', "< for itself, or (^|[^[:alnum:]_]) before a word"},
	{'>', "> for itself, or ($|[^[:alnum:]_]) behind a word"},
	{'`', "` for itself, or ^"},
	{'\'', "' for itself, or $"},
};

static int refuse_escape(const char *pattern, const char *at, bool in_brackets, struct reason *why)
{
	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++)
		if (spellings[i].letter == at[1])
			return fail(
				why, -EINVAL,
				"the pattern '%.80s' has '\\%c' at character %zu, which an "
				"extended "
				"regular expression does not know; write %s%s",
				pattern, at[1], (size_t)(at - pattern) + 1, spellings[i].spelling,
				in_brackets ? ", between brackets without its outer brackets" : "");
	if (in_brackets)
		return fail(
			why, -EINVAL,
			"the pattern '%.80s' has a backslash between brackets at character %zu, "
			"where it means itself; leave it out (']' comes first, '-' last)",
			pattern, (size_t)(at - pattern) + 1);
	return fail(why, -EINVAL,
		    "the pattern '%.80s' has '\\%c' at character %zu, which an extended regular "
		    "expression does not know; see regex(7)",
		    pattern, at[1], (size_t)(at - pattern) + 1);
}

static bool is_word(char character)
{
	return (character >= '0' && character <= '9') || (character >= 'a' && character <= 'z') ||
	       (character >= 'A' && character <= 'Z');
}

/* Where a bracket expression ends: its first character may be ']', and it may hold [:class:], [.x.] and [=x=]. */
static const char *end_of_brackets(const char *open)
{
	const char *at = open + 1;

	at += *at == '^';
	at += *at == ']';
	for (; *at && *at != ']'; at++) {
		char kind = at[0] == '[' ? at[1] : '\0';
		const char *end;

		if (kind != ':' && kind != '.' && kind != '=')
			continue;
		for (end = at + 2; *end && !(end[0] == kind && end[1] == ']'); end++)
			;
		if (*end)
			at = end + 1;
	}
	return at;
}

static int check_escapes(const char *pattern, struct reason *why)
{
	for (const char *at = pattern; *at; at++) {
		if (*at == '[') {
			const char *end = end_of_brackets(at);
			const char *slash = memchr(at, '\\', (size_t)(end - at));

			if (slash)
				return refuse_escape(pattern, slash, true, why);
			if (!*end)
				return 0;
			at = end;
		} else if (*at == '\\' && at[1]) {
			if (is_word(at[1]) || strchr("<>`'", at[1]))
				return refuse_escape(pattern, at, false, why);
			at++;
		}
	}
	return 0;
}

static int compile(const char *pattern, regex_t *regex, struct reason *why)
{
	char message[128];
	int error;

	if (too_costly(pattern))
		return fail(why, -E2BIG, "the pattern '%.80s' is too long or repeats too much",
			    pattern);
	error = check_escapes(pattern, why);
	if (error)
		return error;
	error = regcomp(regex, pattern, REG_EXTENDED | REG_NOSUB);
	if (!error)
		return 0;
	regerror(error, regex, message, sizeof(message));
	return fail(why, -EINVAL, "the pattern '%.80s' is no regular expression: %s", pattern,
		    message);
}

/**
 * regex_check - can a pattern of a scenario be used?
 * @pattern: POSIX extended regular expression
 * @why:     filled when it can not
 *
 * Return: 0, -EINVAL, or -E2BIG for one that would cost too much.
 */
int regex_check(const char *pattern, struct reason *why)
{
	regex_t regex;
	int error = compile(pattern, &regex, why);

	if (error)
		return error;
	if (regexec(&regex, "", 0, NULL, 0) == 0)
		error = fail(why, -EINVAL,
			     "the pattern '%.80s' matches every line; an empty alternative, as in "
			     "'a|', matches anything",
			     pattern);
	regfree(&regex);
	return error;
}

/**
 * regex_matches - does a pattern of a scenario match a line?
 * @pattern: POSIX extended regular expression, not anchored
 * @text:    the line
 * @why:     filled when the pattern is no regular expression, otherwise untouched
 *
 * Return: true when it matches.
 */
bool regex_matches(const char *pattern, const char *text, struct reason *why)
{
	char line[LINE_LIMIT];
	regex_t regex;
	bool matches;

	if (compile(pattern, &regex, why))
		return false;
	snprintf(line, sizeof(line), "%s", text);
	matches = regexec(&regex, line, 0, NULL, 0) == 0;
	regfree(&regex);
	return matches;
}
