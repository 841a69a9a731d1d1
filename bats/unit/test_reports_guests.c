// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: reports of guests and migrations, from records in bats/unit/reports and from a storm of
 * short iterations that is made here. The stories are compared whole; of the page its text, that no label lies
 * on another, that its drawings are well-formed, and that nothing in a record reaches out of it.
 *
 * rooms: reports/html
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "bats/unit/judge_records.h"
#include "reports/course.h"
#include "reports/report.h"
#include "reports/story.h"
#include "reports/table.h"
#include "reports/text.h"

#include <cmocka.h>

#define HOSTILE "</svg></title><script>alert(1)</script>]]>&\"'\x01\x1b[31m\xef\xbf\xbf"
#define START_NS 1763712000000000000LL

static json_t *load(const char *name)
{
	__cleanup_free char *path = format_text("bats/unit/reports/%s.jsonl", name);
	__cleanup_file FILE *file = fopen(path, "re");
	__cleanup_free char *line = NULL;
	json_t *records = json_array();
	size_t size = 0;

	assert_non_null(file);
	while (getline(&line, &size, file) > 0) {
		json_t *record = json_loads(line, 0, NULL);

		assert_non_null(record);
		json_array_append_new(records, record);
	}
	return records;
}

static void add(json_t *records, double ms, const char *type, json_t *body)
{
	assert_non_null(body);
	json_array_append_new(records, json_pack("{s:I, s:s, s:s, s:o}", "time_ns",
						 (json_int_t)(START_NS + (int64_t)(ms * 1e6)),
						 "type", type, "trial", "0001", "body", body));
}

static void add_event(json_t *records, double ms, const char *witness, const char *host,
		      const char *guest, const char *text, json_t *data)
{
	add(records, ms, "event",
	    json_pack("{s:s, s:s, s:s*, s:s, s:o}", "witness", witness, "host", host, "guest",
		      guest, "text", text, "data", data));
}

static void add_heartbeat(json_t *records, double ms, const char *host, const char *what,
			  const char *key, int64_t value)
{
	add_event(records, ms, "heartbeat", host, "g1", "g1: text",
		  json_pack("{s:s, s:i, s:I, s:I}", "what", what, "beats", 100, "longest_ns",
			    (json_int_t)12000000, key, (json_int_t)value));
}

static void add_stage(json_t *records, double ms, const char *guest, const char *event,
		      const char *stage, int64_t iteration)
{
	add_event(records, ms, "migration", "h0", guest, "",
		  json_pack("{s:s, s:s, s:I, s:I}", "event", event, "stage", stage, "iteration",
			    (json_int_t)iteration, "remaining",
			    (json_int_t)(20000000 + iteration)));
}

static void add_end(json_t *records, double ms, const char *guest, const char *outcome)
{
	add_event(records, ms, "migration", "h0", guest, "",
		  json_pack("{s:s, s:s, s:s}", "event", "end", "outcome", outcome, "reason", ""));
}

static void add_fault(json_t *records, double ms)
{
	add(records, ms, "intent", json_pack("{s:s, s:s}", "injector", "hwpoison", "host", "h0"));
	for (int i = 0; i < 100; i++)
		add_event(records, ms + 0.5 + i * 0.1, "kmsg", "h0", NULL, "a line",
			  json_pack("{s:i}", "level", 3));
}

/* Half a minute of iterations of 20 ms, a fault in the middle, then two minutes of waiting. */
static json_t *storm(void)
{
	json_t *records = json_array();

	add(records, 0, "trial", json_pack("{s:s}", "scenario", "kvm/storm"));
	add_stage(records, 1000, "g1", "stage", "setup", 0);
	for (int64_t iteration = 1; iteration < 1500; iteration++) {
		if (iteration == 701)
			add_fault(records, 15001);
		if (iteration % 50 == 0)
			add_heartbeat(records, 1000 + (double)iteration * 20, "h0", "heartbeat",
				      "missed", 0);
		add_stage(records, 1000 + (double)iteration * 20, "g1",
			  iteration % 5 ? "progress" : "stage", "pre-copy", iteration);
	}
	add_stage(records, 31000, "g1", "stage", "switchover", 0);
	add_stage(records, 31040, "g1", "stage", "post-copy", 0);
	add_event(records, 31060, "guest-link", "h1", "g1", "g1: hello",
		  json_pack("{s:s}", "what", "hello"));
	add_end(records, 31500, "g1", "completed");
	add_event(records, 120000, "kmsg", "h1", NULL, "late", json_pack("{s:i}", "level", 3));
	add(records, 120100, "close", json_pack("{s:s}", "cause", "done"));
	return records;
}

