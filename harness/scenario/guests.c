// SPDX-License-Identifier: GPL-2.0-only
/*
 * The `guests` of a scenario: micro guests that are made for the trial, and domains of the user.
 */
#include <errno.h>
#include <string.h>

#include "harness/rig/profile.h"
#include "harness/scenario/parse.h"

#define GUESTS_MAX 8
#define PROCESSORS_MAX 64
#define MIB (1ull << 20)

static const char *const kinds[] = {"micro", "domain", NULL};
static const char *const backings[] = {"anonymous", "thp", "hugetlb", NULL};
static const char *const machines[] = {"pvh", "hvm", NULL};
static const char *const systems[] = {"linux", "unikernel", NULL};
static const char *const programs[] = {"stress-ng", NULL};

#define HEARTBEAT                                                                                  \
	{                                                                                          \
		"heartbeat", PARAM_DURATION, "time between two beats", NULL, NULL, false           \
	}

static const struct param micro_table[] = {
	{"memory", PARAM_SIZE, "RAM of the guest", "256M", NULL, false},
	{"processors", PARAM_NUMBER, "virtual processors", "1", NULL, false},
	{"backing", PARAM_CHOICE, "kind of the host's pages behind its RAM", "anonymous", backings,
	 false},
	{"machine", PARAM_CHOICE, "kind of its virtual machine", NULL, machines, false},
	{"system", PARAM_CHOICE, "what runs in it", NULL, systems, false},
	{"kernel-arguments", PARAM_STRING, "added to its kernel's command line", "", NULL, false},
	{"programs", PARAM_LIST, "that it gets besides brinell-guest", NULL, NULL, false},
	{"fresh", PARAM_BOOL, "started for this trial, never one that is still warm", "false", NULL,
	 false},
	HEARTBEAT,
	{0},
};

static const struct param domain_table[] = {
	{"domain", PARAM_STRING, "name in the hypervisor", NULL, NULL, true},
	HEARTBEAT,
	{0},
};

static int check_program(const struct document *document, int node, const char *what,
			 const char *text)
{
	return check_choice(document, node, what, programs, &text);
}

/* Checks of a micro guest that its table can not express. */
static int check_micro(const struct document *document, int node, json_t *arguments)
{
	int memory = document_find(document, node, "memory");
	int processors = document_find(document, node, "processors");
	int programs_node = document_find(document, node, "programs");
	int error = memory ? check_memory(document, memory, param_number(arguments, "memory")) : 0;

	if (!error && processors &&
	    (param_number(arguments, "processors") < 1 ||
	     param_number(arguments, "processors") > PROCESSORS_MAX))
		error = document_fail(document, processors, -ERANGE,
				      "'processors' must be a number from 1 to %d", PROCESSORS_MAX);
	if (!error && programs_node) {
		json_t *checked = NULL;

		error = check_texts(document, programs_node, "programs", check_program, &checked);
		json_decref(checked);
	}
	if (!error && !json_object_get(arguments, "programs"))
		json_object_set_new(arguments, "programs", json_array());
	return error;
}

/* The keys of one kind, given with the other, deserve better than "unknown key". */
static int check_domain_keys(const struct document *document, int node)
{
	for (size_t i = 0; i < document_count(document, node); i++) {
		int key = document_key(document, node, i);
		const char *name = document_scalar(document, key);

		if (name && param_find(micro_table, name) && !param_find(domain_table, name))
			return document_fail(
				document, key, -EINVAL,
				"'%s' is for guests that are made for the trial; a "
				"domain has the configuration of the hypervisor: remove it",
				name);
	}
	return 0;
}

static int check_micro_keys(const struct document *document, int node)
{
	for (size_t i = 0; i < document_count(document, node); i++) {
		int key = document_key(document, node, i);
		const char *name = document_scalar(document, key);

		if (name && strcmp(name, "domain") == 0)
			return document_fail(document, key, -EINVAL,
					     "'domain' names a guest of the user; add kind: domain "
					     "or remove it");
	}
	return 0;
}

/* What brinell-guest can do (docs/guest-program.md). */
static int check_heartbeat(const struct document *document, int node, const json_t *arguments)
{
	int64_t interval = param_duration_ns(arguments, "heartbeat");

	if (!param_given(arguments, "heartbeat") ||
	    (interval >= NSEC_PER_MSEC && interval <= 10 * NSEC_PER_SEC))
		return 0;
	return document_fail(document, document_find(document, node, "heartbeat"), -ERANGE,
			     "'heartbeat' must be from 1ms to 10s");
}

static int parse_guest(const struct document *document, int key, int value,
		       struct scenario_guest *guest)
{
	static const char *const own_keys[] = {"kind", NULL};
	const char *name = document_scalar(document, key), *kind = kinds[0];
	int kind_node, error;
	bool domain;

	if (!name)
		return document_fail(document, key, -EINVAL, "a guest's name must be a word");
	error = check_word(document, key, "guest", name, "");
	if (error)
		return error;
	if (!document_is_mapping(document, value))
		return document_fail(document, value, -EINVAL,
				     "guest '%s' must be a mapping; write %s: {kind: micro}", name,
				     name);
	kind_node = document_find(document, value, "kind");
	if (kind_node)
		error = check_choice(document, kind_node, "kind", kinds, &kind);
	domain = strcmp(kind, "domain") == 0;
	if (!error)
		error = domain ? check_domain_keys(document, value)
			       : check_micro_keys(document, value);
	if (!error)
		error = check_arguments(document, value, name, own_keys,
					domain ? domain_table : micro_table, &guest->arguments);
	if (!error && !domain)
		error = check_micro(document, value, guest->arguments);
	if (!error)
		error = check_heartbeat(document, value, guest->arguments);
	if (error)
		return error;
	json_object_set_new(guest->arguments, "kind", json_string(kind));
	guest->name = xstrdup(name);
	return 0;
}

