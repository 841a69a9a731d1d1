// SPDX-License-Identifier: GPL-2.0-only
/*
 * A night: its steps one after the other, each in a directory of its own. A night without a summary was interrupted, for
 * example by a reboot; it is continued.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "harness/compare/rounds.h"
#include "harness/compare/self.h"
#include "harness/lib/text.h"
#include "harness/nightly/nightly.h"
#include "harness/store/run_directory.h"

#define SUMMARY_FILE "summary.txt"

static bool has_file(const char *directory, const char *name)
{
	__cleanup_free char *path = format_text("%s/%s", directory, name);

	return access(path, F_OK) == 0;
}

static int is_dated(const struct dirent *entry)
{
	return strspn(entry->d_name, "0123456789") == 8 && entry->d_name[8] == 'T' &&
	       strspn(entry->d_name + 9, "0123456789") == 6 && strcmp(entry->d_name + 15, "Z") == 0;
}

/* Return: existing nights, the oldest first, without other directories; owned by the caller. */
static json_t *list_nights(const char *out)
{
	struct dirent **entries = NULL;
	int count = scandir(out, &entries, is_dated, alphasort);
	json_t *nights = json_array();

	for (int i = 0; i < count; i++) {
		char *path = format_text("%s/%s", out, entries[i]->d_name);

		if (has_file(path, NIGHT_FILE))
			json_array_append_new(nights, json_string(path));
		free(path);
		free(entries[i]);
	}
	free(entries);
	return nights;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	return remove(path);
}

/* Remove old nights, but not the present one, which looks old if the clock was set back. */
static void remove_oldest(const struct nightly *nightly, const char *night)
{
	__cleanup_json json_t *nights = list_nights(nightly->out);
	size_t count = json_array_size(nights);

	for (size_t i = 0; i + nightly->keep < count; i++) {
		const char *path = json_string_value(json_array_get(nights, i));

		if (strcmp(path, night) != 0 &&
		    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT))
			log_warning("nightly: removing %s: %s", path, strerror(errno));
	}
}

/**
 * night_interrupted - find the last night, if it was interrupted
 *
 * Return: its directory, owned by the caller, or NULL.
 */
char *night_interrupted(const struct nightly *nightly)
{
	__cleanup_json json_t *nights = list_nights(nightly->out);
	const char *last = json_string_value(json_array_get(nights, json_array_size(nights) - 1));

	return last && !has_file(last, SUMMARY_FILE) ? xstrdup(last) : NULL;
}

/* Continue the last night if it was interrupted; else create a new one with a copy of the steps. */
static int open_night(const struct nightly *nightly, char **directory, json_t **plan,
		      struct reason *why)
{
	__cleanup_free char *last = night_interrupted(nightly);
	__cleanup_free char *path = NULL, *file = NULL, *text = NULL, *name = NULL;
	time_t now = time(NULL);
	int error;

	if (last) {
		file = format_text("%s/" NIGHT_FILE, last);
		*plan = json_load_file(file, 0, NULL);
		if (!*plan)
			return fail(why, -EINVAL, "%s can not be read; remove that night", file);
		log_info("nightly: continuing the interrupted night %s", last);
		*directory = steal(last);
		return 0;
	}
	name = format_utc(now, "%Y%m%dT%H%M%SZ");
	path = format_text("%s/%s", nightly->out, name);
	*plan = json_pack("{s:O, s:I, s:I}", "steps", nightly->steps, "began", (json_int_t)now,
			  "budget_s", (json_int_t)(nightly->budget_ns / NSEC_PER_SEC));
	text = json_dumps(*plan, JSON_INDENT(1));
	error = make_directories(path)
			?: write_file_atomically(path, NIGHT_FILE, text, strlen(text));
	if (error)
		return fail(why, error, "%s: %s", path, strerror(-error));
	*directory = steal(path);
	return 0;
}