/* Results as the judge gives them, of one trial. */
static json_t *results_with(json_t *more)
{
	json_t *trial =
		json_pack("{s:s, s:s, s:s, s:b, s:{s:s, s:s}, s:s, s:s, s:s, s:[]}", "trial",
			  "0001", "scenario", "kvm/migrate", "bench", "kvm-pair", "delivered", 1,
			  "axes", "guest", "contained", "migration", "completed", "verdict", "pass",
			  "reason", "as expected", "title", "A guest moves", "evidence");

	if (more)
		json_object_update(trial, more);
	json_decref(more);
	return json_pack("{s:s, s:[o], s:{s:i}}", "run", "r", "trials", trial, "counts", "pass", 1);
}

static char *page_of(const json_t *records, json_t *more)
{
	__cleanup_json json_t *results = results_with(more);

	return render_results("html", results, records);
}

static char *story_text(const json_t *records)
{
	__cleanup_json json_t *story = story_of(records, "0001");
	char *text = NULL;
	size_t length, index;
	json_t *line;
	FILE *out = open_memstream(&text, &length);

	json_array_foreach (story, index, line)
		fprintf(out, "%.1f %s %s\n", (double)json_number(line, "offset_ns", 0) / 1e6,
			json_text(line, "witness", ""), json_text(line, "text", ""));
	fclose(out);
	return text;
}

static void stories_are_as_written_down(void **state)
{
	static const char *const names[] = {"migration", "source-dies", "two-guests"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		__cleanup_json json_t *records = load(names[i]);
		__cleanup_free char *path = format_text("bats/unit/reports/%s.story", names[i]);
		__cleanup_free char *expected = NULL;
		__cleanup_free char *text = story_text(records);
		size_t length;

		assert_int_equal(read_small_file(path, &expected, &length), 0);
		assert_string_equal(text, expected);
	}
}

/* Hundreds of reports become a few lines, and none of the heartbeats is lost on the way. */
static void a_story_folds_what_repeats(void **state)
{
	__cleanup_json json_t *records = storm();
	__cleanup_json json_t *story = story_of(records, "0001");
	size_t index, heartbeats = 0, iterations = 0;
	int64_t beats = 0, last = INT64_MIN;
	json_t *line;

	(void)state;
	json_array_foreach (story, index, line) {
		const char *text = json_text(line, "text", ""), *colon = strstr(text, ": ");

		assert_true(json_number(line, "offset_ns", 0) >= last);
		last = json_number(line, "offset_ns", 0);
		if (strcmp(json_text(line, "witness", ""), "heartbeat") == 0) {
			heartbeats++;
			assert_non_null(colon);
			beats += strtoll(colon + 2, NULL, 10);
		}
		iterations += strstr(text, "iteration") != NULL;
	}
	assert_int_equal(beats, 2900);
	assert_in_range(heartbeats, 2, 4);
	assert_in_range(iterations, 4, 16);
}

static void assert_holds(const char *page, const char *text)
{
	if (!strstr(page, text))
		fail_msg("the page does not hold '%s'", text);
}

/* What the picture shows, read without seeing it. */
static void the_page_has_the_picture_as_text(void **state)
{
	static const char *const words[] = {
		"It ended <strong>completed</strong> after 1.80 s. The hypervisor reports",
		"It went through setup 80.0 ms, pre-copy 1.54 s in 4 iterations, switchover 180 "
		"ms.",
		"<td>pre-copy, iteration 3</td><td class=\"num\">+315 ms</td><td "
		"class=\"num\">120 ms</td><td class=\"num\">12.4 MiB</td>",
		"Alive on h0 from −1.71 s to +513 ms: 200 heartbeats, longest interval 15.5 ms.",
		"for <strong>212 ms</strong> from +513 ms on, between the last one on h0 and the "
		"first one on h1; by the guest's clocks: monotonic 31.0 ms, host 212 ms.",
		"gpa 0x2f4b000 → hva 0x7f0a12f4b000 → host pfn 0x1a3c7e",
		"<td>workload</td><td>g1 on h0</td><td>guest</td>",
		"<dt>qemu</dt><dd>10.0.2</dd>",
		"<dt>libvirt</dt><dd>11.3.0</dd>",
		"<dt>guest downtime</dt><dd>212 ms</dd>",
		"<dt>iterations</dt><dd>4</dd>",
		"guest g1, moves from h0 to h1",
		"Close-up B: ",
	};
	__cleanup_json json_t *records = load("migration");
	__cleanup_free char *page = page_of(
		records, json_pack("{s:{s:{s:i, s:s}, s:{s:i, s:s}}, s:[{s:s, s:I, s:s, s:s}]}",
				   "metrics", "guest_downtime", "value", 212000000, "unit", "ns",
				   "iterations", "value", 4, "unit", "1", "evidence", "witness",
				   "workload", "time_ns", (json_int_t)(START_NS + 4241000000),
				   "text", "SIGBUS", "proves", "guest"));

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		assert_holds(page, words[i]);
	assert_non_null(strstr(page, "<path class=\"proof\""));
}

