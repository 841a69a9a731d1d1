// SPDX-License-Identifier: GPL-2.0-only
/*
 * A trial's records as lines for people, in the order of the journal, with the intent to fire as
 * time zero. What is told many times a second, a guest's heartbeats and the progress of its migration, is folded.
 */
#include <inttypes.h>
#include <string.h>

#include "reports/course.h"
#include "reports/story.h"
#include "reports/text.h"

/* Guests times hosts, and migrations, that are folded at the same time. */
#define FOLD_LIMIT 16
/* Iterations that are told one by one until something else happens to the guest. */
#define ITERATIONS_TOLD 5

static const char *type_of(const json_t *record)
{
	return json_text(record, "type", "");
}

static bool is_of(const json_t *record, const char *trial)
{
	return strcmp(json_text(record, "trial", ""), trial) == 0;
}

/* Where the last attempt of a trial begins; the number of records when there is none. */
static size_t last_attempt(const json_t *records, const char *trial)
{
	size_t begin = json_array_size(records), index;
	json_t *record;

	json_array_foreach (records, index, record)
		if (is_of(record, trial) &&
		    (strcmp(type_of(record), "trial") == 0 || begin > index))
			begin = index;
	return begin;
}

/**
 * story_records - the records of the last attempt of a trial
 *
 * Return: array, owned by the caller.
 */
json_t *story_records(const json_t *records, const char *trial)
{
	json_t *own = json_array();

	for (size_t i = last_attempt(records, trial); i < json_array_size(records); i++)
		if (is_of(json_array_get(records, i), trial))
			json_array_append(own, json_array_get(records, i));
	return own;
}

/**
 * story_record - the first record of a type in the last attempt of a trial
 *
 * Return: borrowed, or NULL when there is none.
 */
const json_t *story_record(const json_t *records, const char *trial, const char *type)
{
	for (size_t i = last_attempt(records, trial); i < json_array_size(records); i++) {
		const json_t *record = json_array_get(records, i);

		if (is_of(record, trial) && strcmp(type_of(record), type) == 0)
			return record;
	}
	return NULL;
}

static char *intent_text(const json_t *body, bool name_host)
{
	__cleanup_free char *arguments = NULL;
	const json_t *given = json_object_get(body, "arguments");
	const char *guest = json_text(body, "guest", NULL), *host = json_text(body, "host", NULL);

	if (json_object_size(given))
		arguments = json_dumps(given, JSON_COMPACT);
	return format_text("about to fire %s%s%s%s%s%s%s %s",
			   json_text(body, "injector", "a fault"),
			   json_text(body, "target", NULL) ? " at " : "",
			   json_text(body, "target", ""), guest ? " of " : "", guest ?: "",
			   host && (guest || name_host) ? " on " : "",
			   host && (guest || name_host) ? host : "", arguments ?: "");
}

