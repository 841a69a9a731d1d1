// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sides of a comparison: words such as kernel=PATH, which become options of `brinell run`.
 */
#include <errno.h>
#include <string.h>

#include "harness/compare/rounds.h"

/* Parts of the fingerprint that a kernel argument may change. */
#define ARGUMENT_PARTS "command-line,mitigations,processors,smt,numa,governor,memory"

/*
 * A word, the option of `brinell run` that it becomes, the prefix of its value there, and the parts of the fingerprint that it
 * may change.
 */
static const struct side_option {
	const char *name, *option, *prefix, *parts;
} options[] = {
	{"kernel", "--kernel", "",
	 "kernel,kernel-build,config,command-line,mitigations,governor,guest-kernel"},
	{"modules", "--modules", "", ""},
	{"argument", "--set", "rig.kernel-arguments=", ARGUMENT_PARTS},
	{"set", "--set", "", ""},
	{"bench", "--bench", "",
	 "bench,platform,machine,firmware,memory,cpu,microcode,kernel,kernel-build,config,guest-"
	 "kernel," ARGUMENT_PARTS},
	{"qemu", NULL, "", "qemu,machine,firmware,cpu"},
};

/* Parts that set=rig.KEY=VALUE may change. */
#define RIG_PARTS "machine,memory,cpu," ARGUMENT_PARTS

static const char *parts_of(const char *word, const struct side_option *option)
{
	return strncmp(word, "set=rig.", strlen("set=rig.")) == 0 ? RIG_PARTS : option->parts;
}

static const struct side_option *find_option(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		size_t length = strlen(options[i].name);

		if (strncmp(word, options[i].name, length) == 0 && word[length] == '=' &&
		    word[length + 1])
			return &options[i];
	}
	return NULL;
}

static const char *value_of(const char *word)
{
	return strchr(word, '=') + 1;
}

/**
 * side_check - check the words of a side
 * @words: array of text
 * @why:   names a wrong one
 *
 * Return: 0 or -EINVAL.
 */
int side_check(const json_t *words, struct reason *why)
{
	json_t *word;
	size_t index;

	json_array_foreach ((json_t *)words, index, word) {
		const char *text = json_string_value(word);
		const struct side_option *option = find_option(text);
		__cleanup_free char *program = NULL;

		if (!option)
			return fail(why, -EINVAL,
				    "'%s' is none of kernel=FILE, modules=DIR, argument=TEXT, "
				    "set=KEY=VALUE, bench=NAME, qemu=DIR",
				    text);
		if (option->option)
			continue;
		program = format_text("%s/qemu-system-x86_64", value_of(text));
		if (access(program, X_OK))
			return fail_errno(why, -errno, "%s: %s", text, program);
	}
	return 0;
}

/**
 * side_arguments - build the options of `brinell run` for a side
 * @words: checked by side_check()
 * @argv:  array to which they are appended
 * @path:  receives a directory for the front of PATH, owned by the caller; NULL: none
 *
 * Return: 0.
 */
int side_arguments(const json_t *words, json_t *argv, char **path)
{
	json_t *word;
	size_t index;

	*path = NULL;
	json_array_foreach ((json_t *)words, index, word) {
		const char *value = value_of(json_string_value(word));
		const struct side_option *option = find_option(json_string_value(word));

		if (!option->option) {
			free(*path);
			*path = xstrdup(value);
			continue;
		}
		json_array_append_new(argv, json_string(option->option));
		json_array_append_new(argv, json_sprintf("%s%s", option->prefix, value));
	}
	return 0;
}

/* Append the parts that words of only one side may change. */
static char *add_parts(char *across, const json_t *words, const json_t *others)
{
	json_t *word, *other;
	size_t index, at;

	json_array_foreach ((json_t *)words, index, word) {
		const char *text = json_string_value(word);
		const char *parts = parts_of(text, find_option(text));
		bool shared = false;

		json_array_foreach ((json_t *)others, at, other)
			shared |= json_equal(word, other);
		if (!shared && *parts)
			append_text(&across, ",", "%s", parts);
	}
	return across;
}

/**
 * side_across - parts of the fingerprint in which two sides may differ
 * @a, @b:   words of the sides, checked
 * @across:  further parts; NULL: none
 *
 * Return: parts separated by commas, owned by the caller.
 */
char *side_across(const json_t *a, const json_t *b, const char *across)
{
	return add_parts(add_parts(xstrdup(across ?: ""), a, b), b, a);
}
