// SPDX-License-Identifier: GPL-2.0-only
/*
 * The HTML report: one file that opens offline, on a phone, in the dark and on paper. It asks for
 * nothing from anywhere, which its content security policy enforces.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "reports/html_style.h"
#include "reports/report.h"
#include "reports/story.h"
#include "reports/text.h"
#include "reports/timeline.h"

/* Up to so many trials are shown open; with more, only those that did not pass. */
#define OPEN_TRIALS 24
#define STORY_LIMIT 500

static const struct {
	const char *name, *symbol;
} verdicts[] = {
	{"pass", "✓"},	{"fail", "✗"}, {"inconclusive", "?"},
	{"infra", "!"}, {"skip", "–"}, {"pending", "…"},
};

static const char *symbol_of(const char *verdict)
{
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
		if (strcmp(verdicts[i].name, verdict) == 0)
			return verdicts[i].symbol;
	return "?";
}

/* The word as a class name: only words of the judge reach the style sheet. */
static const char *class_of(const char *verdict)
{
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
		if (strcmp(verdicts[i].name, verdict) == 0)
			return verdicts[i].name;
	return "inconclusive";
}

static void write_verdict(FILE *out, const char *verdict)
{
	fprintf(out, "<span class=\"v %s\"><span aria-hidden=\"true\">%s</span> ",
		class_of(verdict), symbol_of(verdict));
	text_xml(out, verdict);
	fputs("</span>", out);
}

static void write_fact(FILE *out, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	fprintf(out, "<dt>%s</dt><dd>", name);
	text_xml(out, value);
	fputs("</dd>", out);
}

static const json_t *body_of(const json_t *record)
{
	return json_object_get(record, "body");
}

static const json_t *find_type(const json_t *records, const char *type)
{
	json_t *record;
	size_t index;

	json_array_foreach (records, index, record)
		if (strcmp(json_text(record, "type", ""), type) == 0)
			return record;
	return NULL;
}

static char *date_text(int64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / NSEC_PER_SEC);
	struct tm date;
	char text[64] = "";

	if (gmtime_r(&seconds, &date))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &date);
	return strdup(text);
}

static char *joined(const json_t *words)
{
	char *all = strdup("");
	json_t *word;
	size_t index;

	json_array_foreach (words, index, word) {
		char *longer = format_text("%s%s%s", all, *all ? " " : "",
					   json_string_value(word) ? json_string_value(word) : "");

		free(all);
		all = longer;
	}
	return all;
}

/* The different values of a key of all boot records, as "a, b". */
static char *boot_values(const json_t *records, const char *key)
{
	__cleanup_json json_t *seen = json_object();
	char *all = strdup("");
	json_t *record;
	size_t index;

	json_array_foreach (records, index, record) {
		const char *value = json_text(body_of(record), key, NULL);
		char *longer;

		if (!value || strcmp(json_text(record, "type", ""), "boot") != 0 ||
		    json_object_get(seen, value))
			continue;
		json_object_set_new(seen, value, json_true());
		longer = format_text("%s%s%s", all, *all ? ", " : "", value);
		free(all);
		all = longer;
	}
	return all;
}

static void write_bench_note(FILE *out, const json_t *records)
{
	unsigned int emulated = 0, real = 0;
	json_t *record;
	size_t index;

	json_array_foreach (records, index, record) {
		if (strcmp(json_text(record, "type", ""), "boot") != 0)
			continue;
		if (json_is_true(json_object_get(body_of(record), "rig")))
			emulated++;
		else
			real++;
	}
	if (emulated)
		fprintf(out,
			"<p class=\"bench\"><strong>%s emulated rig.</strong> The software is "
			"real: kernel, drivers and "
			"programs are what a machine runs. The silicon is not: processor, memory "
			"and firmware are "
			"modelled.</p>",
			real ? "Partly the" : "The");
	else if (real)
		fputs("<p class=\"bench\"><strong>Real machines.</strong> The faults were pressed "
		      "into the hosts named "
		      "below.</p>",
		      out);
}

