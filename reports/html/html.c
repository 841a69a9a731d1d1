// SPDX-License-Identifier: GPL-2.0-only
/*
 * The HTML report: one file that opens offline, on a phone, in the dark and on paper. It loads
 * no other resource, which its content security policy enforces.
 */
#include <inttypes.h>
#include <string.h>

#include "reports/environment.h"
#include "reports/html/block.h"
#include "reports/html/html.h"
#include "reports/report.h"
#include "reports/text.h"

/* report.css and report.js, which the Makefile embeds: not terminated. */
extern const char _binary_reports_html_report_css_start[], _binary_reports_html_report_css_end[];
extern const char _binary_reports_html_report_js_start[], _binary_reports_html_report_js_end[];

/* Up to so many trials are shown open; with more, only those that did not pass. */
#define OPEN_TRIALS 24
/* Up to so many trials are in the page uncompressed; of more, a script shows the selected one. */
#define WHOLE_TRIALS 200
/* Of passed trials beyond these the page has only the row. */
#define DETAILED_TRIALS 10000

/**
 * struct page - the report's own
 * @block: of a large page
 * @cells: of the matrices
 */
struct page {
	void *block;
	json_t *cells;
};

static struct page *page_of(const struct report_run *run)
{
	struct page *page = *run->state;

	if (!page) {
		*run->state = page = xzalloc(sizeof(*page));
		page->cells = json_array();
	}
	return page;
}

static bool is_large(const struct report_run *run)
{
	return run->trials > WHOLE_TRIALS;
}

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

/** html_class - a verdict as a class name: only verdicts of the judge become class names */
const char *html_class(const char *verdict)
{
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
		if (strcmp(verdicts[i].name, verdict) == 0)
			return verdicts[i].name;
	return "inconclusive";
}

/** html_verdict - the verdict of a trial, and whether its failure is known or no longer there */
void html_verdict(FILE *out, const json_t *result)
{
	const char *verdict = json_text(result, "verdict", "inconclusive");

	fprintf(out, "<span class=\"v %s\"><span aria-hidden=\"true\">%s</span> ",
		html_class(verdict), symbol_of(verdict));
	text_xml(out, verdict);
	fputs("</span>", out);
	if (json_text(result, "known", NULL))
		fputs(" <span class=\"tag\">known</span>", out);
	if (json_is_true(json_object_get(result, "fixed")))
		fputs(" <span class=\"tag loud\">fixed</span>", out);
}

/* The words by which the script's buttons select a trial. */
static void write_filter_words(FILE *out, const json_t *result)
{
	fputs(html_class(json_text(result, "verdict", "inconclusive")), out);
	if (json_text(result, "known", NULL))
		fputs(" known", out);
	if (json_is_true(json_object_get(result, "fixed")))
		fputs(" fixed", out);
}

/** html_fact - a name and its value; nothing when there is no value */
void html_fact(FILE *out, const char *name, const char *value)
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

