// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a storm of conversions came to: conversions, faults and errors by kind, and the state of each user of the memory.
 */
#include <string.h>

#include "harness/lib/param.h"
#include "reports/html/html.h"
#include "reports/text.h"

/* When a storm began and ended. */
struct storm_span {
	int64_t from_ns, to_ns;
};

/* The last report of the users of the memory, with all counts of their storm. */
static const struct record *find_end(const struct course *course)
{
	const struct record *end = NULL;

	for_each_record (course, record)
		if (event_is_from(record, SOURCE_USERS) && event_is_named(record, "checked"))
			end = record;
	return end;
}

static long long count_of(const json_t *counts, const char *name)
{
	return (long long)json_number(counts, name, 0);
}

/* "NAME NUMBER, ..." */
static void write_kinds(FILE *out, const char *title, const json_t *kinds)
{
	__cleanup_free char *text = NULL;
	const char *name;
	json_t *number;

	json_object_foreach ((json_t *)kinds, name, number)
		append_text(&text, ", ", "%s %lld", name, (long long)json_integer_value(number));
	html_fact(out, title, text ?: "none");
}

/* Whether an event is what a user found that differs from the model. */
static bool is_finding(const struct record *record, const char *user)
{
	return event_is_from(record, SOURCE_USERS) &&
	       strcmp(json_text(record->event.data, "user", ""), user) == 0;
}

/* The time of the storm, with a stroke for each finding of the user. */
static void write_band(FILE *out, const struct course *course, const char *user,
		       const struct storm_span *span)
{
	fputs("<td><svg class=\"user\" viewBox=\"0 0 400 12\" preserveAspectRatio=\"none\" "
	      "aria-hidden=\"true\"><rect class=\"storm\" width=\"400\" height=\"12\"/>",
	      out);
	for_each_record (course, record) {
		double share = (double)(record->seen_ns - span->from_ns) /
			       (double)(span->to_ns - span->from_ns);

		if (is_finding(record, user) && share >= 0 && share <= 1)
			fprintf(out,
				"<rect class=\"finding\" x=\"%.1f\" width=\"3\" "
				"height=\"12\"/>",
				397 * share);
	}
	fputs("</svg></td></tr>", out);
}

static void write_user(FILE *out, const struct course *course, const char *user, bool refuses,
		       const struct storm_span *span)
{
	const struct record *first = NULL;
	unsigned int count = 0;

	for_each_record (course, record)
		if (is_finding(record, user) && count++ == 0)
			first = record;
	text_xml_format(out, "<tr><td>%s%s</td>", user, refuses ? " (refuses)" : "");
	if (first)
		text_xml_format(out,
				"<td class=\"text\"><span class=\"v fail\"><span "
				"aria-hidden=\"true\">✗</span> %s</span> %s",
				first->event.name, first->event.text);
	else
		fputs("<td class=\"text\"><span class=\"v pass\"><span "
		      "aria-hidden=\"true\">✓</span> intact</span>",
		      out);
	if (count > 1)
		fprintf(out, ", and %u more", count - 1);
	fputs("</td>", out);
	write_band(out, course, user, span);
}

static void write_users(FILE *out, const struct course *course, const struct record *end)
{
	const struct record *intent = course_find(course, RECORD_INTENT);
	const json_t *arguments = intent ? intent->intent.arguments : NULL;
	const json_t *users = json_object_get(arguments, "users");
	const char *refuser = json_text(arguments, "refuser", "");
	struct storm_span span;
	json_t *user;
	size_t index;

	if (!json_array_size(users) || end->seen_ns <= intent->seen_ns)
		return;
	span = (struct storm_span){intent->seen_ns, end->seen_ns};
	fputs("<div class=\"scroll\"><table><thead><tr><th scope=\"col\">User</th><th "
	      "scope=\"col\">Its memory</th><th scope=\"col\">From begin to end of the "
	      "storm</th></tr></thead><tbody>",
	      out);
	json_array_foreach ((json_t *)users, index, user)
		if (json_is_string(user))
			write_user(out, course, json_string_value(user),
				   strcmp(json_string_value(user), refuser) == 0, &span);
	if (param_number(arguments, "touchers"))
		write_user(out, course, "toucher", false, &span);
	fputs("</tbody></table></div>", out);
}

/** html_storm - counts and users of a storm, if the trial had one */
void html_storm(FILE *out, const struct course *course)
{
	const struct record *end = find_end(course);
	const json_t *counts = end ? end->event.data : NULL;
	__cleanup_free char *conversions = NULL;
	__cleanup_free char *violations = NULL;
	__cleanup_free char *exits = NULL;

	if (!end)
		return;
	conversions =
		format_text("%lld, of %lld pages; %lld refused", count_of(counts, "converted"),
			    count_of(counts, "pages"), count_of(counts, "refused"));
	violations = format_text("torn %lld, corrupted %lld, broken %lld; %lld pages checked",
				 count_of(counts, "torn"), count_of(counts, "corrupted"),
				 count_of(counts, "broken"), count_of(counts, "pages_checked"));
	exits = format_text("stale exits %lld, limit exits %lld", count_of(counts, "stale_exits"),
			    count_of(counts, "limit_exits"));
	fputs("<h3>The storm</h3><dl>", out);
	html_fact(out, "conversions", conversions);
	html_fact(out, "violations", violations);
	if (json_object_get(counts, "faults_by_kind"))
		write_kinds(out, "faults", json_object_get(counts, "faults_by_kind"));
	write_kinds(out, "errors", json_object_get(counts, "errors"));
	html_fact(out, "known failures", exits);
	fputs("</dl>", out);
	write_users(out, course, end);
}