static void write_counts(FILE *out, const json_t *results)
{
	const json_t *counts = json_object_get(results, "counts");

	fputs("<ul class=\"counts\" aria-label=\"Verdicts\">", out);
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		int64_t count = json_number(counts, verdicts[i].name, 0);

		if (count || i < 3)
			fprintf(out,
				"<li><b>%" PRId64
				"</b><span class=\"v %s\"><span aria-hidden=\"true\">%s</span> "
				"%s</span></li>",
				count, verdicts[i].name, verdicts[i].symbol, verdicts[i].name);
	}
	fputs("</ul>", out);
}

static void write_header(FILE *out, const json_t *results, const json_t *records)
{
	const json_t *run = find_type(records, "run"), *last;
	const json_t *damage = json_object_get(results, "damage");
	int64_t begin = json_number(json_array_get(records, 0), "time_ns", 0), end;
	__cleanup_free char *date = date_text(begin);
	__cleanup_free char *command = joined(json_object_get(body_of(run), "argv"));
	__cleanup_free char *line = format_text("brinell %s", command);
	__cleanup_free char *kernels = boot_values(records, "kernel");
	__cleanup_free char *hosts = boot_values(records, "host");
	char duration[32];

	last = json_array_size(records) ? json_array_get(records, json_array_size(records) - 1)
					: NULL;
	end = json_number(last, "time_ns", begin);
	text_duration(duration, end >= begin ? end - begin : -1);
	fputs("<header><h1>brinell report</h1><p class=\"soft\">", out);
	text_xml(out, date);
	fputs("</p>", out);
	write_bench_note(out, records);
	write_counts(out, results);
	if (json_array_size(damage))
		fprintf(out,
			"<p class=\"bench\"><strong>The journal is damaged</strong> in %zu places: "
			"trials around them "
			"can not pass.</p>",
			json_array_size(damage));
	if (json_array_size(json_object_get(results, "pending")))
		fputs("<p class=\"bench\"><strong>The run is not finished.</strong> <code>brinell "
		      "resume</code> goes on.</p>",
		      out);
	fputs("<dl>", out);
	write_fact(out, "Kernel", kernels);
	write_fact(out, "Host", hosts);
	write_fact(out, "Command", run ? line : NULL);
	write_fact(out, "Duration", duration);
	write_fact(out, "Run", json_text(results, "run", NULL));
	write_fact(out, "brinell", json_text(results, "version", NULL));
	fputs("</dl></header>", out);
}

static void write_filter(FILE *out, const json_t *results)
{
	const json_t *counts = json_object_get(results, "counts");

	fputs("<div class=\"filter\" role=\"group\" aria-label=\"Show trials\" hidden>"
	      "<button type=\"button\" data-show=\"all\" aria-pressed=\"true\">all</button>",
	      out);
	for (size_t i = 0; i + 1 < ARRAY_SIZE(verdicts); i++)
		if (json_number(counts, verdicts[i].name, 0))
			fprintf(out,
				"<button type=\"button\" data-show=\"%s\" "
				"aria-pressed=\"false\">%s %s</button>",
				verdicts[i].name, verdicts[i].symbol, verdicts[i].name);
	fputs("</div>", out);
}

static void write_row(FILE *out, const json_t *result, size_t number)
{
	const char *verdict = json_text(result, "verdict", "inconclusive");
	char axes[256], time[32];

	text_axes(axes, result);
	text_duration(time, metric_ns(result, "trial_time"));
	fprintf(out, "<tr data-verdict=\"%s\"><td class=\"num\"><a href=\"#t%zu\">",
		class_of(verdict), number);
	text_xml(out, json_text(result, "trial", "?"));
	fputs("</a></td><td>", out);
	write_verdict(out, verdict);
	fputs("</td><td>", out);
	text_xml(out, json_text(result, "scenario", "unknown"));
	fprintf(out, "</td><td>%s</td><td>",
		json_is_true(json_object_get(result, "delivered")) ? "delivered" : "not delivered");
	text_xml(out, axes);
	fprintf(out, "</td><td class=\"num\">%s</td><td class=\"text soft\">", time);
	if (strcmp(verdict, "pass") != 0)
		text_xml(out, json_text(result, "reason", ""));
	fputs("</td></tr>", out);
}

