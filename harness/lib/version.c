// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conditions on versions: ">=9.0" against "10.0.2", or "7.2.12+deb13-amd64".
 */
#include <errno.h>
#include <string.h>

#include "harness/lib/version.h"

#define NUMBERS_MAX 4
#define DIGITS_MAX 9

/* Numbers with dots between them. Return: how many, or 0 when it does not begin with one; @text goes behind them. */
static size_t take_numbers(const char **text, unsigned long numbers[NUMBERS_MAX])
{
	size_t count = 0;

	while (count < NUMBERS_MAX) {
		size_t digits = strspn(*text, "0123456789");

		if (digits == 0 || digits > DIGITS_MAX)
			break;
		numbers[count++] = strtoul(*text, NULL, 10);
		*text += digits;
		if (**text != '.' || (*text)[1] < '0' || (*text)[1] > '9')
			break;
		++*text;
	}
	return count;
}

/* One of several comparisons with commas between them, such as ">=9.0, <10.1". */
struct comparison {
	char operator[3];
	unsigned long numbers[NUMBERS_MAX];
	size_t count;
};

static bool take_comparison(const char **text, struct comparison *comparison)
{
	static const char *const operators[] = {">=", "<=", "==", ">", "<"};

	*text += strspn(*text, " ");
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		size_t length = strlen(operators[i]);

		if (strncmp(*text, operators[i], length) != 0)
			continue;
		strcpy(comparison->operator, operators[i]);
		*text += length;
		*text += strspn(*text, " ");
		comparison->count = take_numbers(text, comparison->numbers);
		*text += strspn(*text, " ");
		return comparison->count > 0 && (**text == '\0' || **text == ',');
	}
	return false;
}

/**
 * version_check - whether a text is a condition on a version
 * @text: such as ">=9.0", or ">=9.0, <10.1": all of them
 * @why:  describes the error
 *
 * Return: 0 or -EINVAL.
 */
int version_check(const char *text, struct reason *why)
{
	const char *rest = text;
	struct comparison comparison;

	for (;;) {
		if (!take_comparison(&rest, &comparison))
			return fail(why, -EINVAL,
				    "'%s' is no condition on a version; write >=, <=, ==, > or < "
				    "and numbers with dots, such as \">=9.0\" or \">=9.0, <10.1\"",
				    text);
		if (*rest == '\0')
			return 0;
		rest++;
	}
}

/* As many numbers as the condition names are compared, so that 9.0.2 is ==9.0. */
static bool comparison_holds(const struct comparison *comparison,
			     const unsigned long found[NUMBERS_MAX])
{
	const char *operator= comparison->operator;
	int order = 0;

	for (size_t i = 0; i < comparison->count && order == 0; i++)
		order = (found[i] > comparison->numbers[i]) - (found[i] < comparison->numbers[i]);
	if (order == 0)
		return strchr(operator, '=') != NULL;
	return operator[0] ==(order > 0 ? '>' : '<');
}

/**
 * version_holds - whether a version fulfils a condition
 * @condition: checked by version_check()
 * @version:   as the software names it; what follows its numbers is not looked at. NULL, or a text that does not begin
 *             with a number, fulfils nothing
 *
 * As many numbers as the condition names are compared: 9.0.2 fulfils "==9.0" and "<=9.0", and not ">9.0".
 */
bool version_holds(const char *condition, const char *version)
{
	unsigned long found[NUMBERS_MAX] = {0};
	struct comparison comparison;

	if (!version || !take_numbers(&version, found))
		return false;
	for (;;) {
		if (!take_comparison(&condition, &comparison) ||
		    !comparison_holds(&comparison, found))
			return false;
		if (*condition == '\0')
			return true;
		condition++;
	}
}
