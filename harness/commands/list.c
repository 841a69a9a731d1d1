// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell list: names for the command line and for scenario files.
 */
#include <getopt.h>
#include <string.h>

#include "harness/lib/hypervisor_summary.h"
#include "harness/lib/registry.h"
#include "harness/bench/bench.h"
#include "harness/scenario/steps.h"
#include "harness/witness/witness.h"
#include "inject/injector.h"
#include "reports/report.h"
#include "reports/text.h"
#include "workloads/workload.h"

static const char usage[] =
	"usage: brinell list [scenarios|steps|injectors|workloads|witnesses|benches|reports|\n"
	"                     hypervisors] [--json]\n"
	"       brinell list scenarios [PATTERN|@TAG]... [--json]\n"
	"\n"
	"Lists the given kind, or all of them. PATTERN and @TAG select scenarios as in\n"
	"brinell run.\n"
	"\n"
	"  --json   an array, or an object of arrays for all kinds, with parameters\n";

static const char *const param_kinds[] = {
	[PARAM_STRING] = "text", [PARAM_BOOL] = "boolean",	[PARAM_NUMBER] = "number",
	[PARAM_SIZE] = "size",	 [PARAM_DURATION] = "duration", [PARAM_CHOICE] = "choice",
	[PARAM_LIST] = "list",
};

static json_t *describe_params(const struct param *table)
{
	json_t *params = json_array();

	for (; table && table->name; table++) {
		json_t *param = json_pack("{s:s, s:s, s:s*, s:s*, s:b}", "name", table->name,
					  "kind", param_kinds[table->kind], "help", table->help,
					  "default", table->fallback, "required", table->required);

		if (table->choices) {
			json_t *choices = json_array();

			for (const char *const *choice = table->choices; *choice; choice++)
				json_array_append_new(choices, json_string(*choice));
			json_object_set_new(param, "choices", choices);
		}
		json_array_append_new(params, param);
	}
	return params;
}

/* An unreadable scenario is listed with the reason. */
static json_t *describe_scenario(const char *path)
{
	struct scenario *scenario;
	struct reason why = {""};
	json_t *entry;

	if (scenario_load(path, NULL, &scenario, &why)) {
		log_error("%s", why.text);
		return json_pack("{s:s, s:s, s:s}", "name", path, "path", path, "error", why.text);
	}
	entry = json_pack("{s:s, s:s, s:s, s:s*, s:s*, s:s*, s:s, s:O, s:O, s:O}", "name",
			  scenario->name, "path", path, "title", scenario->title, "objective",
			  scenario->objective, "exercises", scenario->exercises, "reference",
			  scenario->reference, "bench", scenario->bench, "tags", scenario->tags,
			  "requires", scenario->requires, "expect", scenario->expect);
	scenario_free(scenario);
	return entry;
}

static int select_scenarios(const char *pattern, json_t *entries, struct reason *why)
{
	__cleanup_json json_t *paths = json_array();
	int error = scenario_select(pattern, paths, why);
	const json_t *path;
	size_t index;

	json_array_foreach (paths, index, path)
		json_array_append_new(entries, describe_scenario(json_string_value(path)));
	return error;
}

static int list_scenarios(json_t *entries, struct reason *why)
{
	return select_scenarios("*", entries, why);
}

/* Registries are in the order of the linker: sort by name. */
static int compare_names(const void *a, const void *b)
{
	return strcmp(json_text(*(json_t *const *)a, "name", ""),
		      json_text(*(json_t *const *)b, "name", ""));
}

static int sort_entries(json_t *entries)
{
	size_t count = json_array_size(entries);
	__cleanup_free json_t **sorted = xcalloc(count + 1, sizeof(*sorted));

	for (size_t i = 0; i < count; i++)
		sorted[i] = json_incref(json_array_get(entries, i));
	qsort(sorted, count, sizeof(*sorted), compare_names);
	json_array_clear(entries);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(entries, sorted[i]);
	return 0;
}

static int list_injectors(json_t *entries, struct reason *why)
{
	for (size_t i = 0; i < injector_count(); i++)
		json_array_append_new(entries,
				      json_pack("{s:s, s:s, s:o}", "name", injector_at(i)->name,
						"title", injector_at(i)->summary, "params",
						describe_params(injector_at(i)->params)));
	return sort_entries(entries);
}

static int list_workloads(json_t *entries, struct reason *why)
{
	for (size_t i = 0; i < workload_count(); i++)
		json_array_append_new(entries,
				      json_pack("{s:s, s:s, s:o}", "name", workload_at(i)->name,
						"title", workload_at(i)->summary, "params",
						describe_params(workload_at(i)->params)));
	return sort_entries(entries);
}

static int list_witnesses(json_t *entries, struct reason *why)
{
	for (size_t i = 0; i < witness_count(); i++)
		json_array_append_new(entries, json_pack("{s:s, s:s}", "name", witness_at(i)->name,
							 "title", witness_at(i)->summary));
	return sort_entries(entries);
}

static int list_benches(json_t *entries, struct reason *why)
{
	for (size_t i = 0; i < bench_ops_count(); i++)
		json_array_append_new(entries,
				      json_pack("{s:s, s:s}", "name", bench_ops_at(i)->name,
						"title", bench_ops_at(i)->summary));
	return sort_entries(entries);
}