static void write_table(FILE *out, const json_t *trials)
{
	json_t *result;
	size_t index;

	fputs("<div class=\"card scroll\"><table class=\"trials\"><thead><tr><th "
	      "scope=\"col\">Trial</th><th scope=\"col\">"
	      "Verdict</th><th scope=\"col\">Scenario</th><th scope=\"col\">Fault</th><th "
	      "scope=\"col\">Outcome</th>"
	      "<th scope=\"col\">Time</th><th scope=\"col\">Reason</th></tr></thead><tbody>",
	      out);
	json_array_foreach (trials, index, result)
		write_row(out, result, index + 1);
	fputs("</tbody></table></div>", out);
}

static void write_flat(FILE *out, const json_t *object, const char *prefix)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value) {
		__cleanup_free char *text =
			json_is_string(value) ? strdup(json_string_value(value))
					      : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

		fputs("<dt>", out);
		text_xml(out, prefix);
		text_xml(out, key);
		fputs("</dt><dd class=\"mono\">", out);
		text_xml(out, text ? text : "");
		fputs("</dd>", out);
	}
}

static void write_fault(FILE *out, const json_t *records, const char *id)
{
	const json_t *intent = body_of(story_record(records, id, "intent"));
	const json_t *outcome = body_of(story_record(records, id, "outcome"));
	const json_t *facts = body_of(story_record(records, id, "facts"));

	if (!intent)
		return;
	fputs("<h3>The fault</h3><dl>", out);
	write_fact(out, "injector", json_text(intent, "injector", NULL));
	write_fact(out, "target", json_text(intent, "target", NULL));
	write_flat(out, json_object_get(intent, "arguments"), "");
	if (outcome)
		write_fact(out, "outcome",
			   json_text(outcome, "error_name",
				     json_number(outcome, "error", 0) ? "error" : "fired"));
	write_fact(out, "because", json_text(outcome, "reason", NULL));
	fputs("</dl>", out);
	if (!json_object_size(json_object_get(facts, "facts")))
		return;
	fputs("<h3>The victim</h3><dl>", out);
	write_fact(out, "workload", json_text(facts, "workload", NULL));
	write_flat(out, json_object_get(facts, "facts"), "");
	fputs("</dl>", out);
}

/* What is expected when a scenario says nothing. */
static char *expected_text(const json_t *expect, const char *check)
{
	const json_t *value = json_object_get(expect, check);

	if (strcmp(check, "signal") == 0 && json_is_object(expect)) {
		char *all = strdup("");

		for (size_t i = 0; i < 4; i++) {
			static const char *const keys[] = {"signal", "code", "lsb", "address"};
			const json_t *part = json_object_get(expect, keys[i]);
			__cleanup_free char *text = NULL;
			char *longer;

			if (!part)
				continue;
			text = json_is_string(part)
				       ? strdup(json_string_value(part))
				       : json_dumps(part, JSON_ENCODE_ANY | JSON_COMPACT);
			longer = format_text("%s%s%s %s", all, *all ? ", " : "", i ? keys[i] : "",
					     text ? text : "");
			free(all);
			all = longer;
		}
		return all;
	}
	if (json_is_string(value))
		return strdup(json_string_value(value));
	if (json_is_array(value) && json_array_size(value) == 1 &&
	    json_is_string(json_array_get(value, 0)))
		return strdup(json_string_value(json_array_get(value, 0)));
	if (value)
		return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	return strdup(strcmp(check, "host") == 0	? "up"
		      : strcmp(check, "iommu") == 0	? "quiet"
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

		fputs("<tr><td>", out);
		text_xml(out, name);
		fputs("</td><td class=\"mono\">", out);
		text_xml(out, expected ? expected : "");
		fprintf(out,
			"</td><td class=\"text\"><span class=\"v %s\"><span "
			"aria-hidden=\"true\">%s</span> %s</span> ",
			states[which].class, states[which].symbol, states[which].word);
		text_xml(out, json_text(check, "reason", ""));
		fputs("</td></tr>", out);
	}
	fputs("</tbody></table></div>", out);
}

