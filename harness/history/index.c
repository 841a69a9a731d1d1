// SPDX-License-Identifier: GPL-2.0-only
/*
 * The index in SQLite: updates and queries.
 */
#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#include "harness/compare/compare.h"
#include "harness/history/history.h"
#include "harness/stats/stats.h"
#include "reports/measured.h"

#define HISTORY_VERSION 2
#define BUSY_TIMEOUT_MS 5000

/* Run IDs begin with the time in seconds; runs of the same second are in the order in which they were added. */
#define IN_TIME "substr(run.run, 1, 16), run.rowid"
#define LATEST_FIRST "substr(run.run, 1, 16) DESC, run.rowid DESC"

/* More than there are statements, which are all kept prepared. */
#define STATEMENTS_MOST 16
/* Cache in KiB, for a large index: the rows of a run are spread over it. */
#define CACHE_KIB 65536

/**
 * struct history - an open index
 * @texts, @statements: prepared statements, keyed by the address of their text
 */
struct history {
	sqlite3 *database;
	const char *path;
	const char *texts[STATEMENTS_MOST];
	sqlite3_stmt *statements[STATEMENTS_MOST];
};

static const char schema[] =
	"CREATE TABLE run (run TEXT PRIMARY KEY, directory TEXT, version TEXT, complete INT);"
	"CREATE TABLE rate (run TEXT, scenario TEXT, bench TEXT, trials INT, failures INT,"
	"  PRIMARY KEY (scenario, bench, run)) WITHOUT ROWID;"
	"CREATE TABLE sample (run TEXT, scenario TEXT, bench TEXT, metric TEXT, unit TEXT,"
	"  direction TEXT, budget REAL, boots INT, median REAL, PRIMARY KEY (scenario, metric, "
	"bench, run))"
	"  WITHOUT ROWID;"
	"CREATE TABLE baseline (name TEXT PRIMARY KEY, run TEXT);";

static int fail_query(struct history *history, struct reason *why)
{
	int code = sqlite3_errcode(history->database);
	bool busy = code == SQLITE_BUSY || code == SQLITE_LOCKED;

	return fail(why, busy ? -EBUSY : -EIO, "%s: %s%s", history->path,
		    sqlite3_errmsg(history->database),
		    busy		  ? "; another brinell has locked it"
		    : code == SQLITE_FULL ? "; free some space: the index is unchanged"
		    : code == SQLITE_READONLY || code == SQLITE_CANTOPEN
			    ? ""
			    : "; it is only an index: remove it, and add the "
			      "runs again");
}

/* Prepare a statement once, because an import runs the same statements for each row. Return: NULL on an error. */
static sqlite3_stmt *statement_of(struct history *history, const char *text)
{
	size_t i = 0;

	while (i < STATEMENTS_MOST && history->texts[i] && history->texts[i] != text)
		i++;
	if (i == STATEMENTS_MOST)
		abort();
	if (!history->texts[i] && sqlite3_prepare_v2(history->database, text, -1,
						     &history->statements[i], NULL) == SQLITE_OK)
		history->texts[i] = text;
	return history->texts[i] ? history->statements[i] : NULL;
}

static int execute(struct history *history, const char *text, struct reason *why)
{
	return sqlite3_exec(history->database, text, NULL, NULL, NULL) == SQLITE_OK
		       ? 0
		       : fail_query(history, why);
}

/* Bind the parameters of a statement: JSON strings, numbers or null, in order. */
static int prepare(struct history *history, const char *text, const json_t *parameters,
		   sqlite3_stmt **statement, struct reason *why)
{
	json_t *value;
	size_t index;

	*statement = statement_of(history, text);
	if (!*statement)
		return fail_query(history, why);
	json_array_foreach ((json_t *)parameters, index, value) {
		int place = (int)index + 1;

		if (json_is_string(value))
			sqlite3_bind_text(*statement, place, json_string_value(value), -1,
					  SQLITE_STATIC);
		else if (json_is_integer(value))
			sqlite3_bind_int64(*statement, place, json_integer_value(value));
		else if (json_is_real(value))
			sqlite3_bind_double(*statement, place, json_real_value(value));
	}
	return 0;
}

static json_t *cell(sqlite3_stmt *statement, int column)
{
	switch (sqlite3_column_type(statement, column)) {
	case SQLITE_INTEGER:
		return json_integer(sqlite3_column_int64(statement, column));
	case SQLITE_FLOAT:
		return json_real(sqlite3_column_double(statement, column));
	case SQLITE_TEXT:
		return json_string((const char *)sqlite3_column_text(statement, column));
	default:
		return json_null();
	}
}

/*
 * @text must be static, because its address is the key. @parameters is stolen. @rows receives an object for each row, keyed by
 * the names of the columns; NULL: the statement returns none.
 */
