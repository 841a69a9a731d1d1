// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parse and check a scenario file completely before anything starts.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "harness/lib/key.h"
#include "harness/scenario/parse.h"
#include "workloads/workload.h"

static const char *const scenario_keys[] = {
	"scenario", "title",	"objective",  "exercises",     "reference", "bench",  "rig",
	"tags",	    "requires", "fresh-boot", "deadline",      "settle",    "guests", "workloads",
	"steps",    "expect",	"versions",   "known-failure", "metrics",   "cell",   NULL};

static const char *const einj_revisions[] = {"1", "2", NULL};
static const char *const rig_clocks[] = {"wall", "instructions", NULL};

/* Options of an emulated host. */
static const struct param rig_table[] = {
	{.name = "einj-revision",
	 .kind = PARAM_CHOICE,
	 .choices = einj_revisions,
	 .help = "revision of the EINJ table that the firmware offers"},
	{.name = "clock",
	 .kind = PARAM_CHOICE,
	 .choices = rig_clocks,
	 .help = "what moves the time of the host: this machine's clock, or its own instructions"},
	{.name = "memory", .kind = PARAM_SIZE, .help = "RAM of the host"},
	{.name = "processors", .kind = PARAM_NUMBER, .help = "virtual processors"},
	{.name = "kernel-arguments",
	 .kind = PARAM_STRING,
	 .help = "added to the kernel's command line"},
	{.name = NULL}};

/**
 * check_word - a name: letters, digits and a few signs
 * @document: borrowed
 * @node:     where it stands
 * @what:     its name for messages
 * @text:     the name
 * @also:     further signs that it may have, but not at its begin
 *
 * Return: 0 or -EINVAL.
 */
int check_word(const struct document *document, int node, const char *what, const char *text,
	       const char *also)
{
	size_t good = 0;

	while (text[good] && (strchr("abcdefghijklmnopqrstuvwxyz0123456789-", text[good]) ||
			      strchr(also, text[good])))
		good++;
	if (text[good] || !*text || strchr("-/:.", *text))
		return document_fail(document, node, -EINVAL,
				     "'%s' is '%s'; use a-z, 0-9 and -%s%s only, a letter or digit "
				     "first",
				     what, text, *also ? ", and " : "", also);
	return 0;
}

static int check_tag(const struct document *document, int node, const char *what, const char *text)
{
	return check_word(document, node, what, text, "");
}

static int check_finding(const struct document *document, int node, const char *what,
			 const char *text)
{
	return check_word(document, node, what, text, ":_.");
}

/* A scenario of the library is known by the name of its file: `einj/x.yaml` holds `scenario: einj/x`. */
static int check_name(const struct document *document, int node, const char *name)
{
	__cleanup_free char *library = NULL, *real = realpath(document->path, NULL);
	__cleanup_free char *expected = NULL;
	size_t length;
	int error = check_word(document, node, "scenario", name, "/");

	if (error || !real || scenario_library_path(&library))
		return error;
	length = strlen(library);
	if (strncmp(real, library, length) != 0 || real[length] != '/')
		return 0;
	expected = xstrdup(real + length + 1);
	if (strlen(expected) > strlen(".yaml"))
		expected[strlen(expected) - strlen(".yaml")] = '\0';
	if (strcmp(expected, name) != 0)
		return document_fail(document, node, -EINVAL,
				     "'scenario' is '%s' in the library's file of '%s'; write "
				     "scenario: %s",
				     name, expected, expected);
	return 0;
}

static int take_text(const struct document *document, int root, const char *key, char **text)
{
	int node = document_find(document, root, key);
	const char *given;
	int error;

	if (!node)
		return 0;
	error = document_text(document, node, key, &given);
	if (error)
		return error;
	*text = xstrdup(given);
	/* Drop the newline at the end of a folded text, for tables. */
	for (size_t length = strlen(*text); length && (*text)[length - 1] == '\n'; length--)
		(*text)[length - 1] = '\0';
	return 0;
}

static int take_texts(const struct document *document, int root, const char *key,
		      int (*check_item)(const struct document *document, int node, const char *what,
					const char *text),
		      json_t **texts)
{
	int node = document_find(document, root, key);

	if (node)
		return check_texts(document, node, key, check_item, texts);
	*texts = json_array();
	return 0;
}