static char *facts_text(const json_t *body)
{
	__cleanup_free char *facts = json_dumps(json_object_get(body, "facts"), JSON_COMPACT);
	const char *guest = json_text(body, "guest", NULL);

	return format_text("%s%s%s %s", json_text(body, "workload", "workload"),
			   guest ? " in " : "", guest ?: "", facts ?: "");
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

static char *guest_text(const json_t *body)
{
	const json_t *facts = json_object_get(body, "facts");
	const char *kernel = json_text(facts, "kernel", "");
	__cleanup_free char *software = software_text(facts);

	return format_text("%s %s %s%s%s%s", json_text(body, "guest", "?"),
			   json_is_true(json_object_get(body, "arrived")) ? "has arrived on"
			   : json_is_true(json_object_get(body, "warm"))  ? "is used again on"
									  : "runs on",
			   json_text(body, "host", "?"), *kernel ? ", kernel " : "", kernel,
			   software);
}

static char *resolved_text(const json_t *body)
{
	const json_t *page = body;

	return format_text("%s of %s: gpa %s -> hva %s -> pfn %s on %s%s",
			   json_text(body, "workload", "page"),
			   json_text(body, "guest", "the guest"), json_text(page, "gpa", "?"),
			   json_text(page, "hva", "?"), json_text(page, "pfn", "?"),
			   json_text(body, "host", "the host"),
			   json_is_true(json_object_get(page, "huge")) ? ", a huge page" : "");
}

static char *migration_text(const json_t *body)
{
	const json_t *data = json_object_get(body, "data");
	const char *guest = json_text(body, "guest", "the guest");
	const char *reason = json_text(data, "reason", "");
	int64_t iteration = json_number(data, "iteration", 0);
	int64_t remaining = course_remaining(data);
	char number[48] = "", size[32] = "";

	if (strcmp(json_text(data, "event", ""), "end") == 0)
		return format_text("%s: migration %s%s%s", guest,
				   json_text(data, "outcome", "ended"), *reason ? ": " : "",
				   reason);
	if (strcmp(json_text(data, "stage", ""), "pre-copy") == 0 && iteration > 0)
		snprintf(number, sizeof(number), ", iteration %" PRId64, iteration);
	if (remaining >= 0)
		text_size(size, remaining);
	return format_text("%s: %s%s%s%s%s", guest, json_text(data, "stage", "migration"), number,
			   *size ? ", " : "", size, *size ? " remaining" : "");
}

/* The text of an event, behind the guest and the host that it is of. */
static char *event_text(const json_t *body, bool name_host)
{
	__cleanup_free char *data = NULL;
	__cleanup_free char *named = NULL;
	const char *text = json_text(body, "text", ""), *action = "";
	const char *guest = json_text(body, "guest", NULL), *host = json_text(body, "host", NULL);

	if (strcmp(json_text(body, "witness", ""), "migration") == 0 && guest &&
	    json_object_get(json_object_get(body, "data"), "event"))
		return migration_text(body);
	if (!*text) {
		data = json_dumps(json_object_get(body, "data"), JSON_COMPACT);
		text = data ?: "";
	}
	if (!guest)
		return name_host && host ? format_text("%s: %s", host, text) : xstrdup(text);
	if (strcmp(json_text(body, "witness", ""), "hypervisor") == 0)
		action = json_text(json_object_get(body, "data"), "action", "");
	/* The host's side of a guest names it already. */
	named = format_text("%s: ", guest);
	if (named && strncmp(text, named, strlen(named)) == 0)
		text += strlen(named);
	/* Of a memory failure: what QEMU did with it. */
	if (strstr(text, action))
		action = "";
	return format_text("%s%s%s: %s%s%s", guest, host ? " on " : "", host ?: "", text,
			   *action ? ", " : "", action);
}

/**
 * story_line - what a record says to people
 * @record:    of the journal
 * @name_host: say of which host an event is, because there are several
 * @witness:   receives who says it; borrowed
 *
 * Return: owned by the caller; NULL for records that tell nothing to people.
 */
char *story_line(const json_t *record, bool name_host, const char **witness)
{
	const json_t *body = json_object_get(record, "body");
	const char *type = type_of(record);

	*witness = type;
	if (strcmp(type, "event") == 0) {
		*witness = json_text(body, "witness", "event");
		return event_text(body, name_host);
	}
	if (strcmp(type, "trial") == 0)
		return format_text("%s on %s", json_text(body, "scenario", "?"),
				   json_text(body, "bench", "?"));
	if (strcmp(type, "boot") == 0)
		return format_text("%s runs %s, boot %s", json_text(body, "host", "the host"),
				   json_text(body, "kernel", "?"), json_text(body, "boot_id", "?"));
	if (strcmp(type, "guest") == 0)
		return guest_text(body);
	if (strcmp(type, "resolved") == 0)
		return resolved_text(body);
	if (strcmp(type, "facts") == 0)
		return facts_text(body);
	if (strcmp(type, "step") == 0)
		return xstrdup(json_text(body, "text", json_text(body, "step", "?")));
	if (strcmp(type, "intent") == 0)
		return intent_text(body, name_host);
	if (strcmp(type, "outcome") == 0)
		return format_text("%s: %s%s%s", json_text(body, "injector", "injector"),
				   json_text(body, "error_name",
					     json_number(body, "error", 0) ? "error" : "fired"),
				   *json_text(body, "reason", "") ? ": " : "",
				   json_text(body, "reason", ""));
	if (strcmp(type, "close") == 0)
		return format_text("%s%s%s", json_text(body, "cause", "?"),
				   *json_text(body, "reason", "") ? ": " : "",
				   json_text(body, "reason", ""));
	return NULL;
}

/**
 * struct fold - reports of one kind about one guest on one host, for which one line stands
 * @stage:     of a migration, or ""
 * @iteration: the last one
 * @first:     of the iterations that the line stands for
 * @told:      iterations that have a line of their own
 * @line:      the one that stands for all so far; NULL when the next report begins one
 */
struct fold {
	const char *witness, *guest, *host, *stage;
	int64_t iteration, first, beats, missed, longest_ns;
	size_t told;
	json_t *line;
};

struct teller {
	json_t *story;
	struct fold folds[FOLD_LIMIT];
	size_t fold_count;
};

static bool same_text(const char *one, const char *other)
{
	return strcmp(one, other) == 0;
}

/* What can be folded: a report of heartbeats, and the progress of a migration. */
static bool can_fold(const json_t *body, struct fold *fold)
{
	const json_t *data = json_object_get(body, "data");

	*fold = (struct fold){
		.witness = json_text(body, "witness", ""),
		.guest = json_text(body, "guest", ""),
		.host = json_text(body, "host", ""),
		.stage = json_text(data, "stage", ""),
	};
	if (!*fold->guest)
		return false;
	if (same_text(fold->witness, "hypervisor"))
		return same_text(json_text(data, "event", ""), "migration-iteration");
	if (same_text(fold->witness, "heartbeat"))
		return same_text(json_text(data, "what", ""), "heartbeat");
	return same_text(fold->witness, "migration") &&
	       !same_text(json_text(data, "event", ""), "end");
}

static struct fold *find_fold(struct teller *teller, const struct fold *wanted)
{
	for (size_t i = 0; i < teller->fold_count; i++) {
		struct fold *fold = &teller->folds[i];

		if (same_text(fold->witness, wanted->witness) &&
		    same_text(fold->guest, wanted->guest) && same_text(fold->host, wanted->host) &&
		    same_text(fold->stage, wanted->stage))
			return fold;
	}
	return NULL;
}

static void drop_fold(struct teller *teller, size_t index)
{
	teller->folds[index] = teller->folds[--teller->fold_count];
}

/*
 * News end a fold, so that no line tells of times before and after them: the fault ends all, what else the guest link or
 * the migration has to say ends those of the guest.
 */
static void end_folds(struct teller *teller, const json_t *record)
{
	const json_t *body = json_object_get(record, "body");
	const char *type = type_of(record), *witness = json_text(body, "witness", "");
	bool all =
		same_text(type, "intent") || same_text(type, "outcome") || same_text(type, "close");
	bool own = same_text(witness, "heartbeat") || same_text(witness, "guest-link") ||
		   same_text(witness, "migration") || same_text(witness, "hypervisor");

	if (!all && !own)
		return;
	for (size_t i = teller->fold_count; i-- > 0;)
		if (all || same_text(teller->folds[i].guest, json_text(body, "guest", "")))
			drop_fold(teller, i);
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

static void move_line(struct teller *teller, struct fold *fold, json_t *line)
{
	if (fold->line)
		remove_line(teller->story, fold->line);
	fold->line = line;
}

/*
 * The line in which a stage or iteration is told first stays. The progress within it is one line, the latest; and when one
 * iteration chases the other, so is what is told of them.
 */
static char *fold_progress(struct teller *teller, struct fold *fold, const json_t *data, char *text,
			   json_t *line)
{
	int64_t iteration = json_number(data, "iteration", 0);
	char size[32], *folded;

	if (iteration != fold->iteration || !fold->told) {
		fold->iteration = iteration;
		if (fold->told < ITERATIONS_TOLD) {
			fold->told++;
			fold->line = NULL;
			return text;
		}
		if (fold->told++ == ITERATIONS_TOLD) {
			fold->first = iteration;
			fold->line = NULL;
		}
	}
	move_line(teller, fold, line);
	if (fold->told <= ITERATIONS_TOLD || fold->first == iteration)
		return text;
	text_size(size, course_remaining(data));
	folded = format_text("%s: %s, iterations %" PRId64 " to %" PRId64 ", %s remaining",
			     fold->guest, fold->stage, fold->first, iteration, size);
	free(text);
	return folded;
}

static char *fold_beats(struct teller *teller, struct fold *fold, const json_t *data, char *text,
			json_t *line)
{
	int64_t longest = json_number(data, "longest_ns", 0);

	move_line(teller, fold, line);
	fold->beats = number_sum(fold->beats, json_number(data, "beats", 0));
	fold->missed = number_sum(fold->missed, json_number(data, "missed", 0));
	fold->longest_ns = longest > fold->longest_ns ? longest : fold->longest_ns;
	free(text);
	return beats_text(fold);
}

/* Takes a report into its fold; what is none is news. */
static char *fold_text(struct teller *teller, const json_t *record, char *text, json_t *line)
{
	const json_t *body = json_object_get(record, "body"), *data = json_object_get(body, "data");
	struct fold fresh, *fold;

	if (!can_fold(body, &fresh)) {
		end_folds(teller, record);
		return text;
	}
	fold = find_fold(teller, &fresh);
	if (!fold) {
		if (same_text(fresh.witness, "migration"))
			end_folds(teller, record);
		if (teller->fold_count == FOLD_LIMIT)
			drop_fold(teller, 0);
		fold = &teller->folds[teller->fold_count++];
		*fold = fresh;
	}
	if (same_text(fold->witness, "migration"))
		return fold_progress(teller, fold, data, text, line);
	if (same_text(fold->witness, "heartbeat"))
		return fold_beats(teller, fold, data, text, line);
	/* The hypervisor counts the iterations too: its last word is enough. */
	move_line(teller, fold, line);
	return text;
}

static bool has_more_hosts(const json_t *records)
{
	const char *first = NULL;
	json_t *record;
	size_t index;

	json_array_foreach (records, index, record) {
		const char *host = json_text(json_object_get(record, "body"), "host", NULL);

		if (host && first && strcmp(host, first) != 0)
			return true;
		first = host ?: first;
	}
	return false;
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
	__cleanup_json json_t *own = story_records(records, trial);
	struct teller teller = {.story = json_array()};
	const json_t *zero = story_record(own, trial, "intent");
	bool more_hosts = has_more_hosts(own);
	json_t *record;
	size_t index;
	int64_t origin;

	if (!zero)
		zero = json_array_get(own, 0);
	origin = json_number(zero, "time_ns", 0);
	json_array_foreach (own, index, record) {
		const char *witness;
		char *text = story_line(record, more_hosts, &witness);
		json_t *line;
		int64_t offset;

		if (!text ||
		    __builtin_sub_overflow(json_number(record, "time_ns", 0), origin, &offset) ||
		    offset == INT64_MIN) {
			free(text);
			continue;
		}
		line = json_pack("{s:I, s:s, s:s}", "offset_ns", (json_int_t)offset, "type",
				 type_of(record), "witness", witness);
		text = fold_text(&teller, record, text, line);
		json_object_set_new(line, "text", json_string(text ?: ""));
		json_array_append_new(teller.story, line);
		free(text);
	}
	return teller.story;
}
