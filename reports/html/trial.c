// SPDX-License-Identifier: GPL-2.0-only
/*
 * One trial of the HTML report: timeline, its text, evidence, expectations, facts and metrics.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "harness/lib/param.h"
#include "reports/html/html.h"
#include "reports/story.h"
#include "reports/text.h"
#include "reports/html/timeline.h"

#define STORY_LIMIT 500
#define COUNT_MOST UINT16_MAX

/* A text as it is, texts one after the other, any other value as JSON. */
static char *plain_text(const json_t *value)
{
	char *all = NULL;
	const json_t *item;
	size_t index;

	json_array_foreach (value, index, item)
		if (json_is_string(item))
			append_text(&all, ", ", "%s", json_string_value(item));
	if (all)
		return all;
	return json_is_string(value) ? xstrdup(json_string_value(value))
				     : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

static void write_flat(FILE *out, const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value) {
		__cleanup_free char *text = plain_text(value);

		text_xml_format(out, "<dt>%s</dt><dd class=\"mono\">%s</dd>", key, text ?: "");
	}
}

/* Arguments are recorded with hexadecimal numbers, and times in nanoseconds. Counts are small, addresses are not. */
static json_t *for_people(const json_t *arguments)
{
	json_t *shown = json_object();
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)arguments, key, value) {
		const char *text = json_string_value(value);
		uint64_t number = 0;
		int64_t duration;

		if (text && strncmp(text, "0x", 2) == 0 && !parse_number(text, &number) &&
		    number <= COUNT_MOST)
			json_object_set_new(shown, key, json_integer((json_int_t)number));
		else if (text && strcmp(text + strcspn(text, "n"), "ns") == 0 &&
			 !parse_duration(text, &duration))
			json_object_set_new(shown, key, json_string(short_duration(duration).text));
		else
			json_object_set(shown, key, value);
	}
	return shown;
}

/* The outcome that the injector reported for an intent; NULL: none. */
static const struct outcome_record *outcome_after(const struct course *course,
						  const struct record *intent)
{
	for_each_record (course, record) {
		if (record > intent && record->type == RECORD_INTENT)
			return NULL;
		if (record > intent && record->type == RECORD_OUTCOME)
			return &record->outcome;
	}
	return NULL;
}

static void write_intent(FILE *out, const struct record *record,
			 const struct outcome_record *outcome, const struct record *resolved)
{
	__cleanup_json json_t *arguments = for_people(record->intent.arguments);
	const json_t *page = resolved ? resolved->facts.facts : NULL;

	fputs("<h3>The fault</h3><dl>", out);
	html_fact(out, "injector", record->intent.injector);
	html_fact(out, "target", record->intent.target);
	html_fact(out, "guest", record->guest);
	html_fact(out, "host", record->host);
	if (page)
		text_xml_format(
			out, "<dt>page</dt><dd class=\"mono\">gpa %s → hva %s → host pfn %s</dd>",
			json_text(page, "gpa", "?"), json_text(page, "hva", "?"),
			json_text(page, "pfn", "?"));
	write_flat(out, arguments);
	if (outcome) {
		html_fact(out, "outcome", outcome->error_name ?: "fired");
		html_fact(out, "because", outcome->reason);
	}
	fputs("</dl>", out);
}

static void write_facts(FILE *out, const struct record *record)
{
	if (!record || !json_object_size(record->facts.facts))
		return;
	fputs("<h3>The victim</h3><dl>", out);
	html_fact(out, "workload", record->facts.workload);
	html_fact(out, "in guest", record->guest);
	write_flat(out, record->facts.facts);
	fputs("</dl>", out);
}

/* The faults of a trial, each with the outcome that the injector reported, and their victim. */
static void write_faults(FILE *out, const struct course *course)
{
	const struct record *resolved = NULL;

	if (!course->fired)
		return;
	for_each_record (course, record) {
		if (record->type == RECORD_RESOLVED)
			resolved = record;
		if (record->type != RECORD_INTENT)
			continue;
		write_intent(out, record, outcome_after(course, record), resolved);
		resolved = NULL;
	}
	write_facts(out, course_find(course, RECORD_FACTS));
}

/* The expectation when a scenario has none. */
static char *expected_text(const json_t *expect, const char *check)
{
	const json_t *value = json_object_get(expect, check);

	if (strcmp(check, "signal") == 0 && json_is_object(expect)) {
		char *all = NULL;

		for (size_t i = 0; i < 4; i++) {
			static const char *const keys[] = {"signal", "code", "lsb", "address"};
			const json_t *part = json_object_get(expect, keys[i]);
			__cleanup_free char *text = NULL;

			if (!part)
				continue;
			text = plain_text(part);
			append_text(&all, ", ", "%s %s", i ? keys[i] : "", text ?: "");
		}
		return all;
	}
	if (json_array_size(value) == 1 && json_is_string(json_array_get(value, 0)))
		value = json_array_get(value, 0);
	if (value)
		return plain_text(value);
	return xstrdup(strcmp(check, "host") == 0	 ? "up"
		       : strcmp(check, "iommu") == 0	 ? "quiet"
		       : strcmp(check, "delivered") == 0 ? "false"
							 : "");
}