static void write_evidence(FILE *out, const json_t *result, int64_t intent_ns)
{
	const json_t *evidence = json_object_get(result, "evidence");
	json_t *line;
	size_t index;

	fputs("<h3>Evidence</h3>", out);
	if (!json_array_size(evidence)) {
		fputs("<p class=\"soft\">None.</p>", out);
		return;
	}
	fputs("<div class=\"scroll\"><table class=\"trials\"><thead><tr><th scope=\"col\">After "
	      "intent</th><th scope=\"col\">Witness</th>"
	      "<th scope=\"col\">Proves</th><th scope=\"col\">Line</th></tr></thead><tbody>",
	      out);
	json_array_foreach (evidence, index, line) {
		int64_t offset = 0;
		char time[32];

		if (__builtin_sub_overflow(json_number(line, "time_ns", 0), intent_ns, &offset))
			offset = -1;
		text_duration(time, intent_ns ? offset : -1);
		fprintf(out, "<tr><td class=\"num\">%s</td><td>", time);
		text_xml(out, json_text(line, "witness", ""));
		fputs("</td><td>", out);
		text_xml(out, json_text(line, "proves", ""));
		fputs("</td><td class=\"mono text\">", out);
		text_xml(out, json_text(line, "text", ""));
		fputs("</td></tr>", out);
	}
	fputs("</tbody></table></div>", out);
}

static void write_metrics(FILE *out, const json_t *result)
{
	const char *name;
	json_t *metric;

	if (!json_object_size(json_object_get(result, "metrics")))
		return;
	fputs("<h3>Measured</h3><dl>", out);
	json_object_foreach (json_object_get(result, "metrics"), name, metric) {
		__cleanup_free char *words = format_text("%s", name);
		char time[32];

		text_duration(time, json_number(metric, "value", -1));
		fputs("<dt>", out);
		for (char *underscore = words; (underscore = strchr(underscore, '_')); underscore++)
			*underscore = ' ';
		text_xml(out, words);
		fprintf(out, "</dt><dd>%s</dd>", time);
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
		"<h3>All that was heard</h3><details><summary><span class=\"name\">%zu "
		"lines</span></summary><pre>",
		json_array_size(story));
	json_array_foreach (story, index, line) {
		int64_t offset = json_number(line, "offset_ns", 0);
		char time[32];

		if (index == STORY_LIMIT) {
			fprintf(out, "... %zu more lines are in the journal\n",
				json_array_size(story) - index);
			break;
		}
		text_duration(time, offset < 0 ? -offset : offset);
		fprintf(out, "%c%*s%s  ", offset < 0 ? '-' : '+', (int)(9 - text_columns(time)), "",
			time);
		text_xml(out, json_text(line, "witness", ""));
		fprintf(out, "%*s  ",
			(int)text_columns(json_text(line, "witness", "")) < 10
				? 10 - (int)text_columns(json_text(line, "witness", ""))
				: 0,
			"");
		text_xml(out, json_text(line, "text", ""));
		fputc('\n', out);
	}
	fputs("</pre></details>", out);
}

