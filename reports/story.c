// SPDX-License-Identifier: GPL-2.0-only
/*
 * A trial's records as lines for people, in the order of the journal, with the intent to fire as
 * time zero. What is reported many times a second, a guest's heartbeats and the progress of its migration, is folded.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/param.h>

#include "reports/course.h"
#include "reports/story.h"
#include "reports/text.h"

/* Guests times hosts, and migrations, that are folded at the same time. */
#define FOLD_LIMIT 16
/* Iterations that are reported one by one until something else happens to the guest. */
#define ITERATIONS_SHOWN 5

/**
 * story_records - the records of the last attempt of a trial
 * @records: of the journal; borrowed for as long as @own is used
 * @own:     receives them; owned by the caller
 *
 * Return: how many.
 */
size_t story_records(const json_t *records, const char *trial, struct record **own)
{
	size_t count = 0, index;
	struct record record;
	json_t *each;

	*own = xreallocarray(NULL, json_array_size(records) + 1, sizeof(**own));
	json_array_foreach (records, index, each) {
		if (strcmp(json_text(each, "trial", ""), trial) != 0)
			continue;
		record_read(&record, each);
		if (record.type == RECORD_TRIAL)
			count = 0;
		(*own)[count++] = record;
	}
	return count;
}

static char *intent_text(const struct record *record, bool name_host)
{
	const struct intent_record *intent = &record->intent;
	__cleanup_free char *arguments = NULL;
	bool placed = record->host && (record->guest || name_host);

	if (json_object_size(intent->arguments))
		arguments = json_dumps(intent->arguments, JSON_COMPACT);
	return format_text("about to fire %s%s%s%s%s%s%s %s", intent->injector ?: "a fault",
			   intent->target ? " at " : "", intent->target ?: "",
			   record->guest ? " of " : "", record->guest ?: "", placed ? " on " : "",
			   placed ? record->host : "", arguments ?: "");
}

static char *facts_text(const struct record *record)
{
	__cleanup_free char *facts = json_dumps(record->facts.facts, JSON_COMPACT);

	return format_text("%s%s%s %s", record->facts.workload ?: "workload",
			   record->guest ? " in " : "", record->guest ?: "", facts ?: "");
}

/* ", NAME VERSION" of each software of a guest; owned by the caller. */
static char *software_text(const json_t *facts)
{
	char *all = xstrdup("");
	const char *name;
	json_t *version;

	json_object_foreach (json_object_get(facts, "software"), name, version)
		append_text(&all, "", ", %s %s", name, json_string_value(version));
	return all;
}

static char *guest_text(const struct record *record)
{
	const struct guest_record *guest = &record->guest_start;
	__cleanup_free char *software = software_text(guest->facts);

	return format_text("%s %s %s%s%s%s", record->guest ?: "?",
			   guest->arrived ? "has arrived on"
			   : guest->warm  ? "is used again on"
					  : "runs on",
			   record->host ?: "?", guest->kernel ? ", kernel " : "",
			   guest->kernel ?: "", software);
}

static char *resolved_text(const struct record *record)
{
	const json_t *page = record->facts.facts;

	return format_text("%s of %s: gpa %s -> hva %s -> pfn %s on %s%s",
			   record->facts.workload ?: "page", record->guest ?: "the guest",
			   json_text(page, "gpa", "?"), json_text(page, "hva", "?"),
			   json_text(page, "pfn", "?"), record->host ?: "the host",
			   json_is_true(json_object_get(page, "huge")) ? ", a huge page" : "");
}

static char *migration_text(const struct record *record)
{
	const struct migration_report *migration = &record->event.migration;
	char number[48] = "", size[32] = "";

	if (event_is_named(record, "end"))
		return format_text("%s: migration %s%s%s", record->guest,
				   *migration->outcome ? migration->outcome : "ended",
				   *migration->reason ? ": " : "", migration->reason);
	if (strcmp(migration->stage, "pre-copy") == 0 && migration->iteration > 0)
		snprintf(number, sizeof(number), ", iteration %" PRId64, migration->iteration);
	if (migration->remaining >= 0)
		text_size(size, migration->remaining);
	return format_text("%s: %s%s%s%s%s", record->guest,
			   *migration->stage ? migration->stage : "migration", number,
			   *size ? ", " : "", size, *size ? " remaining" : "");
}

/* The text of an event, behind the guest and the host that it is of. */
static char *event_text(const struct record *record, bool name_host)
{
	__cleanup_free char *data = NULL;
	__cleanup_free char *named = NULL;
	const char *text = record->event.text, *action = "";
	const char *guest = record->guest, *host = record->host;

	if (record->event.source == SOURCE_MIGRATION && guest && *record->event.name)
		return migration_text(record);
	if (!*text) {
		data = json_dumps(record->event.data, JSON_COMPACT);
		text = data ?: "";
	}
	if (!guest)
		return name_host && host ? format_text("%s: %s", host, text) : xstrdup(text);
	if (record->event.source == SOURCE_HYPERVISOR)
		action = record->event.domain.action;
	/* The host's side of a guest names it already. */
	named = format_text("%s: ", guest);
	if (strncmp(text, named, strlen(named)) == 0)
		text += strlen(named);
	/* Of a memory failure: what QEMU did with it. */
	if (strstr(text, action))
		action = "";
	return format_text("%s%s%s: %s%s%s", guest, host ? " on " : "", host ?: "", text,
			   *action ? ", " : "", action);
}