static void write_checks(FILE *out, const json_t *result, const json_t *expect)
{
	static const struct {
		const char *state, *symbol, *word, *class;
	} states[] = {{"met", "✓", "as expected", "pass"},
		      {"broken", "✗", "not as expected", "fail"},
		      {"unknown", "?", "not known", "inconclusive"}};
	const json_t *checks = json_object_get(result, "checks");
	json_t *check;
	size_t index;

	if (!json_array_size(checks))
		return;
	fputs("<h3>Expected and seen</h3><div class=\"scroll\"><table><thead><tr><th "
	      "scope=\"col\">What</th>"
	      "<th scope=\"col\">Expected</th><th scope=\"col\">Seen</th></tr></thead><tbody>",
	      out);
	json_array_foreach (checks, index, check) {
		const char *name = json_text(check, "check", "?"),
			   *state = json_text(check, "state", "");
		__cleanup_free char *expected = expected_text(expect, name);
		size_t which = strcmp(state, "met") == 0 ? 0 : strcmp(state, "broken") == 0 ? 1 : 2;

		text_xml_format(
			out,
			"<tr><td>%s</td><td class=\"mono\">%s</td><td class=\"text\">"
			"<span class=\"v %s\"><span aria-hidden=\"true\">%s</span> %s</span> "
			"%s</td></tr>",
			name, expected ?: "", states[which].class, states[which].symbol,
			states[which].word, json_text(check, "reason", ""));
	}
	fputs("</tbody></table></div>", out);
}

/* The event that a line of evidence quotes: the judge names it by its witness and its time. */
static const struct record *cited_event(const struct course *course, const json_t *line)
{
	for_each_record (course, record)
		if (record->type == RECORD_EVENT &&
		    record->written_ns == json_number(line, "time_ns", -1) &&
		    json_is(line, "witness", record->event.witness))
			return record;
	return NULL;
}

static void write_place(FILE *out, const struct course *course, const json_t *line)
{
	const struct record *event = cited_event(course, line);
	const char *guest = json_text(line, "guest", event ? event->guest : NULL);
	const char *host = json_text(line, "host", event ? event->host : NULL);

	text_xml_format(out, "<td>%s%s%s</td>", guest ?: "", guest && host ? " on " : "",
			host ?: "");
}

static void write_evidence(FILE *out, const struct course *course, const json_t *result)
{
	const json_t *evidence = json_object_get(result, "evidence");
	bool places = course->guest_count || course->host_count > 1;
	json_t *line;
	size_t index;

	fputs("<h3>Evidence</h3>", out);
	if (!json_array_size(evidence)) {
		fputs("<p class=\"soft\">None.</p>", out);
		return;
	}
	fprintf(out,
		"<div class=\"scroll\"><table class=\"trials\"><thead><tr><th scope=\"col\">After "
		"%s</th><th scope=\"col\">Witness</th>%s"
		"<th scope=\"col\">Proves</th><th scope=\"col\">Line</th></tr></thead><tbody>",
		course->fired ? "intent" : "start",
		places ? "<th scope=\"col\">Guest, host</th>" : "");
	json_array_foreach (evidence, index, line) {
		int64_t at = course_offset(course, json_number(line, "time_ns", 0));

		text_xml_format(out, "<tr><td class=\"num\">%s%s</td><td>%s</td>",
				at < 0 ? "−" : "", short_duration(at < 0 ? -at : at).text,
				json_text(line, "witness", ""));
		if (places)
			write_place(out, course, line);
		text_xml_format(out, "<td>%s</td><td class=\"mono text\">%s</td></tr>",
				json_text(line, "proves", ""), json_text(line, "text", ""));
	}
	fputs("</tbody></table></div>", out);
}

/* A mean is no integer, and one out of range can not be shown as a duration or a size. */
static int64_t rounded(const json_t *value)
{
	double number = json_number_value(value);

	return number >= 0 && number < 9e18 ? (int64_t)number : -1;
}

/* Three digits, or all of those before the point. */
static int digits_of(double value)
{
	return fabs(value) >= 1e3 && fabs(value) < 1e9 ? (int)floor(log10(fabs(value))) + 1 : 3;
}

/* A measured value with its unit. */
static void metric_text(char buffer[static 48], const json_t *metric)
{
	const char *unit = json_text(metric, "unit", "ns");
	const json_t *value = json_object_get(metric, "value");
	/* The unit of a count is not printed. */
	bool count = is_one_of(unit, "1", "count");

	if (json_is_null(value))
		snprintf(buffer, 48, "not counted on this machine");
	else if (strcmp(unit, "ns") == 0)
		snprintf(buffer, 48, "%s", short_duration(rounded(value)).text);
	else if (is_one_of(unit, "B", "bytes"))
		snprintf(buffer, 48, "%s", short_size(rounded(value)).text);
	else
		snprintf(buffer, 48, "%.*g%s%.16s", count ? 9 : digits_of(json_number_value(value)),
			 json_number_value(value), count ? "" : " ", count ? "" : unit);
}

