// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell history: index of runs, and changes of metrics.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "harness/history/history.h"
#include "harness/journal/journal.h"
#include "harness/lib/registry.h"
#include "reports/measured.h"
#include "reports/text.h"

static const char usage[] =
	"usage: brinell history [--index FILE] add DIR...\n"
	"       brinell history [--index FILE] list\n"
	"       brinell history [--index FILE] show RUN\n"
	"       brinell history [--index FILE] trend SCENARIO METRIC [BENCH]\n"
	"       brinell history [--index FILE] check\n"
	"       brinell history [--index FILE] pin NAME RUN\n"
	"       brinell history [--index FILE] otava\n"
	"\n"
	"Keeps an index of runs, and finds the runs at which a metric changed.\n"
	"\n"
	"  add     add runs to the index; DIR is a run, or a directory of runs\n"
	"  list    the runs, the oldest first\n"
	"  show    the metrics of a run\n"
	"  trend   a metric over the runs on a bench, and where it changed\n"
	"  check   changes that the last run shows, that persist, and that are gone\n"
	"  pin     give a run a name, such as that of a release\n"
	"  otava   all runs as CSV for Apache Otava\n"
	"\n"
	"  --index FILE  the index (default brinell-runs/history.db)\n"
	"  --json        print JSON, not a table\n"
	"\n"
	"RUN is the ID of a run, a prefix of it, a name given by pin, or latest. All data of the "
	"index\n"
	"come from the directories: it can be removed and built again.\n"
	"\n"
	"Exit: 0 fine, 1 check found a new regression or failure, 2 bad usage, 4 the index can not "
	"be\n"
	"used.\n";

struct request {
	struct history *history;
	int count;
	char **names;
	bool as_json;
};

static int log_reason(int error, const struct reason *why)
{
	log_error("history: %s", why->text);
	return error == -EIO || error == -EBUSY ? EXIT_INFRA : EXIT_USAGE;
}

static int print_json(const json_t *value)
{
	text_json(stdout, value);
	return EXIT_PASSED;
}