static char *outcome_text(const struct outcome_record *outcome)
{
	return format_text("%s: %s%s%s", outcome->injector ?: "injector",
			   outcome->error_name ?: "fired", *outcome->reason ? ": " : "",
			   outcome->reason);
}

/**
 * story_line - a record as one line
 * @record:    of the journal
 * @name_host: name the host of each event, because there are several
 * @witness:   receives its source; borrowed
 *
 * Return: owned by the caller; NULL for records that are not shown.
 */
char *story_line(const struct record *record, bool name_host, const char **witness)
{
	*witness = record->type_name;
	switch (record->type) {
	case RECORD_EVENT:
		*witness = *record->event.witness ? record->event.witness : "event";
		return event_text(record, name_host);
	case RECORD_TRIAL:
		return format_text("%s on %s", record->start.scenario, record->start.bench);
	case RECORD_BOOT:
		return format_text("%s runs %s, boot %s", record->host ?: "the host",
				   record->boot.kernel ?: "?", record->boot.boot_id ?: "?");
	case RECORD_GUEST:
		return guest_text(record);
	case RECORD_RESOLVED:
		return resolved_text(record);
	case RECORD_FACTS:
		return facts_text(record);
	case RECORD_STEP:
		return xstrdup(*record->step.text ? record->step.text : record->step.kind);
	case RECORD_INTENT:
		return intent_text(record, name_host);
	case RECORD_OUTCOME:
		return outcome_text(&record->outcome);
	case RECORD_CLOSE:
		return format_text("%s%s%s", *record->close.word ? record->close.word : "?",
				   *record->close.reason ? ": " : "", record->close.reason);
	default:
		return NULL;
	}
}

/**
 * struct fold - reports of one kind about one guest on one host, for which one line stands
 * @stage:     of a migration, or ""
 * @iteration: the last one
 * @first:     of the iterations that the line stands for
 * @reported:      iterations that have a line of their own
 * @line:      the one that stands for all so far; NULL when the next report begins one
 */
struct fold {
	enum source source;
	const char *guest, *host, *stage;
	int64_t iteration, first, beats, missed, longest_ns;
	size_t reported;
	json_t *line;
};

struct folds {
	json_t *story;
	struct fold all[FOLD_LIMIT];
	size_t count;
};

static bool same_text(const char *one, const char *other)
{
	return strcmp(one, other) == 0;
}

/* What can be folded: a report of heartbeats, and the progress of a migration. */
static bool can_fold(const struct record *record, struct fold *fold)
{
	if (record->type != RECORD_EVENT || !record->guest)
		return false;
	*fold = (struct fold){
		.source = record->event.source,
		.guest = record->guest,
		.host = record->host ?: "",
		.stage = "",
	};
	switch (fold->source) {
	case SOURCE_HYPERVISOR:
		return event_is_named(record, "migration-iteration");
	case SOURCE_HEARTBEAT:
		return same_text(record->event.beat.what, "heartbeat");
	case SOURCE_MIGRATION:
		fold->stage = record->event.migration.stage;
		return !event_is_named(record, "end");
	default:
		return false;
	}
}

static struct fold *find_fold(struct folds *folds, const struct fold *wanted)
{
	for (size_t i = 0; i < folds->count; i++) {
		struct fold *fold = &folds->all[i];

		if (fold->source == wanted->source && same_text(fold->guest, wanted->guest) &&
		    same_text(fold->host, wanted->host) && same_text(fold->stage, wanted->stage))
			return fold;
	}
	return NULL;
}

static void drop_fold(struct folds *folds, size_t index)
{
	folds->all[index] = folds->all[--folds->count];
}

static bool is_about_guests(const struct record *record)
{
	return event_is_from(record, SOURCE_HEARTBEAT) ||
	       event_is_from(record, SOURCE_GUEST_LINK) ||
	       event_is_from(record, SOURCE_MIGRATION) || event_is_from(record, SOURCE_HYPERVISOR);
}

/*
 * A fold ends at an event of another kind, so that no folded line spans it: a fault ends all folds, an event of the link, the
 * migration or the hypervisor ends those of its guest.
 */
static void end_folds(struct folds *folds, const struct record *record)
{
	bool all = record->type == RECORD_INTENT || record->type == RECORD_OUTCOME ||
		   record->type == RECORD_CLOSE;

	if (!all && !is_about_guests(record))
		return;
	for (size_t i = folds->count; i-- > 0;)
		if (all || same_text(folds->all[i].guest, record->guest ?: ""))
			drop_fold(folds, i);
}