static int parse_head(const struct document *document, int root, struct scenario *scenario)
{
	static const char *const required[] = {"scenario", "title", "steps"};
	int error;

	for (size_t i = 0; i < ARRAY_SIZE(required); i++)
		if (!document_find(document, root, required[i]))
			return document_fail(
				document, root, -EINVAL,
				"'%s' is missing; a scenario needs scenario, title and "
				"steps",
				required[i]);
	error = take_text(document, root, "scenario", &scenario->name)
		?: check_name(document, document_find(document, root, "scenario"), scenario->name)
		?: take_text(document, root, "title", &scenario->title);
	if (error)
		return error;
	if (strchr(scenario->title, '\n'))
		return document_fail(
			document, document_find(document, root, "title"), -EINVAL,
			"'title' has several lines; keep it to one and use 'objective' "
			"for more");
	return take_text(document, root, "objective", &scenario->objective)
		       ?: take_text(document, root, "exercises", &scenario->exercises)
		       ?: take_text(document, root, "reference", &scenario->reference)
		       ?: take_text(document, root, "bench", &scenario->bench)
		       ?: take_texts(document, root, "tags", check_tag, &scenario->tags)
		       ?: take_texts(document, root, "requires", check_finding, &scenario->requires);
}

/*
 * Defaults of deadlines: guests are slow on an emulated host, migrations slower.
 */
static const struct defaults {
	const char *bench;
	int64_t deadline_ns, settle_ns;
} host_defaults = {"intel", 20 * NSEC_PER_SEC, 2 * NSEC_PER_SEC},
  guest_defaults = {"kvm", 60 * NSEC_PER_SEC, 5 * NSEC_PER_SEC},
  migration_defaults = {"kvm-pair", 180 * NSEC_PER_SEC, 5 * NSEC_PER_SEC};

static const struct defaults *defaults_of(const struct document *document, int root)
{
	if (names_step(document, document_find(document, root, "steps"), "migrate"))
		return &migration_defaults;
	return document_find(document, root, "guests") ? &guest_defaults : &host_defaults;
}

static int parse_options(const struct document *document, int root, struct scenario *scenario)
{
	int rig = document_find(document, root, "rig");
	int fresh_boot = document_find(document, root, "fresh-boot");
	int deadline = document_find(document, root, "deadline");
	int settle = document_find(document, root, "settle");
	const struct defaults *defaults = defaults_of(document, root);
	int error = 0;

	scenario->deadline_ns = defaults->deadline_ns;
	scenario->settle_ns = defaults->settle_ns;
	if (rig)
		error = check_arguments(document, rig, "rig", NULL, rig_table, &scenario->rig);
	if (!error && fresh_boot)
		error = check_bool(document, fresh_boot, "fresh-boot", &scenario->fresh_boot);
	if (!error && deadline)
		error = check_duration(document, deadline, "deadline", &scenario->deadline_ns);
	if (!error && settle)
		error = check_duration(document, settle, "settle", &scenario->settle_ns);
	if (error || scenario->settle_ns <= scenario->deadline_ns)
		return error;
	return document_fail(document, settle ?: deadline, -EINVAL,
			     "'settle' (%" PRId64 " ms) is longer than 'deadline' (%" PRId64
			     " ms); make it shorter",
			     (int64_t)(scenario->settle_ns / NSEC_PER_MSEC),
			     (int64_t)(scenario->deadline_ns / NSEC_PER_MSEC));
}

static int parse_workload(const struct document *document, int key, int value,
			  const struct scenario *scenario, struct scenario_workload *entry)
{
	static const char *const own_keys[] = {"kind", "in", NULL};
	const char *name = document_scalar(document, key), *kind_name;
	const struct workload *kind;
	int kind_node, error;

	if (!name)
		return document_fail(document, key, -EINVAL, "a workload's name must be a word");
	error = check_word(document, key, "workload", name, "");
	if (error)
		return error;
	if (!document_is_mapping(document, value))
		return document_fail(document, value, -EINVAL,
				     "workload '%s' must be a mapping; write %s: {kind: memory}",
				     name, name);
	kind_node = document_find(document, value, "kind");
	if (!kind_node)
		return document_fail(document, value, -EINVAL,
				     "workload '%s' has no 'kind'; add kind: memory, or another of "
				     "`brinell list workloads`",
				     name);
	error = document_text(document, kind_node, "kind", &kind_name);
	if (error)
		return error;
	kind = workload_find(kind_name);
	if (!kind) {
		__cleanup_json json_t *known = json_array();

		for (size_t i = 0; i < workload_count(); i++)
			json_array_append_new(known, json_string(workload_at(i)->name));
		return document_unknown(document, kind_node, "workload kind", kind_name, known);
	}
	error = check_arguments(document, value, name, own_keys, kind->params, &entry->arguments);
	if (error)
		return error;
	entry->name = xstrdup(name);
	entry->kind = xstrdup(kind_name);
	return parse_workload_guest(document, document_find(document, value, "in"), scenario,
				    entry);
}