/* A word of a command line for a shell. */
static void write_shell_word(FILE *out, const char *word)
{
	__cleanup_free char *quoted = NULL;
	size_t used = 0;

	if (*word &&
	    word[strspn(
		    word,
		    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,@%+")] ==
		    '\0') {
		text_xml(out, word);
		return;
	}
	quoted = malloc(strlen(word) * 4 + 3);
	if (!quoted)
		return;
	quoted[used++] = '\'';
	for (; *word; word++) {
		if (*word == '\'') {
			memcpy(quoted + used, "'\\''", 4);
			used += 4;
		} else {
			quoted[used++] = *word;
		}
	}
	quoted[used++] = '\'';
	quoted[used] = '\0';
	text_xml(out, quoted);
}

static void write_command(FILE *out, const json_t *result, const json_t *records)
{
	const json_t *words = json_object_get(body_of(find_type(records, "run")), "argv");

	fputs("<h3>Do it again</h3><pre>brinell run --bench ", out);
	write_shell_word(out, json_text(result, "bench", "intel"));
	fprintf(out, " --seed %" PRId64, json_number(result, "seed", 0));
	for (size_t i = 0; i + 1 < json_array_size(words); i++) {
		const char *word = json_string_value(json_array_get(words, i));
		const char *next = json_string_value(json_array_get(words, i + 1));

		if (!word || !next ||
		    (strcmp(word, "--set") != 0 && strcmp(word, "--kernel") != 0 &&
		     strcmp(word, "--modules") != 0))
			continue;
		fprintf(out, " %s ", word);
		write_shell_word(out, next);
	}
	fputc(' ', out);
	write_shell_word(out, json_text(result, "scenario", "unknown"));
	fputs("</pre>", out);
}

static void write_trial(FILE *out, const json_t *result, const json_t *records, size_t number,
			bool open)
{
	const char *id = json_text(result, "trial", ""),
		   *verdict = json_text(result, "verdict", "inconclusive");
	const json_t *expect =
		json_object_get(body_of(story_record(records, id, "trial")), "expect");
	__cleanup_json json_t *story = story_of(records, id);
	char time[32];

	text_duration(time, metric_ns(result, "trial_time"));
	fprintf(out, "<details class=\"card\" id=\"t%zu\" data-verdict=\"%s\"%s><summary>", number,
		class_of(verdict), open ? " open" : "");
	write_verdict(out, verdict);
	fputs("<span class=\"soft\">", out);
	text_xml(out, id);
	fputs("</span><span class=\"name\">", out);
	text_xml(out, json_text(result, "scenario", "unknown"));
	fprintf(out, "</span><span class=\"time\">%s</span></summary><p>", time);
	text_xml(out, json_text(result, "title", ""));
	fputs("</p><p class=\"soft\">", out);
	text_xml(out, json_text(result, "reason", ""));
	fputs("</p>", out);
	timeline_write(out, story, result);
	write_evidence(out, result, json_number(story_record(records, id, "intent"), "time_ns", 0));
	write_checks(out, result, expect);
	write_fault(out, records, id);
	write_metrics(out, result);
	write_story(out, story);
	write_command(out, result, records);
	fputs("</details>\n", out);
}

static int write_html(FILE *out, const json_t *results, const json_t *records)
{
	const json_t *trials = json_object_get(results, "trials");
	bool few = json_array_size(trials) <= OPEN_TRIALS;
	json_t *result;
	size_t index;

	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	      "style-src 'unsafe-inline'; "
	      "script-src 'unsafe-inline'\"><meta name=\"viewport\" content=\"width=device-width, "
	      "initial-scale=1\">"
	      "<title>brinell report ",
	      out);
	text_xml(out, json_text(results, "run", ""));
	fprintf(out, "</title><style>%s</style></head><body>\n", html_style);
	write_header(out, results, records);
	fputs("<main><h2>Trials</h2>", out);
	write_filter(out, results);
	write_table(out, trials);
	fputs("<h2>Each trial</h2>\n", out);
	json_array_foreach (trials, index, result)
		write_trial(out, result, records, index + 1,
			    few || strcmp(json_text(result, "verdict", ""), "pass") != 0);
	fprintf(out,
		"</main><footer>In a timeline a full circle is a line of evidence that the verdict "
		"rests on, an open "
		"one another event, a square a step of the trial; times count from the moment in "
		"which the fault "
		"was about to be fired. Written by brinell %s from the journal alone.</footer>"
		"<script>%s</script></body></html>\n",
		BRINELL_VERSION, html_script);
	return 0;
}

static const struct report report_html = {
	.name = "html",
	.summary = "one page with timelines and evidence that opens offline",
	.file = "report.html",
	.write = write_html,
};

REGISTER(report, report_html);