static int check_twins(const struct document *document, int guests, size_t index,
		       const struct scenario *scenario)
{
	const struct scenario_guest *guest = &scenario->guests[index];
	const char *domain = param_text(guest->arguments, "domain");

	for (size_t i = 0; i < index; i++) {
		const struct scenario_guest *other = &scenario->guests[i];
		const char *other_domain = param_text(other->arguments, "domain");

		if (strcmp(guest->name, other->name) == 0)
			return document_fail(
				document, document_key(document, guests, index), -EINVAL,
				"duplicate key '%s', first on line %u; remove one of them",
				guest->name,
				document_line(document, document_key(document, guests, i)));
		if (domain && other_domain && strcmp(domain, other_domain) == 0)
			return document_fail(document, document_value(document, guests, index),
					     -EINVAL,
					     "domain '%s' is guest '%s' already; name each domain "
					     "once",
					     domain, other->name);
	}
	return 0;
}

/* A bench that the scenario names must be able to run guests; others are checked by the bench. */
static int check_bench(const struct document *document, const struct scenario *scenario)
{
	const struct rig_profile *profile =
		scenario->bench ? rig_profile_find(scenario->bench) : NULL;

	if (!profile || profile->guests)
		return 0;
	return document_fail(document, document_find(document, 1, "bench"), -EINVAL,
			     "hosts of '%s' run no guests; write bench: kvm, or kvm-pair for a "
			     "migration",
			     scenario->bench);
}

/**
 * parse_guests - check the `guests` section
 * @document: borrowed
 * @node:     mapping, or 0 when the scenario has none
 * @scenario: receives the guests
 *
 * Return: 0 or -errno with the place and the message.
 */
int parse_guests(const struct document *document, int node, struct scenario *scenario)
{
	size_t count = document_count(document, node);
	int error;

	if (!node)
		return 0;
	if (!document_is_mapping(document, node) || count == 0)
		return document_fail(document, node, -EINVAL,
				     "'guests' must be a mapping of NAME: {kind: micro, ...}");
	if (count > GUESTS_MAX)
		return document_fail(document, node, -EINVAL,
				     "%zu guests are too many; a scenario has at most %d", count,
				     GUESTS_MAX);
	error = check_bench(document, scenario);
	scenario->guests = xcalloc(count, sizeof(*scenario->guests));
	for (size_t i = 0; !error && i < count; i++) {
		error = parse_guest(document, document_key(document, node, i),
				    document_value(document, node, i),
				    &scenario->guests[scenario->guest_count++])
				?: check_twins(document, node, i, scenario);
	}
	return error;
}

/**
 * check_memory - whether a guest can live with this much memory, and QEMU can be given it
 * @document: borrowed
 * @node:     for the message
 * @bytes:    as it was read
 *
 * Return: 0 or -ERANGE.
 */
int check_memory(const struct document *document, int node, uint64_t bytes)
{
	if (bytes >= 64 * MIB && bytes % MIB == 0)
		return 0;
	return document_fail(document, node, -ERANGE,
			     "'memory' is %s; a guest needs at least 64M, in whole MiB",
			     document_scalar(document, node));
}

/**
 * find_guest - a guest by its name
 * @document: borrowed
 * @node:     value that names it
 * @what:     key, for messages
 * @scenario: with its guests
 * @index:    receives its number
 *
 * Return: 0 or -EINVAL with the place and the message.
 */
int find_guest(const struct document *document, int node, const char *what,
	       const struct scenario *scenario, size_t *index)
{
	__cleanup_json json_t *known = json_array();
	const char *name;
	int error = document_text(document, node, what, &name);

	if (error)
		return error;
	for (size_t i = 0; i < scenario->guest_count; i++) {
		if (strcmp(scenario->guests[i].name, name) == 0) {
			*index = i;
			return 0;
		}
		json_array_append_new(known, json_string(scenario->guests[i].name));
	}
	if (scenario->guest_count == 0)
		return document_fail(document, node, -EINVAL,
				     "there is no guest '%s'; declare it: guests: {%s: {kind: "
				     "micro}}",
				     name, name);
	return document_unknown(document, node, "guest", name, known);
}

/* A stressor of a program that the guest does not have would fail only when it is started. */
static int check_program_of(const struct document *document, int node, const char *kind,
			    const struct scenario_guest *guest)
{
	const json_t *had = json_object_get(guest->arguments, "programs");

	if (!had || !text_among(kind, programs) || json_has_text(had, kind))
		return 0;
	return document_fail(document, node, -EINVAL,
			     "guest '%s' has no %s; add programs: [%s] to it", guest->name, kind,
			     kind);
}

/**
 * parse_workload_guest - the `in` of a workload
 * @document: borrowed
 * @node:     value of `in`, or 0: on the host
 * @scenario: with its guests
 * @workload: with its kind; receives the guest
 *
 * Return: 0 or -errno with the place and the message.
 */
int parse_workload_guest(const struct document *document, int node, const struct scenario *scenario,
			 struct scenario_workload *workload)
{
	size_t index = 0;
	int error = node ? find_guest(document, node, "in", scenario, &index) : 0;

	if (!node || error)
		return error;
	workload->guest = xstrdup(scenario->guests[index].name);
	return check_program_of(document, node, workload->kind, &scenario->guests[index]);
}
