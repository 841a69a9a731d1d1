// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where each trial is in a journal, found in one pass that decodes nothing but the plan and some fields. Memory grows with the
 * number of trials, by about 200 bytes each, not with their records.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "harness/journal/index.h"
#include "harness/journal/index_file.h"

/* Kinds of machine that are kept. */
#define KNOWN_LIMIT 2000

static char *span_dup(struct span span)
{
	return format_text("%.*s", (int)span.length, span.text ? span.text : "");
}

static struct journal_trial *add_trial(struct journal_index *index, struct span id)
{
	struct journal_trial *trial;

	if (index->count == index->room) {
		index->room = index->room ? 2 * index->room : 64;
		index->trials = xreallocarray(index->trials, index->room, sizeof(*index->trials));
	}
	trial = &index->trials[index->count];
	*trial = (struct journal_trial){.id = span_dup(id)};
	json_object_setn_new(index->by_id, id.text, id.length,
			     json_integer((json_int_t)index->count++));
	return trial;
}

/* The mark of damage right before the record at an offset, or NULL. */
static const struct journal_mark *mark_before(const struct journal_index *index, size_t begin)
{
	size_t low = 0, high = index->mark_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->marks[middle].end <= begin)
			low = middle + 1;
		else
			high = middle;
	}
	return low && index->marks[low - 1].end == begin ? &index->marks[low - 1] : NULL;
}

/* The mark of damage right behind the record that ends at an offset, or NULL. */
static const struct journal_mark *mark_after(const struct journal_index *index, size_t end)
{
	size_t low = 0, high = index->mark_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->marks[middle].begin < end)
			low = middle + 1;
		else
			high = middle;
	}
	return low < index->mark_count && index->marks[low].begin == end ? &index->marks[low]
									 : NULL;
}

/** journal_index_trial - a trial by its id, or NULL; borrowed */
struct journal_trial *journal_index_trial(const struct journal_index *index, struct span id)
{
	json_t *place = json_object_getn(index->by_id, id.text, id.length);

	return place ? &index->trials[json_integer_value(place)] : NULL;
}

static void add_planned(struct journal_index *index, struct span entry)
{
	struct span key, value, id = {NULL, 0}, scenario = id, bench = id;
	struct journal_trial *trial;
	int64_t seed = 0, turn;

	while (scan_next(&entry, '{', &key, &value)) {
		if (span_is(key, "trial"))
			id = scan_string(value);
		else if (span_is(key, "scenario"))
			scenario = scan_string(value);
		else if (span_is(key, "bench"))
			bench = scan_string(value);
		else if (span_is(key, "seed"))
			scan_number(value, &seed);
	}
	if (!id.length)
		return;
	trial = journal_index_trial(index, id);
	if (!trial)
		trial = add_trial(index, id);
	if (trial->scenario) {
		index->planned_twice = true;
		return;
	}
	trial->scenario = scenario.text ? span_dup(scenario) : xstrdup("unknown");
	trial->bench = bench.text ? span_dup(bench) : xstrdup("unknown");
	trial->seed = seed;
	turn = json_number(index->turns, trial->scenario, 0) + 1;
	json_object_set_new(index->turns, trial->scenario, json_integer(turn));
	trial->turn = (unsigned int)turn;
	index->planned++;
}

/* The part of a run record that is kept does not grow with the plan. */
static bool is_small(struct span parent, struct span key)
{
	return parent.length || !(span_is(key, "plan") || span_is(key, "specs"));
}

/* What differs between two boots or guests of the same kind. */
static bool is_lasting(struct span parent, struct span key)
{
	static const char *const passing[] = {"boot_id", "pid",	    "uuid", "cid",    "port",
					      "warm",	 "arrived", "id",   "address"};

	(void)parent;
	for (size_t i = 0; i < ARRAY_SIZE(passing); i++)
		if (span_is(key, passing[i]))
			return false;
	return key.length < 3 || memcmp(key.text + key.length - 3, "_ns", 3) != 0;
}

static void add_about(struct journal_index *index, const struct journal_line *line, json_t *body)
{
	json_array_append_new(index->about,
			      json_pack("{s:I, s:I, s:s%, s:o}", "seq", (json_int_t)line->sequence,
					"time_ns", (json_int_t)line->time_ns, "type",
					line->type.text, (int)line->type.length, "body", body));
}

static void add_machine(struct journal_index *index, const struct journal_line *line)
{
	__cleanup_free char *text = NULL;
	struct span body = line->body;
	json_t *kind;

	/* Nearly all are equal to an earlier one. */
	if (json_object_size(index->known) >= KNOWN_LIMIT ||
	    json_object_getn(index->known, body.text, body.length))
		return;
	kind = scan_decode(body, is_lasting);
	text = json_dumps(kind, JSON_COMPACT);
	if (text && !json_object_get(index->known, text))
		add_about(index, line, json_incref(kind));
	if (text)
		json_object_set_new(index->known, text, json_true());
	json_object_setn_new(index->known, body.text, body.length, json_true());
	json_decref(kind);
}

