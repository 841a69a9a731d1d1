// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz: what is decoded in place is what jansson decodes, and a member that is found in the text is the one in the value.
 */
#include <string.h>

#include "harness/lib/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool nothing(struct span parent, struct span key)
{
	(void)parent;
	(void)key;
	return false;
}

static void compare_members(struct span text, const json_t *value)
{
	struct span rest = text, key, member;
	size_t count = 0;

	while (scan_next(&rest, '{', &key, &member)) {
		json_t *found =
			json_loadb(member.text, member.length,
				   JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

		if (!memchr(key.text, '\\', key.length) &&
		    !json_equal(found, json_object_getn(value, key.text, key.length)))
			abort();
		json_decref(found);
		count++;
	}
	if (count != json_object_size(value))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span text = {(const char *)data, size};
	__cleanup_json json_t *expected =
		json_loadb(text.text, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	__cleanup_json json_t *decoded = scan_decode(text, NULL);
	__cleanup_json json_t *empty = scan_decode(text, nothing);

	/* jansson steps over a NUL byte between two values. */
	if (memchr(data, '\0', size))
		return 0;
	if (!json_is_object(expected)) {
		if (decoded)
			abort();
		return 0;
	}
	if (!json_equal(expected, decoded) || json_object_size(empty))
		abort();
	compare_members(text, expected);
	return 0;
}