static int query(struct history *history, const char *text, json_t *parameters, json_t **rows,
		 struct reason *why)
{
	__cleanup_json json_t *bound = parameters;
	__cleanup_json json_t *found = json_array();
	sqlite3_stmt *statement = NULL;
	int error = prepare(history, text, bound, &statement, why), step = SQLITE_DONE;

	while (!error && (step = sqlite3_step(statement)) == SQLITE_ROW) {
		json_t *row = json_object();

		for (int i = 0; i < sqlite3_column_count(statement); i++)
			json_object_set_new(row, sqlite3_column_name(statement, i),
					    cell(statement, i));
		json_array_append_new(found, row);
	}
	if (!error && step != SQLITE_DONE)
		error = fail_query(history, why);
	if (statement) {
		sqlite3_reset(statement);
		sqlite3_clear_bindings(statement);
	}
	if (!error && rows)
		*rows = steal(found);
	return error;
}

static int check_version(struct history *history, struct reason *why)
{
	__cleanup_free char *set_version = format_text("PRAGMA user_version = %d", HISTORY_VERSION);
	__cleanup_json json_t *rows = NULL;
	int error = query(history, "PRAGMA user_version", NULL, &rows, why);
	int64_t version;

	if (error)
		return error;
	version = json_number(json_array_get(rows, 0), "user_version", 0);
	if (version == HISTORY_VERSION)
		return 0;
	if (version)
		return fail(
			why, -EINVAL,
			"%s is an index of format %lld, and brinell %s has format %d; remove it, "
			"and add the runs again",
			history->path, (long long)version, BRINELL_VERSION, HISTORY_VERSION);
	return execute(history, schema, why) ?: execute(history, set_version, why);
}

/**
 * history_open - open an index, or create an empty one
 * @path:    of the file; borrowed until history_close()
 * @history: receives it; history_close()
 * @why:     filled on an error
 *
 * Return: 0, -EINVAL for an index of another format, -EBUSY, -EIO.
 */
int history_open(const char *path, struct history **history, struct reason *why)
{
	/* The savepoint of a run stays in memory: in a file it would be written for each run. */
	__cleanup_free char *cache =
		format_text("PRAGMA cache_size = -%d; PRAGMA temp_store = MEMORY", CACHE_KIB);
	struct history *opened = xzalloc(sizeof(*opened));
	const char *slash = strrchr(path, '/');
	__cleanup_free char *parent = strndup(path, slash ? (size_t)(slash - path) : 0);
	int error = 0;

	opened->path = path;
	if (*parent)
		error = make_directories(parent);
	if (error)
		fail(why, error, "%s: %s", parent, strerror(-error));
	else if (sqlite3_open(path, &opened->database) != SQLITE_OK)
		error = fail_query(opened, why);
	if (!error) {
		sqlite3_busy_timeout(opened->database, BUSY_TIMEOUT_MS);
		error = execute(opened, cache, why)
				?: execute(opened, "BEGIN IMMEDIATE", why)
				?: check_version(opened, why)
				?: execute(opened, "COMMIT", why);
	}
	if (error)
		history_close(opened);
	else
		*history = opened;
	return error;
}

/** history_close - close an index */
void history_close(struct history *history)
{
	for (size_t i = 0; i < STATEMENTS_MOST; i++)
		sqlite3_finalize(history->statements[i]);
	sqlite3_close(history->database);
	free(history);
}

/* The median of the boots' medians: the boot is the unit of replication. */
static int median_of(const json_t *metric, double *median, size_t *boots)
{
	const json_t *all = json_object_get(metric, "boots");
	__cleanup_free double *medians = xcalloc(json_object_size(all) + 1, sizeof(*medians));
	struct estimate estimate;
	const char *boot;
	json_t *samples;
	int error;

	*boots = 0;
	json_object_foreach ((json_t *)all, boot, samples) {
		error = measured_boot(samples, &medians[*boots]);
		if (error)
			return error;
		++*boots;
	}
	error = stats_median(medians, *boots, 0.95, &estimate);
	*median = estimate.value;
	return error;
}

/* Of a scenario that declares budgets, only the metrics with one are checked. */
static json_t *budget_of(const json_t *budgets, const char *metric)
{
	json_t *budget = json_object_get(budgets, metric);

	if (!json_object_size(budgets))
		return json_real(COMPARE_BUDGET);
	return budget ? json_real(json_number_value(budget)) : json_null();
}

static int add_metrics(struct history *history, const char *run, const char *scenario,
		       const char *bench, const json_t *metrics, const json_t *budgets,
		       struct reason *why)
{
	const char *name;
	json_t *metric;
	int error = 0;