static int parse_workloads(const struct document *document, int root, struct scenario *scenario)
{
	int workloads = document_find(document, root, "workloads");
	size_t count = document_count(document, workloads);

	if (!workloads)
		return 0;
	if (!document_is_mapping(document, workloads))
		return document_fail(document, workloads, -EINVAL,
				     "'workloads' must be a mapping of NAME: {kind: ...}");
	scenario->workloads = xcalloc(count + 1, sizeof(*scenario->workloads));
	for (size_t i = 0; i < count; i++) {
		int key = document_key(document, workloads, i);
		int error =
			parse_workload(document, key, document_value(document, workloads, i),
				       scenario, &scenario->workloads[scenario->workload_count++]);

		for (size_t j = 0; !error && j < i; j++)
			if (strcmp(scenario->workloads[i].name, scenario->workloads[j].name) == 0)
				error = document_fail(
					document, key, -EINVAL,
					"duplicate key '%s', first on line %u; remove one of them",
					scenario->workloads[i].name,
					document_line(document,
						      document_key(document, workloads, j)));
		if (error)
			return error;
	}
	return 0;
}

/* Its axes in the order of the picture in a report. */
static int parse_cell(const struct document *document, int node, struct scenario *scenario)
{
	size_t count = document_count(document, node);
	int error = 0;

	if (!node)
		return 0;
	if (!document_is_mapping(document, node) || count < 2)
		return document_fail(document, node, -EINVAL,
				     "'cell' must have a value on at least two axes; write cell: "
				     "{AXIS: VALUE, AXIS: VALUE}");
	scenario->cell = json_object();
	for (size_t i = 0; !error && i < count; i++) {
		int key = document_key(document, node, i);
		const char *axis = document_scalar(document, key), *value;

		error = document_text(document, document_value(document, node, i), "cell", &value);
		if (!error && (!axis || json_object_get(scenario->cell, axis)))
			error = document_fail(document, key, -EINVAL,
					      "'cell' must have each axis once");
		if (!error)
			json_object_set_new(scenario->cell, axis, json_string(value));
	}
	return error;
}

static int parse_document(const struct document *document, struct scenario *scenario)
{
	int root = 1;
	int error;

	if (!document_is_mapping(document, root))
		return document_fail(document, root, -EINVAL,
				     "a scenario must be a mapping of KEY: VALUE; start with "
				     "scenario: NAME");
	error = document_check_keys(document, root, "scenario", scenario_keys, NULL)
		?: parse_head(document, root, scenario)
		?: parse_options(document, root, scenario)
		?: parse_guests(document, document_find(document, root, "guests"), scenario)
		?: parse_workloads(document, root, scenario)
		?: parse_steps(document, document_find(document, root, "steps"), scenario)
		?: parse_expectations(document, document_find(document, root, "expect"), scenario)
		?: parse_versions(document, document_find(document, root, "versions"), scenario)
		?: parse_known_failure(document, document_find(document, root, "known-failure"),
				       scenario)
		?: parse_metrics(document, document_find(document, root, "metrics"), scenario)
		?: parse_cell(document, document_find(document, root, "cell"), scenario);
	if (error)
		return error;
	if (!scenario->bench)
		scenario->bench = xstrdup(defaults_of(document, root)->bench);
	scenario->spec = scenario_to_json(scenario);
	return 0;
}

/**
 * scenario_parse - check the text of a scenario
 * @path:     for messages, and to compare with the name when it is a file of the library
 * @text:     YAML; need not end in a NUL
 * @length:   its bytes
 * @settings: object of dotted key -> text that is laid over the file ("victim.page", "deadline",
 *            "steps.1.type"; steps count from 0), or NULL
 * @scenario: receives the checked scenario; owned by the caller
 * @why:      PATH:LINE:COLUMN: error; remedy
 *
 * Return: 0, or -EINVAL, -ERANGE, -EFBIG, -ENOENT.
 */