static void a_silent_guest_is_silent_to_the_end(void **state)
{
	__cleanup_json json_t *died = load("source-dies");
	__cleanup_json json_t *two = load("two-guests");
	__cleanup_free char *page = page_of(died, NULL);
	__cleanup_free char *other = page_of(two, NULL);

	(void)state;
	assert_holds(page, "<strong>Its end was never reported.</strong>");
	assert_holds(page, ">no end was reported</text>");
	assert_holds(page,
		     "<strong>63.50 s</strong> from −202 ms on, on h0, to the end of the trial");
	assert_holds(page, "class=\"death\"");
	assert_holds(other,
		     "<strong>7.01 s</strong> from +56.0 ms on, on h0, to the end of the trial");
	assert_holds(other, "<strong>430 ms</strong> from +140 ms on, on h0.");
	assert_holds(other, ">430 ms</text>");
	assert_holds(other, ">silent 7.01 s</text>");
}

static void known_failures_are_shown_apart(void **state)
{
	__cleanup_json json_t *records = load("migration");
	__cleanup_free char *known =
		page_of(records, json_pack("{s:s, s:s, s:s}", "verdict", "fail", "code",
					   "line-missing", "known", "QEMU & co"));
	__cleanup_free char *fixed = page_of(records, json_pack("{s:b}", "fixed", 1));
	__cleanup_free char *plain = page_of(records, NULL);

	(void)state;
	assert_holds(known, "<strong>A known failure:</strong> QEMU &amp; co");
	assert_holds(known, "data-verdict=\"fail known\"");
	assert_holds(fixed, "<strong>1 known failure is gone.</strong>");
	assert_holds(fixed, "data-verdict=\"pass fixed\"");
	assert_null(strstr(plain, " known\" data-scenario"));
	assert_null(strstr(plain, "class=\"tag"));
}

struct label {
	double x, y, width;
};

/* Labels and headings of one drawing: their middle, their line, and how wide a common font sets them. */
static size_t find_labels(const char *drawing, const char *end, struct label *labels, size_t most)
{
	size_t count = 0;

	for (const char *at = drawing; (at = strstr(at, "<text class=\"")) && at < end; at++) {
		bool heading = strncmp(at + 13, "heading", 7) == 0;
		const char *text = strchr(at, '>') + 1;
		__cleanup_free char *words = strndup(text, strcspn(text, "<"));

		if (!heading && strncmp(at + 13, "strong", 6) != 0)
			continue;
		assert_true(count < most);
		assert_int_equal(sscanf(strstr(at, "x=\""), "x=\"%lf\" y=\"%lf\"", &labels[count].x,
					&labels[count].y),
				 2);
		labels[count].width = (double)text_columns(words) * 6.2;
		labels[count].x += heading ? labels[count].width / 2 : 0;
		count++;
	}
	return count;
}

static void assert_apart(const char *page)
{
	static struct label labels[256];

	for (const char *at = page; (at = strstr(at, "<svg ")); at++) {
		size_t count = find_labels(at, strstr(at, "</svg>"), labels, ARRAY_SIZE(labels));

		for (size_t i = 0; i < count; i++) {
			double from = labels[i].x - labels[i].width / 2;

			assert_true(from >= 0 && from + labels[i].width <= 880);
			for (size_t j = 0; j < i; j++)
				if (labels[i].y - labels[j].y < 14 &&
				    labels[j].y - labels[i].y < 14 &&
				    from < labels[j].x + labels[j].width / 2 &&
				    from + labels[i].width > labels[j].x - labels[j].width / 2)
					fail_msg("labels lie on each other at %.0f and %.0f",
						 labels[i].x, labels[j].x);
		}
	}
}

