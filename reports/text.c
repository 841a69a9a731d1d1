// SPDX-License-Identifier: GPL-2.0-only
/*
 * Text for reports: kernel logs hold any byte, and every format forbids others.
 */
#include <string.h>

#include "reports/text.h"

extern const char _binary_reports_colours_css_start[], _binary_reports_colours_css_end[];

/**
 * text_one_line - write text into a format of lines
 * @out:       file
 * @text:      any text
 * @forbidden: characters that mean something in the format; a space stands for each, as for control
 *             characters
 */
void text_one_line(FILE *out, const char *text, const char *forbidden)
{
	for (; *text; text++) {
		size_t plain = text_plain(text, forbidden), control;

		if (plain) {
			fwrite(text, 1, plain, out);
			text += plain - 1;
			continue;
		}
		control = text_control(text);
		fputc(control || strchr(forbidden, *text) ? ' ' : *text, out);
		text += control ? control - 1 : 0;
	}
}

/** text_colours - the colours of all pages, as CSS */
void text_colours(FILE *out)
{
	WRITE_EMBEDDED(out, reports_colours_css);
}

/** text_json - write JSON as a command prints it */
void text_json(FILE *out, const json_t *value)
{
	json_dumpf(value, out, JSON_INDENT(1) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12));
	fputc('\n', out);
}

/**
 * text_escaped - write a text for a format with quotes, as one line
 * @special: characters that get @escape before them; control characters become blanks
 */
void text_escaped(FILE *out, const char *text, const char *special, char escape)
{
	for (; *text; text++) {
		size_t control = text_control(text);

		if (strchr(special, *text))
			fputc(escape, out);
		fputc(control ? ' ' : *text, out);
		text += control ? control - 1 : 0;
	}
}

/**
 * text_line - print a line of texts that may be any, for a terminal
 * @out:    file
 * @format: of the line, without its end; control characters in the result become spaces
 */
void text_line(FILE *out, const char *format, ...)
{
	__cleanup_free char *line = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&line, format, arguments) < 0)
		abort();
	va_end(arguments);
	text_one_line(out, line, "");
	fputc('\n', out);
}

/**
 * text_duration - a time for people: "812 µs", "12.3 ms", "4.56 s"
 * @buffer:      receives the text
 * @nanoseconds: negative for a time that is not known: "-"
 */
void text_duration(char buffer[static 32], int64_t nanoseconds)
{
	double value = (double)nanoseconds;

	if (nanoseconds < 0)
		snprintf(buffer, 32, "-");
	else if (nanoseconds < 1000 * 1000)
		snprintf(buffer, 32, "%.0f µs", value / 1e3);
	else if (nanoseconds < 100 * NSEC_PER_MSEC)
		snprintf(buffer, 32, "%.1f ms", value / 1e6);
	else if (nanoseconds < NSEC_PER_SEC)
		snprintf(buffer, 32, "%.0f ms", value / 1e6);
	else
		snprintf(buffer, 32, "%.2f s", value / 1e9);
}

/** short_duration - text_duration() by value */
struct short_text short_duration(int64_t nanoseconds)
{
	struct short_text made;

	text_duration(made.text, nanoseconds);
	return made;
}

/** short_time - an offset as "+1.20 s" or "−20 ms" */
struct short_text short_time(int64_t nanoseconds)
{
	struct short_text made;

	snprintf(made.text, sizeof(made.text), "%s%.24s", nanoseconds < 0 ? "−" : "+",
		 short_duration(nanoseconds < 0 ? -nanoseconds : nanoseconds).text);
	return made;
}

/** short_size - text_size() by value */
struct short_text short_size(int64_t bytes)
{
	struct short_text made;

	text_size(made.text, bytes);
	return made;
}

/**
 * text_size - an amount of memory for people: "812 B", "12.4 MiB"
 * @buffer: receives the text
 * @bytes:  negative when it is not known: "-"
 */
void text_size(char buffer[static 32], int64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 0) {
		snprintf(buffer, 32, "-");
		return;
	}
	if (bytes < 1024) {
		snprintf(buffer, 32, "%d B", (int)bytes);
		return;
	}
	for (; value >= 1024 && unit + 1 < ARRAY_SIZE(units); unit++)
		value /= 1024;
	snprintf(buffer, 32, value < 100 ? "%.3g %s" : "%.0f %s", value, units[unit]);
}

/**
 * text_axes - the axes of a trial but those that are none or quiet, in one line: "process contained, host up"
 * @buffer: receives the text
 * @result: of one trial
 */
void text_axes(char buffer[static 256], const json_t *result)
{
	static const char *const names[] = {"guest",	  "process", "migration",
					    "conversion", "iommu",   "host"};
	const json_t *axes = json_object_get(result, "axes");
	size_t used = 0;

	buffer[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(names) && used < 200; i++) {
		const char *value = json_text(axes, names[i], "none");

		if (strcmp(value, "none") == 0 ||
		    (strcmp(names[i], "iommu") == 0 && strcmp(value, "quiet") == 0))
			continue;
		used += (size_t)snprintf(buffer + used, 256 - used, "%s%s %.24s", used ? ", " : "",
					 names[i], value);
	}
	if (!used)
		snprintf(buffer, 256, "-");
}

/** metric_ns - a metric of a trial in nanoseconds, -1 when it was not measured */
int64_t metric_ns(const json_t *result, const char *name)
{
	return json_number(json_object_get(json_object_get(result, "metrics"), name), "value", -1);
}

/** number_sum - of two numbers that a journal reports; @one alone when there is no such number */
int64_t number_sum(int64_t one, int64_t other)
{
	int64_t sum;

	return __builtin_add_overflow(one, other, &sum) ? one : sum;
}

/** text_columns - columns of a terminal that UTF-8 text takes, one a character */
size_t text_columns(const char *text)
{
	size_t columns = 0;

	for (; *text; text++)
		columns += ((unsigned char)*text & 0xc0) != 0x80;
	return columns;
}