/* Whether an interrupted night began a step: there is a journal or a plan. */
static bool has_begun(const char *directory)
{
	return run_directory_begun(directory) || has_file(directory, COMPARISON_FILE);
}

static json_t *step_arguments(const json_t *step, const char *directory, const char *index)
{
	json_t *words;

	if (has_begun(directory))
		return json_pack("[s, s, s]", "brinell", "resume", directory);
	words = json_pack("[s, O, s, s]", "brinell", json_array_get(step, 0), "--out", directory);
	if (strcmp(json_string_value(json_array_get(step, 0)), "compare") == 0) {
		json_array_append_new(words, json_string("--index"));
		json_array_append_new(words, json_string(index));
	}
	for (size_t i = 1; i < json_array_size(step); i++)
		json_array_append(words, json_array_get(step, i));
	return words;
}

static int run_step(const json_t *step, const char *night, const char *directory, int *code,
		    struct reason *why)
{
	__cleanup_free char *index = format_text("%s/../history.db", night);
	__cleanup_json json_t *arguments = step_arguments(step, directory, index);
	__cleanup_free char *log = format_text("%s.log", directory);
	__cleanup_free char *file = format_text("%s.code", strrchr(directory, '/') + 1);
	__cleanup_free char *text = NULL;
	__cleanup_close int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	int error;

	if (out < 0)
		return fail(why, -errno, "%s: %s", log, strerror(errno));
	*code = self_run(arguments, NULL, out, out, why);
	if (*code == -EINTR)
		*code = EXIT_KILLED;
	if (*code < 0)
		return *code;
	text = format_text("%d\n", *code);
	error = write_file_atomically(night, file, text, strlen(text));
	return error ? fail(why, error, "%s/%s: %s", night, file, strerror(-error)) : 0;
}

/* Return: exit code of a step that has ended, or -1. */
static int known_code(const char *directory)
{
	__cleanup_free char *file = format_text("%s.code", directory);
	__cleanup_free char *text = NULL;

	return read_small_file(file, &text, NULL) ? -1 : atoi(text);
}

static char *text_of(const json_t *step)
{
	char *text = NULL;
	json_t *word;
	size_t index;

	json_array_foreach ((json_t *)step, index, word)
		append_shell_word(&text, json_string_value(word) ?: "?");
	return text;
}

/* Return: a step with the code that is known, owned by the caller. */
static json_t *step_at(const char *night, const json_t *plan, size_t number)
{
	const json_t *words = json_array_get(json_object_get(plan, "steps"), number);
	const char *kind = json_string_value(json_array_get(words, 0)) ?: "?";
	__cleanup_free char *directory = format_text("%s/%02zu-%s", night, number + 1, kind);
	__cleanup_free char *text = text_of(words);
	int code = known_code(directory);

	return json_pack("{s:s, s:s, s:s, s:o}", "step", text ?: "", "kind", kind, "directory",
			 directory, "code", code < 0 ? json_null() : json_integer(code));
}

static int take_step(const char *night, const json_t *plan, size_t number, json_t *outcome,
		     struct reason *why)
{
	const json_t *words = json_array_get(json_object_get(plan, "steps"), number);
	json_t *step = step_at(night, plan, number);
	const char *directory = json_text(step, "directory", "");
	int64_t budget = json_number(plan, "budget_s", 0);
	bool late = budget && time(NULL) - json_number(plan, "began", 0) > budget &&
		    !has_begun(directory);
	int code = -1, error;

	json_array_append_new(outcome, step);
	if (json_is_integer(json_object_get(step, "code")) || late)
		return 0;
	log_info("nightly: %s", json_text(step, "step", ""));
	error = run_step(words, night, directory, &code, why);
	if (!error)
		json_object_set_new(step, "code", json_integer(code));
	return error;
}

/**
 * night_load - load a night that was run
 * @directory: of it
 * @night:     receives {"directory", "complete", "steps": as the outcome of night_run(), "summary": text, or null until it is
 *             complete}; owned by the caller
 * @why:       filled on an error
 *
 * Return: 0, -EINVAL, or -errno of the summary.
 */