	json_object_foreach ((json_t *)metrics, name, metric) {
		double median;
		size_t boots;

		if (error || median_of(metric, &median, &boots))
			continue;
		error = query(history, "INSERT INTO sample VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			      json_pack("[s, s, s, s, s, s, o, I, f]", run, scenario, bench, name,
					json_text(metric, "unit", ""),
					json_text(metric, "direction", "none"),
					budget_of(budgets, name), (json_int_t)boots, median),
			      NULL, why);
	}
	return error;
}

static int add_rows(struct history *history, const char *run, const json_t *side,
		    struct reason *why)
{
	const json_t *rates = json_object_get(side, "rates");
	const char *scenario;
	json_t *part;
	int error = 0;

	json_object_foreach ((json_t *)rates, scenario, part)
		if (!error)
			error = query(history, "INSERT INTO rate VALUES (?, ?, ?, ?, ?)",
				      json_pack("[s, s, s, I, I]", run, scenario,
						json_text(part, "bench", ""),
						(json_int_t)json_number(part, "trials", 0),
						(json_int_t)json_number(part, "failures", 0)),
				      NULL, why);
	json_object_foreach (json_object_get(side, "metrics"), scenario, part)
		if (!error)
			error = add_metrics(
				history, run, scenario,
				json_text(json_object_get(rates, scenario), "bench", ""), part,
				json_object_get(json_object_get(side, "budgets"), scenario), why);
	return error;
}

/* Delete the rows of a run. Slow, because they are spread over the tables: called only if the index has the run. */
static int delete_rows(struct history *history, const char *run, struct reason *why)
{
	return query(history, "DELETE FROM rate WHERE run = ?", json_pack("[s]", run), NULL, why)
		       ?: query(history, "DELETE FROM sample WHERE run = ?", json_pack("[s]", run),
				NULL, why);
}

/**
 * history_add - add a run to the index, or replace it
 * @directory: of the run
 * @added:     receives false for a complete run that the index has with the same directory
 * @why:       filled on an error; then the index is unchanged
 *
 * Return: 0 or -errno.
 */
int history_add(struct history *history, const char *directory, bool *added, struct reason *why)
{
	__cleanup_free char *path = realpath(directory, NULL);
	__cleanup_json json_t *side = NULL;
	const char *place = path ? path : directory, *run;
	__cleanup_json json_t *known = NULL;
	const json_t *row;
	int error = compare_load(directory, &directory, 1, &side, why);

	if (error)
		return error;
	run = json_text(side, "run", "");
	error = query(history, "SELECT directory, complete FROM run WHERE run = ?",
		      json_pack("[s]", run), &known, why);
	row = json_array_get(known, 0);
	*added = !error && !(json_is(row, "directory", place) && json_number(row, "complete", 0));
	if (error || !*added)
		return error;
	error = execute(history, "SAVEPOINT run", why)
			?: (row ? delete_rows(history, run, why) : 0)
			?: query(history, "INSERT OR REPLACE INTO run VALUES (?, ?, ?, ?)",
				 json_pack("[s, s, s, i]", run, place, json_text(side, "version", ""),
					   json_is_true(json_object_get(side, "complete"))),
				 NULL, why)
			?: add_rows(history, run, side, why)
			?: execute(history, "RELEASE run", why);
	if (error)
		(void)execute(history, "ROLLBACK TO run; RELEASE run", NULL);
	return error;
}

/**
 * history_begin - start a transaction, because adding several runs in one is faster
 *
 * If the program ends before history_end(), the index is unchanged.
 *
 * Return: 0, -EBUSY, -EIO.
 */
int history_begin(struct history *history, struct reason *why)
{
	return execute(history, "BEGIN IMMEDIATE", why);
}

/** history_end - commit the runs since history_begin(). Return: 0, or -EIO; then the index is unchanged */
int history_end(struct history *history, struct reason *why)
{
	int error = execute(history, "COMMIT", why);

	if (error)
		(void)execute(history, "ROLLBACK", NULL);
	return error;
}

/**
 * history_run - find a run
 * @run:   its ID, a prefix of its ID, the name of a baseline, or "latest"
 * @found: receives {"run", "directory"}; owned by the caller
 * @why:   filled on an error
 *
 * Return: 0, -ENOENT, -ENOTUNIQ, -EIO.
 */