/* A fault between a guest's last sign on one host and its first on the other: the close-up begins with that hole. */
static json_t *poisoned_in_switchover(void)
{
	static const double later[] = {60, 140, 280};
	json_t *records = json_array();

	add(records, 0, "trial", json_pack("{s:s}", "scenario", "kvm/poisoned"));
	add_stage(records, 1000, "g1", "stage", "setup", 0);
	add_stage(records, 1500, "g1", "stage", "pre-copy", 1);
	add_heartbeat(records, 6500, "h0", "heartbeat", "missed", 0);
	add_stage(records, 5000, "g1", "stage", "switchover", 0);
	add_end(records, 6900, "g1", "completed");
	add_fault(records, 7000);
	add_event(records, 7020, "guest-link", "h1", "g1", "g1: hello",
		  json_pack("{s:s}", "what", "hello"));
	for (size_t i = 0; i < ARRAY_SIZE(later); i++)
		add_event(records, 7000 + later[i], "kmsg", "h1", NULL, "a line",
			  json_pack("{s:i}", "level", 3));
	return records;
}

static void no_label_overlaps_another(void **state)
{
	static const char *const names[] = {"migration", "source-dies", "two-guests"};
	__cleanup_json json_t *made = storm();
	__cleanup_free char *page = page_of(made, NULL);
	__cleanup_json json_t *poisoned = poisoned_in_switchover();
	__cleanup_free char *poisoned_page = page_of(poisoned, NULL);

	(void)state;
	assert_holds(page, ">switchover 40.0 ms</text>");
	assert_holds(page, ">post-copy 460 ms</text>");
	assert_holds(page, ">completed</text>");
	assert_apart(page);
	assert_holds(poisoned_page, ">520 ms</text>");
	assert_apart(poisoned_page);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		__cleanup_json json_t *records = load(names[i]);
		__cleanup_free char *other = page_of(records, NULL);

		assert_apart(other);
	}
}

/* A hundred such trials must still open: iterations and marks that fall together are drawn once. */
static void a_storm_stays_small(void **state)
{
	__cleanup_json json_t *records = storm();
	__cleanup_free char *page = page_of(records, NULL);

	(void)state;
	assert_in_range(strlen(page), 1, 60000);
	assert_holds(page, "1–1499</text>");
	assert_holds(page, "and 94 more");
}

static void assert_well_formed(const char *page)
{
	size_t drawings = 0;

	for (const char *at = page; (at = strstr(at, "<svg ")); at++) {
		const char *end = strstr(at, "</svg>");
		FILE *lint = popen("xmllint --noout -", "we");

		assert_non_null(lint);
		assert_non_null(end);
		fwrite(at, 1, (size_t)(end - at) + strlen("</svg>"), lint);
		assert_int_equal(pclose(lint), 0);
		drawings++;
	}
	assert_true(drawings > 0);
}

/* Puts a hostile text into every string of a record, but those that identify records. */
static void poison(json_t *value)
{
	static const char *const kept[] = {"type", "trial", "witness", "event", "what", "stage"};
	const char *key;
	json_t *member;
	void *next;

	json_object_foreach_safe (value, next, key, member) {
		bool keep = false;

		for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
			keep = keep || strcmp(key, kept[i]) == 0;
		if (json_is_string(member) && !keep)
			json_object_set_new(value, key,
					    json_sprintf("%s%s", json_string_value(member),
							 HOSTILE));
		else if (json_is_object(member))
			poison(member);
	}
}

static void hostile_guests_stay_in_their_page(void **state)
{
	static const char *const names[] = {"migration", "source-dies", "two-guests"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		__cleanup_json json_t *records = load(names[i]);
		__cleanup_free char *page = NULL;
		json_t *record;
		size_t index;

		json_array_foreach (records, index, record)
			poison(json_object_get(record, "body"));
		page = page_of(records,
			       json_pack("{s:s, s:s}", "known", HOSTILE, "reason", HOSTILE));
		assert_null(strstr(page, "<script>alert"));
		assert_null(strstr(page, "\x1b"));
		assert_non_null(strstr(page, "class=\"life\""));
		assert_well_formed(page);
	}
}