int scenario_parse(const char *path, const char *text, size_t length, const json_t *settings,
		   struct scenario **scenario, struct reason *why)
{
	struct scenario *parsed = xzalloc(sizeof(*parsed));
	struct document document;
	int error;

	parsed->path = xstrdup(path);
	error = document_load(&document, path, text, length, settings, why)
			?: parse_document(&document, parsed);
	document_free(&document);
	if (error)
		scenario_free(parsed);
	else
		*scenario = parsed;
	return error;
}

/**
 * scenario_load - read and check a scenario file
 * @path:     file
 * @settings: as for scenario_parse()
 * @scenario: receives it; owned by the caller
 * @why:      reason of a failure
 *
 * Return: 0, or -errno as scenario_parse() or of reading the file.
 */
int scenario_load(const char *path, const json_t *settings, struct scenario **scenario,
		  struct reason *why)
{
	__cleanup_free char *text = NULL;
	size_t length = 0;
	int error = read_small_file(path, &text, &length);

	if (error)
		return fail(why, error,
			    "cannot read scenario '%s': %s; see `brinell list` for names", path,
			    strerror(-error));
	return scenario_parse(path, text, length, settings, scenario, why);
}

static void respell_expect(json_t *mapping)
{
	const json_t *expect = json_object_get(mapping, "expect");

	if (expect)
		json_object_set_new(mapping, "expect", keys_hyphenated(expect));
}

/* Journals of earlier versions have underscores in keys of `expect`. */
static json_t *respelled(const json_t *spec)
{
	json_t *copy = json_deep_copy(spec), *entry;
	size_t index;

	respell_expect(copy);
	json_array_foreach (json_object_get(copy, "versions"), index, entry)
		respell_expect(entry);
	return copy;
}

/**
 * scenario_from_spec - read a scenario from the `spec` of a journal's trial record
 * @spec:     as scenario->spec was
 * @scenario: receives it; owned by the caller
 * @why:      reason of a failure
 *
 * JSON is YAML, so a journal of another version passes the same checks.
 *
 * Return: as scenario_parse().
 */
int scenario_from_spec(const json_t *spec, struct scenario **scenario, struct reason *why)
{
	__cleanup_json json_t *respelt = respelled(spec);
	__cleanup_free char *text = json_dumps(respelt, JSON_INDENT(1));
	__cleanup_free char *path = format_text("journal:%s", json_text(spec, "scenario", "?"));

	if (!text)
		return fail(why, -EINVAL,
			    "the spec of a trial in the journal is not a JSON object");
	return scenario_parse(path, text, strlen(text), NULL, scenario, why);
}

/** scenario_free - free a scenario; NULL is allowed */
void scenario_free(struct scenario *scenario)
{
	if (!scenario)
		return;
	for (size_t i = 0; i < scenario->guest_count; i++) {
		free(scenario->guests[i].name);
		json_decref(scenario->guests[i].arguments);
	}
	for (size_t i = 0; i < scenario->workload_count; i++) {
		free(scenario->workloads[i].name);
		free(scenario->workloads[i].kind);
		free(scenario->workloads[i].guest);
		json_decref(scenario->workloads[i].arguments);
	}
	for (size_t i = 0; i < scenario->step_count; i++) {
		free(scenario->steps[i].subject);
		free(scenario->steps[i].injector);
		free(scenario->steps[i].guest);
		free(scenario->steps[i].host);
		json_decref(scenario->steps[i].arguments);
	}
	free(scenario->guests);
	free(scenario->workloads);
	free(scenario->steps);
	free(scenario->name);
	free(scenario->path);
	free(scenario->title);
	free(scenario->objective);
	free(scenario->exercises);
	free(scenario->reference);
	free(scenario->bench);
	json_decref(scenario->tags);
	json_decref(scenario->requires);
	json_decref(scenario->rig);
	json_decref(scenario->versions);
	json_decref(scenario->known_failure);
	json_decref(scenario->metrics);
	json_decref(scenario->cell);
	json_decref(scenario->expect);
	json_decref(scenario->spec);
	free(scenario);
}