static int list_reports(json_t *entries, struct reason *why)
{
	for (size_t i = 0; i < report_count(); i++)
		json_array_append_new(
			entries, json_pack("{s:s, s:s, s:s*}", "name", report_at(i)->name, "title",
					   report_at(i)->summary, "file", report_at(i)->file));
	return sort_entries(entries);
}

static int list_steps(json_t *entries, struct reason *why)
{
	for (size_t i = 0; i < step_kind_count(); i++)
		json_array_append_new(entries,
				      json_pack("{s:s, s:s}", "name", step_kind_at(i)->name,
						"title", step_kind_at(i)->summary));
	return sort_entries(entries);
}

static int list_hypervisors(json_t *entries, struct reason *why)
{
	for (size_t i = 0; i < hypervisor_summary_count(); i++) {
		const struct hypervisor_summary *at = hypervisor_summary_at(i);

		json_array_append_new(
			entries, json_pack("{s:s, s:o, s:s}", "name", at->name, "title",
					   json_sprintf("%s (in %s)", at->summary, at->programs),
					   "programs", at->programs));
	}
	return sort_entries(entries);
}

static const struct listing {
	const char *name;
	int (*list)(json_t *entries, struct reason *why);
} listings[] = {
	{"scenarios", list_scenarios}, {"injectors", list_injectors},
	{"workloads", list_workloads}, {"witnesses", list_witnesses},
	{"benches", list_benches},     {"reports", list_reports},
	{"steps", list_steps},	       {"hypervisors", list_hypervisors},
};

static int widest(const json_t *entries, const char *key)
{
	int width = 0;
	size_t index;
	json_t *entry;

	json_array_foreach (entries, index, entry) {
		int columns = (int)text_columns(json_text(entry, key, ""));

		width = columns > width ? columns : width;
	}
	return width;
}

/* "  [kvm demo]", "" without tags. */
static char *tags_text(const json_t *tags)
{
	char *text = xstrdup("");
	size_t index;
	json_t *tag;

	json_array_foreach (tags, index, tag) {
		char *longer =
			format_text("%s%s%s", text, index ? " " : "  [", json_string_value(tag));

		free(text);
		text = longer;
	}
	if (!*text)
		return text;

	char *closed = format_text("%s]", text);

	free(text);
	return closed;
}

/* "NAME  TITLE  [tags]": names and titles of one listing are padded to the longest. */
static void print_entries(const json_t *entries)
{
	int name_width = widest(entries, "name"), title_width = widest(entries, "title");
	size_t index;
	json_t *entry;

	json_array_foreach (entries, index, entry) {
		__cleanup_free char *tags = tags_text(json_object_get(entry, "tags"));
		const char *name = json_text(entry, "name", "");
		const char *title =
			json_text(entry, "title", "cannot be read: see the message above");

		text_line(stdout, "%s%*s  %s%*s%s", name, name_width - (int)text_columns(name), "",
			  title, *tags ? title_width - (int)text_columns(title) : 0, "", tags);
	}
}

static const struct listing *find_listing(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(listings); i++)
		if (strcmp(listings[i].name, name) == 0)
			return &listings[i];
	return NULL;
}

static void print_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
}

/* Return: entries of one listing, or NULL after a message. */
static json_t *list_one(const struct listing *listing, char **patterns)
{
	json_t *entries = json_array();
	struct reason why = {""};
	int error = 0;

	if (!*patterns)
		error = listing->list(entries, &why);
	for (; *patterns && !error; patterns++)
		error = select_scenarios(*patterns, entries, &why);
	if (!error)
		return entries;
	log_error("list: %s", why.text);
	json_decref(entries);
	return NULL;
}

static int list_all(bool json)
{
	__cleanup_json json_t *all = json_object();
	char *none[] = {NULL};

	for (size_t i = 0; i < ARRAY_SIZE(listings); i++) {
		json_t *entries = list_one(&listings[i], none);

		if (!entries)
			return EXIT_USAGE;
		json_object_set_new(all, listings[i].name, entries);
		if (json)
			continue;
		printf("%s%s\n", i ? "\n" : "", listings[i].name);
		print_entries(entries);
	}
	if (json)
		print_json(all);
	return EXIT_PASSED;
}

static int command_list_run(int argc, char **argv)
{
	static const struct option known[] = {{"json", no_argument, NULL, 'j'}, {0}};
	__cleanup_json json_t *entries = NULL;
	const struct listing *only;
	bool json = false;
	char **words;
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option != 'j')
			return EXIT_USAGE;
		json = true;
	}
	words = argv + optind;
	if (!words[0])
		return list_all(json);
	only = find_listing(words[0]);
	if (!only || (words[1] && only->list != list_scenarios)) {
		log_error("list: there is no '%s' to list; see brinell list --help",
			  only ? words[1] : words[0]);
		return EXIT_USAGE;
	}
	entries = list_one(only, words + 1);
	if (!entries)
		return EXIT_USAGE;
	if (json)
		print_json(entries);
	else
		print_entries(entries);
	return EXIT_PASSED;
}

REGISTERED(command, command_list) = {
	.name = "list",
	.summary = "names of scenarios, steps, injectors, workloads, witnesses, benches, reports, "
		   "hypervisors",
	.usage = usage,
	.run = command_list_run,
};