int night_load(const char *directory, json_t **night, struct reason *why)
{
	__cleanup_free char *file = format_text("%s/" NIGHT_FILE, directory);
	__cleanup_free char *path = format_text("%s/" SUMMARY_FILE, directory);
	__cleanup_free char *summary = NULL;
	json_error_t problem;
	__cleanup_json json_t *plan = json_load_file(file, JSON_REJECT_DUPLICATES, &problem);
	__cleanup_json json_t *steps = json_array();
	bool complete = has_file(directory, SUMMARY_FILE);
	int error;

	if (!plan)
		return fail(why, -EINVAL, "%s, line %d: %s", file, problem.line, problem.text);
	error = complete ? read_small_file(path, &summary, NULL) : 0;
	if (error)
		return fail_errno(why, error, "%s", path);
	for (size_t i = 0; i < json_array_size(json_object_get(plan, "steps")); i++)
		json_array_append_new(steps, step_at(directory, plan, i));
	*night = json_pack("{s:s, s:b, s:O, s:s?}", "directory", directory, "complete", complete,
			   "steps", steps, "summary", summary);
	return *night ? 0 : fail(why, -EINVAL, "%s: the summary is not UTF-8", directory);
}

/**
 * night_check - check each step as its --dry-run does
 * @nightly: of nightly_read()
 * @path:    of its file, for messages
 *
 * Return: whether all can be run; else after a message with each line.
 */
bool night_check(const struct nightly *nightly, const char *path)
{
	bool good = true;
	json_t *step;
	size_t index;

	json_array_foreach (nightly->steps, index, step) {
		__cleanup_json json_t *words = json_deep_copy(step);
		__cleanup_free char *text = text_of(step);
		struct reason why = {""};

		json_array_insert_new(words, 0, json_string("brinell"));
		json_array_insert_new(words, 2, json_string("--dry-run"));
		if (self_run(words, NULL, STDOUT_FILENO, STDERR_FILENO, &why) == 0)
			continue;
		log_error("%s, line %lld: '%s' can not be run%s%s", path,
			  (long long)json_integer_value(json_array_get(nightly->lines, index)),
			  text, *why.text ? ": " : "", why.text);
		good = false;
	}
	return good;
}

/* A second nightly would continue the night of the first. */
static int lock(struct nightly *nightly, struct reason *why)
{
	nightly->lock = open(nightly->out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (nightly->lock >= 0 && flock(nightly->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return fail(why, -EBUSY,
			    "another brinell nightly writes to %s: wait until it has ended, or end "
			    "it",
			    nightly->out);
	return fail_errno(why, -errno, "locking %s", nightly->out);
}

/**
 * night_run - run the steps of a night, or the rest of an interrupted one
 * @nightly:   of nightly_read(); receives the lock
 * @directory: receives the directory of the night; owned by the caller
 * @outcome:   receives [{"step", "kind", "directory", "code": exit code, or null if the budget was spent}]; owned by
 *             the caller
 * @why:       filled on an error
 *
 * Removes the oldest nights above @keep. The caller writes the summary, which marks the end of the night.
 *
 * Return: 0 or -errno.
 */
int night_run(struct nightly *nightly, char **directory, json_t **outcome, struct reason *why)
{
	__cleanup_json json_t *plan = NULL;
	__cleanup_json json_t *steps = json_array();
	__cleanup_free char *night = NULL;
	int error = make_directories(nightly->out);

	if (error)
		return fail(why, error, "%s: %s", nightly->out, strerror(-error));
	error = lock(nightly, why) ?: open_night(nightly, &night, &plan, why);
	for (size_t i = 0; !error && i < json_array_size(json_object_get(plan, "steps")); i++)
		error = take_step(night, plan, i, steps, why);
	if (error)
		return error;
	remove_oldest(nightly, night);
	*directory = steal(night);
	*outcome = steal(steps);
	return 0;
}