static void evidence_may_come_before_the_fault(void **state)
{
	__cleanup_json json_t *records = json_array();
	__cleanup_free char *page = NULL;

	(void)state;
	add(records, 0, "trial", json_pack("{s:s}", "scenario", "kvm/after"));
	add_end(records, 852, "g1", "completed");
	add_fault(records, 1000);
	page = page_of(records,
		       json_pack("{s:[{s:s, s:I, s:s, s:s}]}", "evidence", "witness", "migration",
				 "time_ns", (json_int_t)(START_NS + 852000000LL), "text",
				 "completed", "proves", "migration"));
	assert_holds(page, "<td class=\"num\">−148 ms</td>");
}

static void a_signal_is_not_hidden(void **state)
{
	__cleanup_json json_t *records = json_array();
	__cleanup_free char *page = NULL;
	const char *signal;

	(void)state;
	add(records, 0, "trial", json_pack("{s:s}", "scenario", "einj/single"));
	add_fault(records, 1000);
	add_event(records, 1100, "workload", "h0", NULL, "victim: SIGBUS",
		  json_pack("{s:s}", "event", "signal"));
	add_event(records, 1100.1, "workload", "h0", NULL, "victim: checked",
		  json_pack("{s:s}", "event", "checked"));
	page = page_of(records, NULL);
	signal = strstr(page, "l7 7l-7 7l-7 -7z");
	assert_non_null(signal);
	*strstr(page, "</svg>") = '\0';
	assert_null(strstr(signal, "<circle"));
}

static void remaining_bytes_are_shown_when_known(void **state)
{
	__cleanup_json json_t *records = json_array();
	__cleanup_free char *story = NULL;
	__cleanup_free char *page = NULL;

	(void)state;
	add(records, 0, "trial", json_pack("{s:s}", "scenario", "kvm/moves"));
	add_event(records, 100, "migration", "h0", "g1", "",
		  json_pack("{s:s, s:s, s:i, s:i, s:i}", "event", "stage", "stage", "pre-copy",
			    "iteration", 1, "remaining", 0, "total", 0));
	add_event(records, 200, "migration", "h0", "g1", "",
		  json_pack("{s:s, s:s, s:i, s:i, s:i}", "event", "progress", "stage", "pre-copy",
			    "iteration", 1, "remaining", 3 << 20, "total", 4 << 20));
	add_end(records, 500, "g1", "completed");
	story = story_text(records);
	page = page_of(records, NULL);
	assert_null(strstr(story, "0 B"));
	assert_holds(story, "3 MiB remaining");
	assert_null(strstr(page, "0 B"));
	assert_holds(page, "3 MiB</td>");
}

static void the_reason_stands_under_the_outcome(void **state)
{
	__cleanup_json json_t *records = load("migration");
	__cleanup_free char *passed = page_of(records, NULL);
	__cleanup_free char *failed =
		page_of(records, json_pack("{s:s, s:s, s:s}", "verdict", "fail", "code",
					   "line-missing", "reason", "too < much"));

	(void)state;
	assert_null(strstr(passed, ">Reason<"));
	assert_null(strstr(passed, "<div class=\"soft\">"));
	assert_holds(
		failed,
		"completed<div class=\"soft\"><code>line-missing</code> too &lt; much</div></td>");
}

static void a_silence_that_ends_is_one_hole(void **state)
{
	__cleanup_json json_t *records = json_array();
	__cleanup_json json_t *result = json_pack("{s:s}", "trial", "0001");
	__cleanup_course struct course *course = NULL;

	(void)state;
	add_heartbeat(records, 1000, "h0", "heartbeat", "missed", 0);
	add_heartbeat(records, 3000, "h0", "silent", "since_ns", 1500 * NSEC_PER_MSEC);
	add_heartbeat(records, 4000, "h0", "heard", "arrival_ns", 2500 * NSEC_PER_MSEC);
	add_heartbeat(records, 4000, "h0", "gap", "arrival_ns", 2500 * NSEC_PER_MSEC);
	add_heartbeat(records, 5000, "h0", "heartbeat", "missed", 0);
	course = course_new(records, result);
	assert_int_equal(course->guest_count, 1);
	assert_int_equal(course->guests[0].hole_count, 1);
	assert_int_equal(course->guests[0].stay_count, 2);
	assert_int_equal(course->guests[0].holes[0].to_ns - course->guests[0].holes[0].from_ns,
			 2500 * NSEC_PER_MSEC);
	assert_false(course->guests[0].holes[0].open);
}