/** html_find - the first record of a type, borrowed, or NULL */
const json_t *html_find(const json_t *records, const char *type)
{
	json_t *record;
	size_t index;

	json_array_foreach (records, index, record)
		if (strcmp(json_text(record, "type", ""), type) == 0)
			return record;
	return NULL;
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
			"<p class=\"bench\"><strong>%s emulated rig.</strong> Kernel, drivers and "
			"programs are unmodified. Processor, memory and firmware are emulated.</p>",
			real ? "Partly the" : "The");
	else if (real)
		fputs("<p class=\"bench\"><strong>Real machines.</strong> The faults were injected "
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

/* Counts of known failures, and of those that no longer occur. */
static void write_known(FILE *out, const json_t *counts, size_t fixed)
{
	int64_t known = json_number(counts, "known", 0);

	if (fixed)
		fprintf(out,
			"<p class=\"bench loud\"><strong>%zu known %s gone.</strong> The trial "
			"passed although its scenario names a failure for these versions: take "
			"<code>known-failure</code> out of it, or narrow its versions.</p>",
			fixed, fixed == 1 ? "failure is" : "failures are");
	if (known)
		fprintf(out,
			"<p class=\"bench\"><strong>%" PRId64
			" of the failures %s known</strong> and "
			"%s not counted against the run.</p>",
			known, known == 1 ? "is" : "are", known == 1 ? "is" : "are");
}

/* The most important facts (@first), or all others. */
static void write_environment(FILE *out, json_t *environment, bool first)
{
	const char *name;
	json_t *value;

	json_object_foreach (environment, name, value)
		if (first == is_one_of(name, "host", "hostname", "kernel", "guest kernel",
				       "command", "seed"))
			html_fact(out, name, json_string_value(value));
}

static void write_header(FILE *out, const struct report_run *run)
{
	const json_t *results = run->summary, *damage = json_object_get(results, "damage");
	__cleanup_json json_t *environment = environment_of(run->about);
	int64_t length;
	char duration[32];

	if (__builtin_sub_overflow(run->last_ns, run->first_ns, &length))
		length = -1;
	text_duration(duration, length);
	fputs("<header><h1>brinell report</h1><p class=\"soft\">", out);
	text_xml(out, json_text(environment, "start", ""));
	fputs("</p>", out);
	write_bench_note(out, run->about);
	write_counts(out, results);
	write_known(out, json_object_get(results, "counts"), run->fixed);
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
	write_environment(out, environment, true);
	html_fact(out, "duration", duration);
	html_fact(out, "run", json_text(results, "run", NULL));
	html_fact(out, "brinell", json_text(results, "version", NULL));
	fputs("</dl><details><summary>Machine and software</summary><dl>", out);
	write_environment(out, environment, false);
	fputs("</dl></details></header>", out);
}

static void write_row(FILE *out, const json_t *result, size_t number)
{
	const char *verdict = json_text(result, "verdict", "inconclusive");
	const char *known = json_text(result, "known", NULL);
	char axes[256], time[32];

	text_axes(axes, result);
	text_duration(time, metric_ns(result, "trial_time"));
	fprintf(out, "<tr data-card=\"t%zu\" data-verdict=\"", number);
	write_filter_words(out, result);
	fputs("\" data-scenario=\"", out);
	text_xml(out, json_text(result, "scenario", "unknown"));
	fprintf(out, "\"><td class=\"num\"><a href=\"#t%zu\">", number);
	text_xml(out, json_text(result, "trial", "?"));
	fputs("</a></td><td>", out);
	html_verdict(out, result);
	fputs("</td><td>", out);
	text_xml(out, json_text(result, "scenario", "unknown"));
	fprintf(out, "</td><td>%s</td><td class=\"text\">",
		json_is_true(json_object_get(result, "delivered")) ? "delivered" : "not delivered");
	text_xml(out, axes);
	if (known || strcmp(verdict, "pass") != 0) {
		fputs("<div class=\"soft\"><code>", out);
		text_xml(out, json_text(result, "code", "none"));
		fprintf(out, "</code> %s", known ? "known: " : "");
		text_xml(out, known ?: json_text(result, "reason", ""));
		fputs("</div>", out);
	}
	fprintf(out, "</td><td class=\"num\" data-sort=\"%" PRId64 "\">%s</td></tr>",
		metric_ns(result, "trial_time"), time);
}

static void write_legend(FILE *out)
{
	fputs("<details class=\"legend\"><summary>How to read the timelines</summary><p>Times "
	      "are relative to the intent, just before the fault is fired, or to the start of "
	      "a trial without a fault. A full circle is a line of evidence that the "
	      "verdict rests on, an open one another event; a diamond is a signal, a cross the "
	      "death of a guest or host, a square a step of the trial, a triangle a touch.</p>"
	      "<p>A thin green band is a guest whose heartbeats arrive. A hole in it is a time "
	      "without a sign of life of the guest, a dashed line its move to another host, a "
	      "dashed box its silence. Each has its length beside it, and a move its downtime "
	      "(down). Thick bands are the stages of a migration, with the numbers of the "
	      "iterations. A part that is too narrow is drawn again as a close-up. The text "
	      "below each picture has the same content.</p></details>\n",
	      out);
}

/* The selected trial stands before the table, which grows as it is scrolled. */
static void write_large(FILE *out)
{
	fputs("<noscript><p class=\"bench\">A page of so many trials needs a script; the other "
	      "reports, and <code>brinell show</code>, do not.</p></noscript>"
	      "<section id=\"trial\" hidden><h2>A trial</h2>",
	      out);
	write_legend(out);
	fputs("<div id=\"cards\" data-block=\"" BLOCK_TEXT "\"></div></section>", out);
}

static int write_head(FILE *out, const struct report_run *run)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	      "style-src 'unsafe-inline'; "
	      "script-src 'unsafe-inline'\"><meta name=\"viewport\" content=\"width=device-width, "
	      "initial-scale=1\">"
	      "<title>brinell report ",
	      out);
	text_xml(out, json_text(run->summary, "run", ""));
	fputs("</title><style>", out);
	text_colours(out);
	WRITE_EMBEDDED(out, reports_html_report_css);
	fputs("</style></head><body>\n", out);
	write_header(out, run);
	fputs("<main><div id=\"scenarios\" hidden></div>", out);
	/* The counts come first: all trials are known. */
	html_matrices(out, page_of(run)->cells);
	if (is_large(run))
		write_large(out);
	fputs("<h2>Trials</h2><div class=\"filter\" id=\"filter\" hidden></div>", out);
	fputs("<div class=\"card scroll\"><table class=\"trials\" id=\"trials\"><thead><tr><th "
	      "scope=\"col\">Trial</th><th scope=\"col\">"
	      "Verdict</th><th scope=\"col\">Scenario</th><th scope=\"col\">Fault</th><th "
	      "scope=\"col\">Outcome</th>"
	      "<th scope=\"col\">Time</th></tr></thead><tbody>",
	      out);
	if (is_large(run))
		fputs("</tbody></table></div><template id=\"rows\">", out);
	return 0;
}

