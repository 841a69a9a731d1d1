// SPDX-License-Identifier: GPL-2.0-only
/*
 * The spelling of keys in scenarios.
 */
#include "harness/lib/key.h"

/**
 * key_hyphenated - the present spelling of a key
 * @key: possibly with underscores
 *
 * Return: a copy with hyphens instead, owned by the caller.
 */
char *key_hyphenated(const char *key)
{
	char *spelling = xstrdup(key);

	for (char *sign = spelling; *sign; sign++)
		if (*sign == '_')
			*sign = '-';
	return spelling;
}

/**
 * keys_hyphenated - a mapping of a journal with the present spelling of its keys
 * @object: borrowed; NULL or not an object: nothing is in it
 *
 * Return: a shallow copy, owned by the caller.
 */
json_t *keys_hyphenated(const json_t *object)
{
	json_t *copy = json_object(), *value;
	const char *key;

	json_object_foreach ((json_t *)object, key, value) {
		__cleanup_free char *spelling = key_hyphenated(key);

		json_object_set(copy, spelling ?: key, value);
	}
	return copy;
}