static int add_run(struct journal_index *index, const struct journal_line *line, struct reason *why)
{
	int error = journal_check_version(line->body, why);
	struct span plan = scan_member(line->body, "plan"), entry;
	json_t *body = scan_decode(line->body, is_small);

	if (!index->run.length)
		index->run = line->body;
	if (body)
		add_about(index, line, body);
	while (!error && scan_next(&plan, '[', NULL, &entry))
		add_planned(index, entry);
	return error;
}

static void read_verdict(struct journal_trial *trial, struct span body)
{
	struct span verdict = scan_string(scan_member(body, "verdict"));

	trial->judged = true;
	trial->verdict = body;
	if (verdict.length < sizeof(trial->recorded))
		snprintf(trial->recorded, sizeof(trial->recorded), "%.*s", (int)verdict.length,
			 verdict.text);
}

static void take_record(struct journal_index *index, const struct journal_line *line)
{
	/* Nearly all are of the same trial as the one before. */
	struct journal_trial *trial =
		index->count && span_is(line->trial, index->trials[index->last].id)
			? &index->trials[index->last]
			: journal_index_trial(index, line->trial);
	bool starts = span_is(line->type, "trial");

	if (!trial)
		trial = add_trial(index, line->trial);
	if (trial->begin == trial->end) {
		trial->begin = line->begin;
		trial->number = line->number;
		trial->sequence = line->sequence;
		trial->damaged =
			index->mark_count && index->marks[index->mark_count - 1].end == line->begin;
	}
	/* Between two records of it. */
	if (index->mark_count && index->marks[index->mark_count - 1].end > trial->begin)
		trial->damaged = true;
	trial->end = line->end;
	index->last = (size_t)(trial - index->trials);
	for (; trial->scenario && index->reported < index->mark_count; index->reported++)
		index->marks[index->reported].after = index->last;
	if (span_is(line->type, "verdict")) {
		read_verdict(trial, line->body);
		return;
	}
	if (starts) {
		trial->attempts++;
		trial->closed = false;
		trial->records = 0;
	}
	trial->records++;
	trial->intended |= span_is(line->type, "intent");
	trial->fired |= trial->intended || span_is(line->type, "outcome");
	if (span_is(line->type, "close")) {
		trial->closed = true;
		trial->skipped |= span_is(scan_string(scan_member(line->body, "cause")), "skip");
	}
}

static void add_mark(struct journal_index *index, const struct journal_line *line)
{
	if (index->mark_count == index->mark_room) {
		index->mark_room = index->mark_room ? 2 * index->mark_room : 16;
		index->marks = xreallocarray(index->marks, index->mark_room, sizeof(*index->marks));
	}
	index->marks[index->mark_count++] = (struct journal_mark){
		.line = line->number,
		.what = line->damage,
		.begin = line->begin,
		.end = line->end,
		.before = index->last,
		.after = SIZE_MAX,
		.time_ns = line->time_ns,
	};
}

static int take_line(struct journal_index *index, const struct journal_line *line,
		     struct reason *why)
{
	if (line->damage) {
		add_mark(index, line);
		return 0;
	}
	if (!index->first_ns)
		index->first_ns = line->time_ns;
	index->last_ns = line->time_ns;
	if (line->trial.text)
		take_record(index, line);
	if (span_is(line->type, "run"))
		return add_run(index, line, why);
	if (span_is(line->type, "boot") || span_is(line->type, "guest"))
		add_machine(index, line);
	if (span_is(line->type, "end")) {
		json_decref(index->ended);
		index->ended = scan_decode(line->body, NULL);
	}
	return 0;
}

static int scan_journal(struct journal_index *index, bool drop, struct reason *why)
{
	struct journal_reader reader = {.text = index->text, .length = index->length, .drop = drop};
	struct journal_line line;
	int error = 0;

	while (!error && journal_next(&reader, &line)) {
		if (line.damage)
			journal_count_damage(&index->damage, &reader, &line);
		error = take_line(index, &line, why);
	}
	journal_reader_close(&reader);
	if (error)
		return error;
	index->damage.torn_bytes = index->length - (reader.sequence ? reader.at : 0);
	/* A loss right behind a trial may be that of its end. */
	for (size_t i = 0; i < index->count; i++)
		index->trials[i].damaged |= index->trials[i].end > index->trials[i].begin &&
					    mark_after(index, index->trials[i].end);
	if (!reader.sequence)
		return fail(
			why, -ENODATA,
			"the journal holds no whole record (%zu bytes, none with a right checksum)",
			index->length);
	return 0;
}

static struct journal_index *new_index(void)
{
	struct journal_index *index = xzalloc(sizeof(*index));

	index->fd = -1;
	index->about = json_array();
	index->by_id = json_object();
	index->turns = json_object();
	index->known = json_object();
	return index;
}

/**
 * journal_index_parse - find the trials of a journal in memory
 * @text:   content of the file; borrowed until journal_index_free()
 * @length: its length
 * @index:  receives it; journal_index_free()
 * @why:    filled on an error
 *
 * Return: 0; -ENODATA when there is not one whole record; -ENOTSUP for a later version.
 */
int journal_index_parse(const char *text, size_t length, struct journal_index **index,
			struct reason *why)
{
	__cleanup_index struct journal_index *made = new_index();
	int error;