static char *beats_text(const struct fold *fold)
{
	char longest[32], missed[48] = "";

	text_duration(longest, fold->longest_ns);
	if (fold->missed)
		snprintf(missed, sizeof(missed), ", %" PRId64 " missed", fold->missed);
	return format_text("%s on %s: %" PRId64 " heartbeats, longest %s%s", fold->guest,
			   fold->host, fold->beats, longest, missed);
}

static void remove_line(json_t *story, const json_t *line)
{
	for (size_t i = json_array_size(story); i-- > 0;)
		if (json_array_get(story, i) == line) {
			json_array_remove(story, i);
			return;
		}
}

static void move_line(struct folds *folds, struct fold *fold, json_t *line)
{
	if (fold->line)
		remove_line(folds->story, fold->line);
	fold->line = line;
}

/*
 * The line in which a stage or iteration is reported first stays. The progress within it is one line, the latest; and when
 * iterations are short, several share a line.
 */
static char *fold_progress(struct folds *folds, struct fold *fold,
			   const struct migration_report *migration, char *text, json_t *line)
{
	int64_t iteration = MAX(migration->iteration, 0);
	char size[32], *folded;

	if (iteration != fold->iteration || !fold->reported) {
		fold->iteration = iteration;
		if (fold->reported < ITERATIONS_SHOWN) {
			fold->reported++;
			fold->line = NULL;
			return text;
		}
		if (fold->reported++ == ITERATIONS_SHOWN) {
			fold->first = iteration;
			fold->line = NULL;
		}
	}
	move_line(folds, fold, line);
	if (fold->reported <= ITERATIONS_SHOWN || fold->first == iteration)
		return text;
	text_size(size, migration->remaining);
	folded = format_text("%s: %s, iterations %" PRId64 " to %" PRId64 ", %s remaining",
			     fold->guest, fold->stage, fold->first, iteration, size);
	free(text);
	return folded;
}

static char *fold_beats(struct folds *folds, struct fold *fold, const struct beat_report *beat,
			char *text, json_t *line)
{
	move_line(folds, fold, line);
	fold->beats = number_sum(fold->beats, beat->beats);
	fold->missed = number_sum(fold->missed, beat->missed);
	fold->longest_ns = MAX(fold->longest_ns, beat->longest_ns);
	free(text);
	return beats_text(fold);
}

/* Folds a report; any other record ends folds. */
static char *fold_text(struct folds *folds, const struct record *record, char *text, json_t *line)
{
	struct fold fresh, *fold;

	if (!can_fold(record, &fresh)) {
		end_folds(folds, record);
		return text;
	}
	fold = find_fold(folds, &fresh);
	if (!fold) {
		if (fresh.source == SOURCE_MIGRATION)
			end_folds(folds, record);
		if (folds->count == FOLD_LIMIT)
			drop_fold(folds, 0);
		fold = &folds->all[folds->count++];
		*fold = fresh;
	}
	if (fold->source == SOURCE_MIGRATION)
		return fold_progress(folds, fold, &record->event.migration, text, line);
	if (fold->source == SOURCE_HEARTBEAT)
		return fold_beats(folds, fold, &record->event.beat, text, line);
	/* The hypervisor reports the iterations too: the last of its reports is enough. */
	move_line(folds, fold, line);
	return text;
}

static bool has_more_hosts(const struct record *records, size_t count)
{
	const char *first = NULL;

	for (size_t i = 0; i < count; i++) {
		const char *host = records[i].host;

		if (host && first && strcmp(host, first) != 0)
			return true;
		first = host ?: first;
	}
	return false;
}

static int64_t origin_of(const struct record *records, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (records[i].type == RECORD_INTENT)
			return records[i].written_ns;
	return count ? records[0].written_ns : 0;
}

/**
 * story_of - the lines of a trial's last attempt
 * @records: of the journal; borrowed
 * @trial:   id
 *
 * Return: array of {"offset_ns", "type", "witness", "text"}; offsets count from the intent, or from
 * the first record when no fault was about to be fired. Owned by the caller.
 */
json_t *story_of(const json_t *records, const char *trial)
{
	__cleanup_free struct record *own = NULL;
	size_t count = story_records(records, trial, &own);
	struct folds folds = {.story = json_array()};
	int64_t origin = origin_of(own, count), offset;
	bool more_hosts = has_more_hosts(own, count);

	for (size_t i = 0; i < count; i++) {
		const char *witness;
		char *text = story_line(&own[i], more_hosts, &witness);
		json_t *line;

		if (!text || __builtin_sub_overflow(own[i].written_ns, origin, &offset) ||
		    offset == INT64_MIN) {
			free(text);
			continue;
		}
		line = json_pack("{s:I, s:s, s:s}", "offset_ns", (json_int_t)offset, "type",
				 own[i].type_name, "witness", witness);
		text = fold_text(&folds, &own[i], text, line);
		json_object_set_new(line, "text", json_string(text ?: ""));
		json_array_append_new(folds.story, line);
		free(text);
	}
	return folds.story;
}