int history_run(struct history *history, const char *run, json_t **found, struct reason *why)
{
	static const char latest[] =
		"SELECT run, directory FROM run ORDER BY " LATEST_FIRST " LIMIT 1";
	static const char named[] = "SELECT run, directory FROM run WHERE run IN (SELECT run FROM "
				    "baseline WHERE name = ?1)"
				    " OR substr(run, 1, length(?1)) = ?1 LIMIT 2";
	__cleanup_json json_t *rows = NULL;
	bool is_latest = strcmp(run, "latest") == 0;
	int error = query(history, is_latest ? latest : named,
			  is_latest ? NULL : json_pack("[s]", run), &rows, why);

	if (error)
		return error;
	if (json_array_size(rows) != 1)
		return fail(why, json_array_size(rows) ? -ENOTUNIQ : -ENOENT,
			    json_array_size(rows) ? "%s: several runs match '%s'"
						  : "%s: there is no run or baseline '%s'; "
						    "'brinell history list' shows the runs",
			    history->path, run);
	*found = json_incref(json_array_get(rows, 0));
	return 0;
}

/**
 * history_pin - name a run as a baseline, such as that of a release
 * @name: of the baseline
 * @run:  as for history_run()
 * @why:  filled on an error
 *
 * Return: 0 or -errno.
 */
int history_pin(struct history *history, const char *name, const char *run, struct reason *why)
{
	__cleanup_json json_t *found = NULL;
	int error = history_run(history, run, &found, why);

	return error ? error
		     : query(history, "INSERT OR REPLACE INTO baseline VALUES (?, ?)",
			     json_pack("[s, O]", name, json_object_get(found, "run")), NULL, why);
}

/** history_runs - list all runs in the order of time, with their counts: {"run", "directory", "complete", "trials", ...} */
int history_runs(struct history *history, json_t **runs, struct reason *why)
{
	return query(
		history,
		"SELECT run.run, directory, version, complete, trials, failures,"
		" (SELECT group_concat(name, ', ') FROM baseline WHERE baseline.run = run.run) AS "
		"baselines"
		" FROM run LEFT JOIN (SELECT run, sum(trials) AS trials, sum(failures) AS failures"
		"  FROM rate GROUP BY run) AS sums ON sums.run = run.run ORDER BY " IN_TIME,
		NULL, runs, why);
}

/** history_show - list the metrics of a run: {"scenario", "metric", "unit", "boots", "median"} */
int history_show(struct history *history, const char *run, json_t **rows, struct reason *why)
{
	return query(history,
		     "SELECT scenario, metric, unit, boots, median FROM sample WHERE run = ?"
		     " ORDER BY scenario, metric",
		     json_pack("[s]", run), rows, why);
}

/**
 * history_series - list the medians of a metric over the runs, in the order of time
 * @scenario, @metric, @bench: NULL: all, one after the other
 * @series: receives [{"scenario", "metric", "bench", "run", "directory", "version", "unit", "direction", "budget" (percent;
 *          null: the metric is not checked), "boots", "median"}]
 * @why:    filled on an error
 *
 * Return: 0 or -errno.
 */
int history_series(struct history *history, const char *scenario, const char *metric,
		   const char *bench, json_t **series, struct reason *why)
{
	return query(
		history,
		"SELECT scenario, metric, bench, sample.run, directory, version, unit, direction,"
		" budget, boots, median FROM sample JOIN run ON run.run = sample.run"
		" WHERE (?1 IS NULL OR scenario = ?1) AND (?2 IS NULL OR metric = ?2)"
		" AND (?3 IS NULL OR bench = ?3)"
		" ORDER BY scenario, metric, bench, " IN_TIME,
		json_pack("[s?, s?, s?]", scenario, metric, bench), series, why);
}

/**
 * history_failures - count the failures of each scenario on each bench: in its last run, and in the one before
 * @since:    prefix of a run ID: all runs since then count as the last one; NULL: none
 * @failures: receives [{"scenario", "bench", "run", "trials", "failures", "last"}], the last one first
 * @why:      filled on an error
 *
 * Return: 0 or -errno.
 */
int history_failures(struct history *history, const char *since, json_t **failures,
		     struct reason *why)
{
	return query(history,
		     "SELECT scenario, bench, max(run) AS run, sum(trials) AS trials,"
		     " sum(failures) AS failures, place = 1 AS last FROM"
		     " (SELECT rate.*, CASE WHEN rate.run >= ?1 THEN 1 ELSE row_number() OVER"
		     "  (PARTITION BY scenario, bench, rate.run >= ?1 ORDER BY " LATEST_FIRST ")"
		     "  + (?1 IS NOT NULL AND EXISTS (SELECT * FROM rate AS other WHERE"
		     "   other.scenario = rate.scenario AND other.bench = rate.bench AND"
		     "   other.run >= ?1)) END AS place"
		     "  FROM rate JOIN run ON run.run = rate.run)"
		     " WHERE place <= 2 GROUP BY scenario, bench, place ORDER BY scenario, bench,"
		     " place",
		     json_pack("[s?]", since), failures, why);
}
