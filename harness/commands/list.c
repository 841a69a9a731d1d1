// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell list: what there is to name on the command line and in scenario files.
 */
#include <errno.h>
#include <string.h>

#include "harness/agent/hypervisor_summary.h"
#include "harness/lib/registry.h"
#include "harness/bench/bench.h"
#include "harness/scenario/steps.h"
#include "harness/witness/witness.h"
#include "inject/injector.h"
#include "reports/report.h"
#include "workloads/workload.h"

static const char usage[] =
	"usage: brinell list [scenarios|steps|injectors|workloads|witnesses|benches|reports|\n"
	"                     hypervisors] [--json]\n"
	"\n"
	"Lists what there is; without a word, all of it. --json prints an array, or an object of\n"
	"arrays without a word, parameters included.\n";

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

/* A scenario that can not be read is listed with the reason: the others are still wanted. */
static json_t *describe_scenario(const char *name, const char *path)
{
	struct scenario *scenario;
	struct reason why = {""};
	json_t *entry;

	if (scenario_load(path, NULL, &scenario, &why)) {
		log_error("%s", why.text);
		return json_pack("{s:s, s:s, s:s}", "name", name, "path", path, "error", why.text);
	}
	entry = json_pack("{s:s, s:s, s:s, s:s*, s:s*, s:s*, s:s, s:O, s:O, s:O}", "name",
			  scenario->name, "path", path, "title", scenario->title, "objective",
			  scenario->objective, "exercises", scenario->exercises, "reference",
			  scenario->reference, "bench", scenario->bench, "tags", scenario->tags,
			  "requires", scenario->requires, "expect", scenario->expect);
	scenario_free(scenario);
	return entry;
}

static int list_scenarios(json_t *entries, struct reason *why)
{
	__cleanup_free char *library = NULL;
	__cleanup_json json_t *names = NULL;
	size_t index;
	json_t *name;
	int error = scenario_library_list(&names, why);

	if (error)
		return error;
	(void)scenario_library_path(&library);
	json_array_foreach (names, index, name) {
		__cleanup_free char *path =
			format_text("%s/%s.yaml", library, json_string_value(name));

		json_array_append_new(entries, describe_scenario(json_string_value(name), path));
	}
	return 0;
}

/* The linker's order means nothing to a reader. */
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
	(void)why;
	for (size_t i = 0; i < injector_count(); i++)
		json_array_append_new(entries,
				      json_pack("{s:s, s:s, s:o}", "name", injector_at(i)->name,
						"title", injector_at(i)->summary, "params",
						describe_params(injector_at(i)->params)));
	return sort_entries(entries);
}

static int list_workloads(json_t *entries, struct reason *why)
{
	(void)why;
	for (size_t i = 0; i < workload_count(); i++)
		json_array_append_new(entries,
				      json_pack("{s:s, s:s, s:o}", "name", workload_at(i)->name,
						"title", workload_at(i)->summary, "params",
						describe_params(workload_at(i)->params)));
	return sort_entries(entries);
}

static int list_witnesses(json_t *entries, struct reason *why)
{
	(void)why;
	for (size_t i = 0; i < witness_count(); i++)
		json_array_append_new(entries, json_pack("{s:s, s:s}", "name", witness_at(i)->name,
							 "title", witness_at(i)->summary));
	return sort_entries(entries);
}

static int list_benches(json_t *entries, struct reason *why)
{
	(void)why;
	for (size_t i = 0; i < bench_ops_count(); i++)
		json_array_append_new(entries,
				      json_pack("{s:s, s:s}", "name", bench_ops_at(i)->name,
						"title", bench_ops_at(i)->summary));
	return sort_entries(entries);
}

static int list_reports(json_t *entries, struct reason *why)
{
	(void)why;
	for (size_t i = 0; i < report_count(); i++)
		json_array_append_new(
			entries, json_pack("{s:s, s:s, s:s*}", "name", report_at(i)->name, "title",
					   report_at(i)->summary, "file", report_at(i)->file));
	return sort_entries(entries);
}

static int list_steps(json_t *entries, struct reason *why)
{
	(void)why;
	for (size_t i = 0; i < step_kind_count(); i++)
		json_array_append_new(entries,
				      json_pack("{s:s, s:s}", "name", step_kind_at(i)->name,
						"title", step_kind_at(i)->summary));
	return sort_entries(entries);
}

static int list_hypervisors(json_t *entries, struct reason *why)
{
	(void)why;
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

/* "NAME  TITLE  [tags]": names and titles of one listing are padded to the longest. */
static void print_entries(const json_t *entries)
{
	int name_width = 0, title_width = 0;
	size_t index;
	json_t *entry;

	json_array_foreach (entries, index, entry) {
		int name = (int)strlen(json_text(entry, "name", ""));
		int title = (int)strlen(json_text(entry, "title", ""));

		name_width = name > name_width ? name : name_width;
		if (json_array_size(json_object_get(entry, "tags")))
			title_width = title > title_width ? title : title_width;
	}
	json_array_foreach (entries, index, entry) {
		const json_t *tags = json_object_get(entry, "tags");
		size_t tag_index;
		json_t *tag;

		printf("%-*s  ", name_width, json_text(entry, "name", ""));
		if (json_array_size(tags) == 0) {
			puts(json_text(entry, "title", "cannot be read: see the message above"));
			continue;
		}
		printf("%-*s  [", title_width, json_text(entry, "title", ""));
		json_array_foreach (tags, tag_index, tag)
			printf("%s%s", tag_index ? " " : "", json_string_value(tag));
		puts("]");
	}
}

static const struct listing *find_listing(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(listings); i++)
		if (strcmp(listings[i].name, name) == 0)
			return &listings[i];
	return NULL;
}

static int command_list_run(int argc, char **argv)
{
	__cleanup_json json_t *all = json_object();
	const struct listing *only = NULL;
	bool json = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			json = true;
		} else if (!only && (only = find_listing(argv[i]))) {
			continue;
		} else {
			fprintf(stderr, "brinell list: cannot list '%s'\n%s", argv[i], usage);
			return EXIT_USAGE;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(listings); i++) {
		json_t *entries = json_array();
		struct reason why = {""};

		json_object_set_new(all, listings[i].name, entries);
		if (only && only != &listings[i])
			continue;
		if (listings[i].list(entries, &why)) {
			fprintf(stderr, "brinell list: %s\n", why.text);
			return EXIT_USAGE;
		}
		if (json)
			continue;
		if (!only)
			printf("%s%s\n", i ? "\n" : "", listings[i].name);
		print_entries(entries);
	}
	if (json) {
		json_dumpf(only ? json_object_get(all, only->name) : all, stdout,
			   JSON_INDENT(2) | JSON_PRESERVE_ORDER);
		putchar('\n');
	}
	return EXIT_PASSED;
}

static const struct command command_list = {
	.name = "list",
	.summary = "names of scenarios, steps, injectors, workloads, witnesses, benches, reports, "
		   "hypervisors",
	.usage = usage,
	.run = command_list_run,
};

REGISTER(command, command_list);