static bool is_run(const char *directory)
{
	static const char *const files[] = {JOURNAL_FILE, "results.json"};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		__cleanup_free char *path = format_text("%s/%s", directory, files[i]);

		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

static int add_one(struct history *history, const char *directory, unsigned int *count,
		   struct reason *why)
{
	bool added;
	int error = history_add(history, directory, &added, why);

	if (!error)
		*count += added;
	return error;
}

/* Add a run, or a directory of runs, of which unreadable ones are skipped. */
static int add_directory(struct history *history, const char *directory, unsigned int *count,
			 unsigned int *bad)
{
	struct reason why = {""};
	struct dirent **entries = NULL;
	int found, error = 0;

	if (is_run(directory)) {
		error = add_one(history, directory, count, &why);
		return error ? log_reason(error, &why) : EXIT_PASSED;
	}
	found = scandir(directory, &entries, NULL, alphasort);
	if (found < 0) {
		log_error("history: %s: %s", directory, strerror(errno));
		return EXIT_USAGE;
	}
	for (int i = 0; i < found; i++) {
		__cleanup_free char *path = format_text("%s/%s", directory, entries[i]->d_name);

		/* "latest" is a link to one of the runs. */
		if (entries[i]->d_type != DT_LNK && entries[i]->d_name[0] != '.' && is_run(path) &&
		    !error) {
			int refused = add_one(history, path, count, &why);

			if (refused == -EIO || refused == -EBUSY)
				error = log_reason(refused, &why);
			else if (refused)
				(*bad)++, log_warning("history: %s: skipped", why.text);
		}
		free(entries[i]);
	}
	free(entries);
	return error;
}

static int run_add(const struct request *request)
{
	unsigned int count = 0, bad = 0;
	struct reason why = {""};
	int code = EXIT_PASSED;

	if (history_begin(request->history, &why))
		return log_reason(-EIO, &why);

	for (int i = 0; i < request->count && !code; i++)
		code = add_directory(request->history, request->names[i], &count, &bad);
	/* Keep the runs that were added before an error. */
	if (history_end(request->history, &why))
		return log_reason(-EIO, &why);
	if (!code)
		log_info("history: %u runs added, %u skipped", count, bad);
	return code;
}

static int run_list(const struct request *request)
{
	__cleanup_json json_t *runs = NULL;
	struct reason why = {""};
	int error = history_runs(request->history, &runs, &why);
	json_t *run;
	size_t index;

	if (error)
		return log_reason(error, &why);
	if (request->as_json)
		return print_json(runs);
	json_array_foreach (runs, index, run)
		text_line(stdout, "%s  %lld of %lld failed%s  brinell %s  %s%s%s",
			  json_text(run, "run", ""), (long long)json_number(run, "failures", 0),
			  (long long)json_number(run, "trials", 0),
			  json_number(run, "complete", 0) ? "" : ", incomplete",
			  json_text(run, "version", ""), json_text(run, "directory", ""),
			  json_text(run, "baselines", NULL) ? "  pinned: " : "",
			  json_text(run, "baselines", ""));
	return EXIT_PASSED;
}

static int run_show(const struct request *request)
{
	__cleanup_json json_t *run = NULL;
	__cleanup_json json_t *rows = NULL;
	struct reason why = {""};
	int error =
		history_run(request->history, request->names[0], &run, &why)
			?: history_show(request->history, json_text(run, "run", ""), &rows, &why);
	json_t *row;
	size_t index;

	if (error)
		return log_reason(error, &why);
	if (request->as_json)
		return print_json(rows);
	text_line(stdout, "%s  %s", json_text(run, "run", ""), json_text(run, "directory", ""));
	json_array_foreach (rows, index, row)
		text_line(stdout, "  %-24s %-44s %12.6g %s (%lld)", json_text(row, "scenario", ""),
			  json_text(row, "metric", ""),
			  json_number_value(json_object_get(row, "median")),
			  json_text(row, "unit", ""), (long long)json_number(row, "boots", 0));
	return EXIT_PASSED;
}

/* Return: the different texts of successive rows; owned by the caller. */
static char *texts_of(const json_t *rows, const char *key)
{
	const char *last = NULL;
	char *texts = NULL;
	json_t *each;
	size_t index;

	json_array_foreach ((json_t *)rows, index, each) {
		const char *text = json_text(each, key, "");

		if (!last || strcmp(text, last) != 0)
			append_text(&texts, ", ", "%s", text);
		last = text;
	}
	return texts;
}

/* Fill in what there is instead of a metric. Return: -ENOENT */
static int no_metric(struct history *history, const char *scenario, const char *metric,
		     struct reason *why)
{
	__cleanup_json json_t *series = NULL;
	__cleanup_free char *names = NULL;

	if (history_series(history, scenario, NULL, NULL, &series, NULL) ||
	    !json_array_size(series))
		return fail(why, -ENOENT,
			    "no run measured the scenario '%s'; 'brinell history show RUN' lists "
			    "the metrics of a run",
			    scenario);
	names = texts_of(series, "metric");
	return fail(why, -ENOENT, "no run has the metric '%s' of the scenario '%s'; there is: %s",
		    metric, scenario, names);
}

/* Load the series of a metric on one bench, which must be given if there are several. */
static int load_series(struct history *history, const char *scenario, const char *metric,
		       const char *bench, json_t **series, struct reason *why)
{
	__cleanup_json json_t *all = NULL;
	__cleanup_free char *benches = NULL;
	int error = history_series(history, scenario, metric, bench, series, why);
	size_t last = json_array_size(*series);

	if (error ||
	    (last && json_equal(json_object_get(json_array_get(*series, 0), "bench"),
				json_object_get(json_array_get(*series, last - 1), "bench"))))
		return error;
	error = history_series(history, scenario, metric, NULL, &all, why);
	if (error)
		return error;
	if (!json_array_size(all))
		return no_metric(history, scenario, metric, why);
	benches = texts_of(all, "bench");
	return fail(why, -EINVAL,
		    "it was measured on %s: give one of these benches after the metric", benches);
}

static int run_trend(const struct request *request)
{
	__cleanup_json json_t *series = NULL;
	__cleanup_json json_t *points = NULL;
	__cleanup_json json_t *both = NULL;
	struct reason why = {""};
	int error = load_series(request->history, request->names[0], request->names[1],
				request->names[2], &series, &why)
			    ?: trend_points(series, &points, &why);
	json_t *each;
	size_t index;

	if (error)
		return log_reason(error, &why);
	both = json_pack("{s:O, s:O}", "series", series, "points", points);
	if (request->as_json)
		return print_json(both);
	json_array_foreach (series, index, each)
		text_line(stdout, "%s  %12.6g %s (%lld)", json_text(each, "run", ""),
			  json_number_value(json_object_get(each, "median")),
			  json_text(each, "unit", ""), (long long)json_number(each, "boots", 0));
	json_array_foreach (points, index, each)
		history_print(stdout, each);
	return EXIT_PASSED;
}

static int run_check(const struct request *request)
{
	static const struct {
		const char *key, *title;
	} parts[] = {{"new", "new in the last run"}, {"still", "still there"}, {"gone", "gone"}};
	__cleanup_json json_t *report = NULL;
	struct reason why = {""};
	int error = history_check(request->history, NULL, &report, &why), code;

	if (error)
		return log_reason(error, &why);
	for (size_t i = 0; i < ARRAY_SIZE(parts) && !request->as_json; i++) {
		const json_t *list = json_object_get(report, parts[i].key);
		json_t *each;
		size_t index;

		printf("%s: %zu\n", parts[i].title, json_array_size(list));
		json_array_foreach (list, index, each)
			history_print(stdout, each);
	}
	code = request->as_json ? print_json(report) : EXIT_PASSED;
	return code ? code : history_is_worse(report) ? EXIT_FAILED : EXIT_PASSED;
}

static int run_pin(const struct request *request)
{
	struct reason why = {""};
	int error = history_pin(request->history, request->names[0], request->names[1], &why);

	return error ? log_reason(error, &why) : EXIT_PASSED;
}

/* Print a row for each run in the order of time, with the medians of its metrics. */
static int run_otava(const struct request *request)
{
	__cleanup_json json_t *runs = NULL;
	__cleanup_json json_t *series = NULL;
	__cleanup_json json_t *by_run = json_object();
	__cleanup_json json_t *benches = json_object();
	struct reason why = {""};
	int error = history_runs(request->history, &runs, &why)
			    ?: history_series(request->history, NULL, NULL, NULL, &series, &why);
	json_t *each;
	size_t index;

	if (error)
		return log_reason(error, &why);
	json_array_foreach (runs, index, each) {
		json_t *values = json_object();

		json_object_set_new(each, "values", values);
		json_object_set(by_run, json_text(each, "run", ""), values);
	}
	json_array_foreach (series, index, each)
		json_object_set_new(benches, json_text(each, "bench", ""), json_true());
	json_array_foreach (series, index, each) {
		bool several = json_object_size(benches) > 1;
		__cleanup_free char *column =
			format_text("%s %s%s%s", json_text(each, "scenario", ""),
				    json_text(each, "metric", ""), several ? " on " : "",
				    several ? json_text(each, "bench", "") : "");

		json_object_set(json_object_get(by_run, json_text(each, "run", "")), column,
				json_object_get(each, "median"));
	}
	otava_write(stdout, runs);
	return EXIT_PASSED;
}

static const struct action {
	const char *name;
	int least, most;
	int (*run)(const struct request *request);
} actions[] = {
	{"add", 1, INT32_MAX, run_add}, {"list", 0, 0, run_list},   {"show", 1, 1, run_show},
	{"trend", 2, 3, run_trend},	{"check", 0, 0, run_check}, {"pin", 2, 2, run_pin},
	{"otava", 0, 0, run_otava},
};

static const struct action *find_action(const char *name, int count)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (strcmp(actions[i].name, name) == 0 && count >= actions[i].least &&
		    count <= actions[i].most)
			return &actions[i];
	return NULL;
}