static int write_trial(FILE *out, const struct report_run *run, const struct report_trial *trial)
{
	const json_t *result = trial->result;

	write_row(trial->rows, result, trial->number);
	html_cell_add(page_of(run)->cells, result, trial->records, trial->number);
	if (is_large(run)) {
		if (trial->records)
			html_trial(block_of(&page_of(run)->block, out, trial->number), result,
				   trial->records, html_find(run->about, "run"), trial->number,
				   true);
		return 0;
	}
	html_trial(out, result, trial->records, html_find(run->about, "run"), trial->number,
		   run->trials <= OPEN_TRIALS ||
			   strcmp(json_text(result, "verdict", ""), "pass") != 0);
	return 0;
}

static int write_middle(FILE *out, const struct report_run *run)
{
	if (is_large(run)) {
		fputs("</template><p id=\"more\"></p><div hidden>", out);
		return 0;
	}
	fputs("</tbody></table></div><h2>Each trial</h2>\n", out);
	write_legend(out);
	fputs("<div id=\"cards\">", out);
	return 0;
}

static int write_tail(FILE *out, const struct report_run *run)
{
	struct page *page = page_of(run);

	block_end(&page->block, out);
	json_decref(page->cells);
	free(page);
	*run->state = NULL;
	fputs("</div></main><footer>Written by brinell " BRINELL_VERSION
	      " from the journal alone.</footer><script>",
	      out);
	WRITE_EMBEDDED(out, reports_html_report_js);
	fputs("</script></body></html>\n", out);
	return 0;
}

REGISTERED(report, report_html) = {
	.name = "html",
	.summary = "one page with timelines and evidence that opens offline",
	.file = "report.html",
	.needs = REPORT_EVIDENCE | REPORT_DETAILS | REPORT_RECORDS,
	.records_most = DETAILED_TRIALS,
	.counts_first = true,
	.head = write_head,
	.trial = write_trial,
	.middle = write_middle,
	.tail = write_tail,
};