static void an_event_of_a_guest_is_a_sign_of_life(void **state)
{
	__cleanup_json json_t *records = json_array();
	__cleanup_json json_t *result = json_pack("{s:s}", "trial", "0001");
	__cleanup_course struct course *course = NULL;

	(void)state;
	add_heartbeat(records, 1000, "h0", "heartbeat", "missed", 0);
	add_event(records, 1400, "kmsg", "h0", "g1", "a line", json_object());
	add_event(records, 1500, "guest-console", "h0", "g1", "a line", json_object());
	add_event(records, 1600, "kmsg", "h1", "g1", "a line", json_object());
	course = course_new(records, result);
	assert_int_equal(course->guests[0].stay_count, 1);
	assert_int_equal(course->guests[0].stays[0].to_ns, 400 * NSEC_PER_MSEC);
}

/* A gap is as long as the guest has felt it, but a guest can not make one of hours. */
static void a_gap_is_measured_from_inside(void **state)
{
	static const struct {
		int64_t inside_ms, drawn_ms;
	} cases[] = {{220, 220}, {40, 89}, {86400000, 89}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		__cleanup_json json_t *records = json_array();
		__cleanup_json json_t *result = json_pack("{s:s}", "trial", "0001");
		__cleanup_course struct course *course = NULL;

		add_heartbeat(records, 1000, "h0", "heartbeat", "missed", 0);
		add_event(records, 1800, "heartbeat", "h0", "g1", "",
			  json_pack("{s:s, s:I, s:{s:I}}", "what", "gap", "arrival_ns",
				    (json_int_t)(89 * NSEC_PER_MSEC), "guest_clocks", "boottime",
				    (json_int_t)(cases[i].inside_ms * NSEC_PER_MSEC)));
		course = course_new(records, result);
		assert_int_equal(course->guests[0].hole_count, 1);
		assert_int_equal(course->guests[0].holes[0].to_ns -
					 course->guests[0].holes[0].from_ns,
				 cases[i].drawn_ms * NSEC_PER_MSEC);
	}
}

/* The source's last report may be written after the guest reported from the target: it is no way back. */
static void a_late_report_moves_no_guest(void **state)
{
	__cleanup_json json_t *records = json_array();
	__cleanup_json json_t *result = json_pack("{s:s}", "trial", "0001");
	__cleanup_course struct course *course = NULL;

	(void)state;
	add_heartbeat(records, 1000, "h0", "heartbeat", "missed", 0);
	add_event(records, 1300, "guest-link", "h1", "g1", "g1: hello",
		  json_pack("{s:s}", "what", "hello"));
	add_heartbeat(records, 1310, "h0", "heartbeat", "missed", 0);
	add_heartbeat(records, 2300, "h1", "heartbeat", "missed", 0);
	add_heartbeat(records, 2400, "h0", "silent", "since_ns", 1200 * NSEC_PER_MSEC);
	course = course_new(records, result);
	assert_int_equal(course->guests[0].stay_count, 2);
	assert_int_equal(course->guests[0].hole_count, 1);
	assert_int_equal(course->guests[0].holes[0].kind, COURSE_MOVE);
	assert_string_equal(course->guests[0].stays[1].host, "h1");
}

/* The hole of a move is as long as was measured, not as coarse as a report a second. */
static void the_measured_downtime_is_drawn(void **state)
{
	__cleanup_json json_t *records = storm();
	__cleanup_json json_t *result = json_pack("{s:s, s:{s:{s:i}}}", "trial", "0001", "metrics",
						  "guest_downtime", "value", 75000000);
	__cleanup_course struct course *course = course_new(records, result);
	const struct course_hole *hole = &course->guests[0].holes[0];

	(void)state;
	assert_int_equal(course->migration_count, 1);
	assert_string_equal(course->migrations[0].target, "h1");
	assert_string_equal(course->migrations[0].outcome, "completed");
	assert_int_equal(course->migrations[0].stage_count, 1499 + 3);
	assert_int_equal(hole->downtime_ns, 75000000);
	/* A guest without a sign of life has no band. */
	assert_true(hole->to_ns - hole->from_ns > 75000000);
}

