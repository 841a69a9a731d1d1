// SPDX-License-Identifier: GPL-2.0-only
/*
 * Converts records of an older brinell to the current names. An older journal calls the witness "hypervisor" "libvirt", and
 * has the versions of software among the other facts of a guest. It does not record whether the flags of a page changed by poison.
 */
#include <string.h>

#include "harness/journal/line.h"

#define OLD_NAME "libvirt"
#define NEW_NAME "hypervisor"

static void rename_text(json_t *object, const char *key)
{
	if (strcmp(json_text(object, key, ""), OLD_NAME) == 0)
		json_object_set_new(object, key, json_string(NEW_NAME));
}

/* In a scenario: the source of a wait, and the sources of expected events. */
static void rename_sources(json_t *value)
{
	json_t *events = json_object_get(value, "events"), *inner;
	const char *key;
	size_t index;

	json_array_foreach (value, index, inner)
		rename_sources(inner);
	if (!json_is_object(value))
		return;
	rename_text(value, "for");
	if (json_object_get(events, OLD_NAME)) {
		json_object_set(events, NEW_NAME, json_object_get(events, OLD_NAME));
		json_object_del(events, OLD_NAME);
	}
	json_object_foreach (value, key, inner)
		rename_sources(inner);
}

static void collect_software(json_t *facts)
{
	if (!json_is_object(facts) || json_object_get(facts, "software"))
		return;
	json_object_set_new(facts, "software",
			    json_pack("{s:O*, s:O*}", "qemu", json_object_get(facts, "qemu"),
				      OLD_NAME, json_object_get(facts, OLD_NAME)));
}

/* What the judge computed by itself: KPF_HWPOISON is bit 19 (include/uapi/linux/kernel-page-flags.h). */
static void complete_page_flags(json_t *data)
{
	int64_t flipped = json_number(data, "before", 0) ^ json_number(data, "after", 0);

	if (json_object_get(data, "hwpoison") && !json_object_get(data, "hwpoison-changed"))
		json_object_set_new(data, "hwpoison-changed", json_boolean(flipped >> 19 & 1));
}

/** journal_rename_older - convert the names in a record of an older brinell */
void journal_rename_older(json_t *record)
{
	const char *type = json_text(record, "type", "");
	json_t *body = json_object_get(record, "body");

	if (strcmp(type, "event") == 0) {
		rename_text(body, "witness");
		complete_page_flags(json_object_get(body, "data"));
	} else if (strcmp(type, "intent") == 0) {
		rename_text(body, "echoed-by");
	} else if (strcmp(type, "guest") == 0) {
		collect_software(json_object_get(body, "facts"));
	} else {
		rename_sources(body);
	}
}