	made->text = text;
	made->length = length;
	error = scan_journal(made, false, why);
	if (!error)
		*index = steal(made);
	return error;
}

/**
 * journal_index_open - find the trials of a run's journal, and store where they are
 * @directory: of the run
 * @index:     receives the index; journal_index_free()
 * @why:       filled on an error
 *
 * The journal is always read: what is stored only serves journal_lookup().
 *
 * Return: 0; -ENOENT when there is no such directory or no journal in it; what journal_index_parse() returns; -errno.
 */
int journal_index_open(const char *directory, struct journal_index **index, struct reason *why)
{
	__cleanup_index struct journal_index *made = new_index();
	struct reason inner = {""};
	int error = journal_open_file(directory, O_RDONLY, &made->fd, why);

	if (!error)
		error = journal_map(made->fd, &made->text, &made->length, why);
	if (error)
		return error;
	error = scan_journal(made, true, &inner);
	if (error)
		return fail(why, error, "%s/%s: %s", directory, JOURNAL_FILE, inner.text);
	index_file_write(directory, made);
	*index = steal(made);
	return 0;
}

/* A mark of damage next to a trial is among its records: the line that is lost may be its start or its end. */
static void append_mark(json_t *records, const struct journal_mark *mark)
{
	const struct journal_line line = {
		.damage = mark ? mark->what : NULL,
		.number = mark ? mark->line : 0,
		.time_ns = mark ? mark->time_ns : 0,
	};

	if (mark)
		json_array_append_new(records, journal_record(&line));
}

/**
 * journal_window - the records of a part of a journal
 * @reader: at its start
 * @id:     records of other trials, and verdicts, are left out
 *
 * Return: array of records, owned by the caller.
 */
json_t *journal_window(struct journal_reader *reader, const char *id)
{
	json_t *records = json_array();
	struct journal_line line;

	while (journal_next(reader, &line)) {
		json_t *record;

		if (line.trial.text && (!span_is(line.trial, id) || span_is(line.type, "verdict")))
			continue;
		record = journal_record(&line);
		if (!record) {
			/* A body that is no JSON counts as lost. */
			line.damage = "checksum";
			record = journal_record(&line);
		}
		json_array_append_new(records, record);
	}
	journal_reader_close(reader);
	return records;
}

/** journal_index_release - release the pages of a mapped journal between two offsets, after they were read */
void journal_index_release(const struct journal_index *index, size_t begin, size_t end)
{
	if (index->fd >= 0)
		journal_drop(index->text, begin, end);
}

/**
 * journal_index_records - the records of a trial, and those of no trial between them
 * @index: of the journal
 * @trial: of the index
 *
 * Verdicts are left out. Marks of damage are in the array, also the ones next to the first and the last record.
 *
 * Return: array of records, owned by the caller.
 */
json_t *journal_index_records(const struct journal_index *index, const struct journal_trial *trial)
{
	struct journal_reader reader = {
		.text = index->text + trial->begin,
		.length = trial->end - trial->begin,
		.number = trial->number - 1,
		.sequence = trial->sequence - 1,
	};
	json_t *records, *all = json_array();

	append_mark(all, mark_before(index, trial->begin));
	records = journal_window(&reader, trial->id);
	journal_index_release(index, trial->begin, trial->end);
	json_array_extend(all, records);
	json_decref(records);
	append_mark(all, mark_after(index, trial->end));
	return all;
}

/** journal_id_matches - whether @wanted ("3"), as a user writes it, means the trial @id ("0003") */
bool journal_id_matches(const char *id, const char *wanted)
{
	return strcmp(id, wanted) == 0 ||
	       (*wanted && strspn(wanted, "0123456789") == strlen(wanted) &&
		strcmp(id + strspn(id, "0"), wanted + strspn(wanted, "0")) == 0);
}

/** journal_index_find - the trial that a user names, or NULL; borrowed */
struct journal_trial *journal_index_find(const struct journal_index *index, const char *wanted)
{
	for (size_t i = 0; i < index->count; i++)
		if (journal_id_matches(index->trials[i].id, wanted))
			return &index->trials[i];
	return NULL;
}

/** journal_index_widest - bytes of the longest name of a scenario in the plan */
size_t journal_index_widest(const struct journal_index *index)
{
	size_t widest = 0;
	const char *name;
	json_t *turn;

	json_object_foreach (index->turns, name, turn)
		widest = strlen(name) > widest ? strlen(name) : widest;
	return widest;
}

/** journal_index_free - free an index, which may be NULL, and unmap its file */
void journal_index_free(struct journal_index *index)
{
	if (!index)
		return;
	for (size_t i = 0; i < index->count; i++) {
		free(index->trials[i].id);
		free(index->trials[i].scenario);
		free(index->trials[i].bench);
	}
	free(index->trials);
	free(index->marks);
	json_decref(index->about);
	json_decref(index->ended);
	json_decref(index->by_id);
	json_decref(index->turns);
	json_decref(index->known);
	if (index->fd >= 0) {
		journal_unmap(index->text, index->length);
		close(index->fd);
	}
	free(index);
}