/* A report, and the end of a stream, have the age of the last heartbeat. */
static void a_life_ends_with_its_last_beat(void **state)
{
	__cleanup_json json_t *records = json_array();
	__cleanup_json json_t *result = json_pack("{s:s}", "trial", "0001");
	__cleanup_course struct course *course = NULL;
	const struct course_guest *guest;

	(void)state;
	add(records, 0, "trial", json_pack("{s:s}", "scenario", "kvm/moves"));
	add_heartbeat(records, 1000, "h0", "heartbeat", "age_ns", 5 * NSEC_PER_MSEC);
	add_heartbeat(records, 2000, "h0", "heartbeat", "age_ns", 300 * NSEC_PER_MSEC);
	add_event(records, 2600, "guest-link", "h0", "g1", "g1: its stream broke",
		  json_pack("{s:s, s:I}", "what", "gone", "age_ns",
			    (json_int_t)(900 * NSEC_PER_MSEC)));
	add_event(records, 2700, "guest-link", "h1", "g1", "g1: hello",
		  json_pack("{s:s}", "what", "hello"));
	course = course_new(records, result);
	guest = &course->guests[0];
	assert_int_equal(guest->hole_count, 1);
	assert_int_equal(guest->holes[0].kind, COURSE_MOVE);
	assert_int_equal(guest->holes[0].from_ns, 1700 * NSEC_PER_MSEC);
	assert_int_equal(guest->holes[0].to_ns, 2700 * NSEC_PER_MSEC);
}

/* A page of a trial whose storm measured conversions of 1 page and of @pages, at a cost of 1 us and of @page_ns. */
static char *page_of_cost(json_int_t pages, double page_ns)
{
	__cleanup_json json_t *records = json_array();

	add(records, 0, "trial", json_pack("{s:s}", "scenario", "gmem/cost"));
	add_fault(records, 1);
	add_event(records, 10, "users", "h0", NULL, "800 conversions",
		  json_pack("{s:s, s:[{s:i, s:i, s:f}, {s:I, s:i, s:f, s:f}]}", "event", "checked",
			    "cost", "pages", 1, "conversions", 3, "least_ns", 1000.0, "pages",
			    pages, "conversions", 5, "least_ns", page_ns, "page_ns", 2 * page_ns));
	return page_of(records, NULL);
}

static void the_cost_of_a_page_is_a_curve(void **state)
{
	__cleanup_free char *good = page_of_cost(262144, 250);
	__cleanup_free char *free_of_charge = page_of_cost(262144, 0);
	__cleanup_free char *one_size = page_of_cost(1, 250);
	__cleanup_free char *negative = page_of_cost(-4, 250);

	(void)state;
	/* From the left, one decade down, to the right. */
	assert_non_null(strstr(good, "<polyline points=\"62.0,16.0 396.0,120.8 \"/>"));
	assert_non_null(strstr(good, "1 GiB: 0.25 us a page, 5 conversions, mean 0.5 us"));
	assert_non_null(strstr(good, "size of the range"));
	assert_null(strstr(free_of_charge, "polyline points"));
	assert_null(strstr(one_size, "polyline points"));
	assert_null(strstr(negative, "polyline points"));
}

static void add_conversions(json_t *records, double ms, double rate)
{
	add_event(records, ms, "users", "h0", NULL, "conversions",
		  json_pack("{s:s, s:{s:{s:f}, s:{s:f}}, s:I}", "event", "metrics", "metrics",
			    "conversions", "value", rate, "refusals", "value", 1.0, "since_ns",
			    (json_int_t)NSEC_PER_SEC));
}

static void narrow_intervals_of_a_storm_are_one_box(void **state)
{
	__cleanup_json json_t *records = json_array();
	__cleanup_free char *page = NULL;

	(void)state;
	add(records, 0, "trial", json_pack("{s:s}", "scenario", "gmem/flip"));
	add_fault(records, 1);
	add_conversions(records, 2000, 10);
	add_conversions(records, 3000, 20);
	add_conversions(records, 100000, 30);
	add_conversions(records, 600000, 40);
	page = page_of(records, NULL);
	assert_non_null(strstr(page, "<title>15.0 conversions and 1.0 refusals a second</title>"));
	assert_non_null(strstr(page, "<title>30.0 conversions and 1.0 refusals a second</title>"));
	assert_non_null(strstr(page, "<title>40.0 conversions and 1.0 refusals a second</title>"));
	assert_null(strstr(page, "10.0 conversions and"));
	/* They have no marks, which would hide the boxes. */
	assert_null(strstr(page, "users: conversions</title>"));
}

