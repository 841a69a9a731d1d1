// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a run was: where it ran, as far as its journal has it.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "reports/environment.h"

static const json_t *run_body(const json_t *records)
{
	json_t *record;
	size_t index;

	json_array_foreach (records, index, record)
		if (strcmp(json_text(record, "type", ""), "run") == 0)
			return json_object_get(record, "body");
	return NULL;
}

/* Return: NULL when the records have no time */
static char *start_text(const json_t *records)
{
	int64_t time_ns = json_number(json_array_get(records, 0), "time_ns", 0);

	return time_ns ? format_utc((time_t)(time_ns / NSEC_PER_SEC), "%Y-%m-%dT%H:%M:%SZ") : NULL;
}

static char *command_text(const json_t *run)
{
	char *all = xstrdup("brinell");
	json_t *word;
	size_t index;

	json_array_foreach (json_object_get(run, "argv"), index, word)
		append_text(&all, " ", "%s", json_is_string(word) ? json_string_value(word) : "");
	return all;
}

/* The different values of a key of all records of a type, as "a, b"; "" when there is none. */
static char *values_of(const json_t *records, const char *type, const char *key)
{
	__cleanup_json json_t *seen = json_object();
	char *all = xstrdup("");
	json_t *record;
	size_t index;

	json_array_foreach (records, index, record) {
		const json_t *body = json_object_get(record, "body");
		const json_t *own = json_object_get(body, "facts");
		const char *value = json_text(body, key, json_text(own, key, NULL));

		value = value ?: json_text(json_object_get(own, "software"), key, NULL);

		if (!value || !*value || strcmp(json_text(record, "type", ""), type) != 0 ||
		    json_object_get(seen, value))
			continue;
		json_object_set_new(seen, value, json_true());
		append_text(&all, ", ", "%s", value);
	}
	return all;
}

/* The versions of the software that guests were started with, each under its name. */
static void add_software(json_t *environment, const json_t *records)
{
	json_t *record, *version;
	const char *name;
	size_t index;

	json_array_foreach (records, index, record) {
		const json_t *facts = json_object_get(json_object_get(record, "body"), "facts");

		json_object_foreach (json_object_get(facts, "software"), name, version) {
			__cleanup_free char *values = values_of(records, "guest", name);

			if (*values && !json_object_get(environment, name))
				json_object_set_new(environment, name, json_string(values));
		}
	}
}

/**
 * environment_of - what a run ran on
 * @records: of the journal, as struct report_run has them in @about
 *
 * Return: {NAME: TEXT} in the order to be shown, without what the journal does not have; owned by the caller.
 */
json_t *environment_of(const json_t *records)
{
	static const struct {
		const char *name, *type, *key;
	} facts[] = {
		{"host", "boot", "host"},
		{"hostname", "boot", "hostname"},
		{"platform", "boot", "platform"},
		{"machine", "boot", "machine"},
		{"kernel", "boot", "kernel"},
		{"cpu", "boot", "cpu"},
		{"microcode", "boot", "microcode"},
		{"bios", "boot", "bios"},
		{"memory", "boot", "memory"},
		{"numa", "boot", "numa"},
		{"smt", "boot", "smt"},
		{"governor", "boot", "governor"},
		{"mitigations", "boot", "mitigations"},
		{"cmdline", "boot", "cmdline"},
		{"config", "boot", "config"},
		{"emulator", "boot", "emulator"},
		{"guest kernel", "guest", "kernel"},
	};
	const json_t *run = run_body(records), *host = json_object_get(run, "host");
	__cleanup_free char *start = start_text(records);
	__cleanup_free char *command = command_text(run);
	json_t *environment = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		__cleanup_free char *values = values_of(records, facts[i].type, facts[i].key);

		if (*values)
			json_object_set_new(environment, facts[i].name, json_string(values));
	}
	add_software(environment, records);
	if (start)
		json_object_set_new(environment, "start", json_string(start));
	if (!run)
		return environment;
	json_object_set_new(environment, "command", json_string(command));
	if (json_text(run, "calibration", NULL))
		json_object_set(environment, "calibration", json_object_get(run, "calibration"));
	if (json_is_integer(json_object_get(run, "seed")))
		json_object_set_new(environment, "seed",
				    json_sprintf("%" PRId64, json_number(run, "seed", 0)));
	if (json_text(host, "hostname", NULL))
		json_object_set_new(environment, "controller",
				    json_sprintf("%s, Linux %s", json_text(host, "hostname", ""),
						 json_text(host, "kernel", "?")));
	return environment;
}