static void write_metrics(FILE *out, const json_t *result)
{
	const char *name;
	json_t *metric;

	if (!json_object_size(json_object_get(result, "metrics")))
		return;
	fputs("<h3>Measured</h3><dl>", out);
	json_object_foreach (json_object_get(result, "metrics"), name, metric) {
		__cleanup_free char *words = xstrdup(name);
		char value[48];

		metric_text(value, metric);
		for (char *underscore = words; (underscore = strchr(underscore, '_')); underscore++)
			*underscore = ' ';
		text_xml_format(out, "<dt>%s</dt><dd>%s</dd>", words, value);
	}
	fputs("</dl>", out);
}

static void write_story(FILE *out, const json_t *story)
{
	json_t *line;
	size_t index;

	if (!json_array_size(story))
		return;
	fprintf(out,
		"<h3>All events</h3><details><summary><span class=\"name\">%zu "
		"lines</span></summary><pre>",
		json_array_size(story));
	json_array_foreach (story, index, line) {
		int64_t offset = json_number(line, "offset_ns", 0);
		struct short_text time = short_duration(offset < 0 ? -offset : offset);
		const char *witness = json_text(line, "witness", "");
		int width = (int)text_columns(witness);

		if (index == STORY_LIMIT) {
			fprintf(out, "... %zu more lines are in the journal\n",
				json_array_size(story) - index);
			break;
		}
		fprintf(out, "%c%*s%s  ", offset < 0 ? '-' : '+',
			(int)(9 - text_columns(time.text)), "", time.text);
		text_xml(out, witness);
		fprintf(out, "%*s  ", width < 13 ? 13 - width : 0, "");
		text_xml_format(out, "%s\n", json_text(line, "text", ""));
	}
	fputs("</pre></details>", out);
}

static void write_command(FILE *out, const json_t *result, const json_t *run)
{
	const json_t *words = json_object_get(json_object_get(run, "body"), "argv");
	__cleanup_free char *command = xstrdup("brinell run --bench");

	append_shell_word(&command, json_text(result, "bench", "intel"));
	append_text(&command, " ", "--seed %" PRId64, json_number(result, "seed", 0));
	for (size_t i = 0; i + 1 < json_array_size(words); i++) {
		const char *word = json_string_value(json_array_get(words, i));
		const char *next = json_string_value(json_array_get(words, i + 1));

		if (!word || !next || !is_one_of(word, "--set", "--kernel", "--modules"))
			continue;
		append_shell_word(&command, word);
		append_shell_word(&command, next);
	}
	append_shell_word(&command, json_text(result, "scenario", "unknown"));
	fputs("<h3>Do it again</h3><pre>", out);
	text_xml(out, command);
	fputs("</pre>", out);
}

static void write_reason(FILE *out, const json_t *result)
{
	const char *known = json_text(result, "known", NULL);

	text_xml_format(out, "<p>%s</p><p class=\"soft\"><code>%s</code> %s</p>",
			json_text(result, "title", ""), json_text(result, "code", "none"),
			json_text(result, "reason", ""));
	if (known)
		text_xml_format(out, "<p class=\"bench\"><strong>A known failure:</strong> %s</p>",
				known);
	if (json_is_true(json_object_get(result, "fixed")))
		fputs("<p class=\"bench loud\"><strong>The known failure of this scenario is "
		      "gone</strong> with these versions.</p>",
		      out);
}

/**
 * html_trial - one trial of the page
 * @records: of the trial
 * @run:     record of the run, or NULL
 * @number:  from 1, its place in the page
 * @open:    show it unfolded
 */
void html_trial(FILE *out, const json_t *result, const json_t *records, const json_t *run,
		size_t number, bool open)
{
	const char *id = json_text(result, "trial", "");
	__cleanup_course struct course *course = course_new(records, result);
	const struct record *start = course_find(course, RECORD_TRIAL);
	__cleanup_json json_t *story = story_of(records, id);

	fprintf(out, "<details class=\"card\" id=\"t%zu\"%s><summary>", number,
		open ? " open" : "");
	html_verdict(out, result);
	text_xml_format(out,
			"<span class=\"soft\">%s</span><span class=\"name\">%s</span><span "
			"class=\"time\">%s</span></summary>",
			id, json_text(result, "scenario", "unknown"),
			short_duration(metric_ns(result, "trial_time")).text);
	write_reason(out, result);
	timeline_write(out, course, result);
	html_course(out, course);
	write_evidence(out, course, result);
	write_checks(out, result, start ? start->start.expect : NULL);
	html_storm(out, course);
	write_faults(out, course);
	write_metrics(out, result);
	cost_write(out, course);
	write_story(out, story);
	write_command(out, result, run);
	fputs("</details>\n", out);
}