static void two_migrations_are_two(void **state)
{
	__cleanup_json json_t *records = json_array();
	__cleanup_json json_t *result = json_pack("{s:s}", "trial", "0001");
	__cleanup_course struct course *course = NULL;

	(void)state;
	add_stage(records, 0, "g1", "stage", "setup", 0);
	add_stage(records, 5, "g2", "stage", "setup", 0);
	add_stage(records, 10, "g1", "stage", "cancelled", 0);
	add_end(records, 11, "g1", "cancelled");
	add_stage(records, 20, "g1", "stage", "setup", 0);
	add_end(records, 30, "g2", "failed");
	course = course_new(records, result);
	assert_int_equal(course->migration_count, 3);
	assert_string_equal(course->migrations[0].outcome, "cancelled");
	assert_string_equal(course->migrations[1].outcome, "failed");
	assert_null(course->migrations[2].outcome);
}

static void the_table_has_all_axes_in_80_columns(void **state)
{
	__cleanup_json json_t *results = results_with(
		json_pack("{s:{s:s, s:s, s:s, s:s}}", "axes", "guest", "contained", "process",
			  "contained", "migration", "completed", "host", "up"));
	__cleanup_free char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	(void)state;
	setenv("COLUMNS", "80", 1);
	print_table(out, results);
	unsetenv("COLUMNS");
	fclose(out);
	assert_holds(text, "guest contained, process contained, migration completed, host up\n");
	for (const char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(text_columns(line) <= 80);
}

/* A guest's name may hold what a terminal obeys: in one byte, or in two (U+009B begins a sequence as ESC [ does). */
static void no_control_character_reaches_a_terminal(void **state)
{
	static const char name[] = "a\x1b[31mb\xc2\x9b"
				   "1mc\xc3\xa9";
	__cleanup_json json_t *results = results_with(json_pack("{s:s}", "scenario", name));
	__cleanup_free char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	(void)state;
	text_one_line(out, name, "c");
	fputc('\n', out);
	print_table(out, results);
	fclose(out);
	assert_holds(text, "a [31mb 1m \xc3\xa9\n");
	assert_holds(text, "a [31mb 1mc\xc3\xa9");
	assert_null(strstr(text, "\x1b"));
	assert_null(strstr(text, "\xc2\x9b"));
}

static void sizes_are_for_people(void **state)
{
	static const struct {
		int64_t bytes;
		const char *text;
	} cases[] = {{-1, "-"},
		     {812, "812 B"},
		     {4096, "4 KiB"},
		     {12998144, "12.4 MiB"},
		     {268435456, "256 MiB"},
		     {3LL << 30, "3 GiB"}};
	char text[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		text_size(text, cases[i].bytes);
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stories_are_as_written_down),
		cmocka_unit_test(a_story_folds_what_repeats),
		cmocka_unit_test(the_page_has_the_picture_as_text),
		cmocka_unit_test(a_silent_guest_is_silent_to_the_end),
		cmocka_unit_test(known_failures_are_shown_apart),
		cmocka_unit_test(no_label_overlaps_another),
		cmocka_unit_test(a_storm_stays_small),
		cmocka_unit_test(the_cost_of_a_page_is_a_curve),
		cmocka_unit_test(narrow_intervals_of_a_storm_are_one_box),
		cmocka_unit_test(hostile_guests_stay_in_their_page),
		cmocka_unit_test(evidence_may_come_before_the_fault),
		cmocka_unit_test(a_signal_is_not_hidden),
		cmocka_unit_test(remaining_bytes_are_shown_when_known),
		cmocka_unit_test(the_reason_stands_under_the_outcome),
		cmocka_unit_test(a_silence_that_ends_is_one_hole),
		cmocka_unit_test(an_event_of_a_guest_is_a_sign_of_life),
		cmocka_unit_test(a_gap_is_measured_from_inside),
		cmocka_unit_test(a_late_report_moves_no_guest),
		cmocka_unit_test(the_measured_downtime_is_drawn),
		cmocka_unit_test(a_life_ends_with_its_last_beat),
		cmocka_unit_test(two_migrations_are_two),
		cmocka_unit_test(the_table_has_all_axes_in_80_columns),
		cmocka_unit_test(no_control_character_reaches_a_terminal),
		cmocka_unit_test(sizes_are_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