static int run(int argc, char **argv)
{
	static const struct option known[] = {
		{"index", required_argument, NULL, 'i'}, {"json", no_argument, NULL, 'j'}, {0}};
	const char *path = HISTORY_FILE;
	const struct action *action;
	struct request request = {0};
	struct reason why = {""};
	int option, code;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'i')
			path = optarg;
		else if (option == 'j')
			request.as_json = true;
		else
			return EXIT_USAGE;
	}
	request.count = argc - optind - 1;
	request.names = argv + optind + 1;
	action = optind < argc ? find_action(argv[optind], request.count) : NULL;
	if (!action) {
		log_error("history: give add DIR, list, show RUN, trend SCENARIO METRIC, check, "
			  "pin NAME RUN, or otava; see brinell history --help");
		return EXIT_USAGE;
	}
	if (action->run != run_add && access(path, F_OK)) {
		log_error("history: there is no index %s; 'brinell history add DIR' creates it",
			  path);
		return EXIT_USAGE;
	}
	code = history_open(path, &request.history, &why);
	if (code)
		return log_reason(code, &why);
	code = action->run(&request);
	history_close(request.history);
	return code;
}

static const struct command command_history = {
	.name = "history",
	.summary = "index runs, and find where metrics changed",
	.usage = usage,
	.run = run,
};

REGISTER(command, command_history);
