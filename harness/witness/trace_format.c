// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fields of a trace event, out of its printed text: the event's format file has the format string and the expression of
 * each value (Documentation/trace/events.rst, section 4).
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "harness/witness/trace_format.h"

#define FORMAT_MAX 2048
#define NAME_MAX_BYTES 64

/* The string after "print fmt: ", with what the preprocessor joins. Return: what stands behind it; NULL: there is none. */
static const char *read_string(const char *at, char format[static FORMAT_MAX])
{
	size_t length = 0;

	while (*(at += strspn(at, " \t")) == '"') {
		for (at++; *at && *at != '"'; at++) {
			if (*at == '\\' && at[1])
				at++;
			if (length < FORMAT_MAX - 1)
				format[length++] = *at;
		}
		if (*at)
			at++;
	}
	format[length] = '\0';
	return length ? at : NULL;
}

/* The end of an expression: a comma outside of its brackets and strings. */
static const char *end_of(const char *at)
{
	int depth = 0;
	bool quoted = false;

	for (; *at && *at != '\n'; at++) {
		if (*at == '\\' && at[1])
			at++;
		else if (*at == '"')
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (strchr("([{", *at))
			depth++;
		else if (strchr(")]}", *at))
			depth--;
		else if (*at == ',' && depth == 0)
			break;
	}
	return at;
}

/* The field that an expression is of: "REC->addr", "__get_str(msg)". */
static const char *next_name(const char *at, char name[static NAME_MAX_BYTES])
{
	const char *end = end_of(at), *field = strstr(at, "REC->");
	const char *string = strstr(at, "__get_str(");
	size_t length;

	name[0] = '\0';
	if (string && string < end)
		field = string + strlen("__get_str(");
	else if (field && field < end)
		field += strlen("REC->");
	else
		return *end == ',' ? end + 1 : end;
	length = strspn(field, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	if (length < NAME_MAX_BYTES) {
		memcpy(name, field, length);
		name[length] = '\0';
	}
	return *end == ',' ? end + 1 : end;
}

/* Behind '%': flags, width, length, and the letter, with those that follow a 'p'. */
static const char *skip_conversion(const char *at, char *letter)
{
	at += strspn(at, "-+ #0123456789.*hlLqjzt");
	*letter = *at;
	if (*at)
		at++;
	if (*letter == 'p')
		while (isalnum((unsigned char)*at))
			at++;
	return at;
}

static void set_field(json_t *fields, const char *name, char letter, const char *value,
		      size_t length)
{
	__cleanup_free char *text = xstrndup(value, length);
	__cleanup_free char *hex = NULL;

	if (!name[0] || !length)
		return;
	if (letter == 'd' || letter == 'i' || letter == 'u') {
		json_object_set_new(fields, name, json_integer(strtoll(text, NULL, 10)));
	} else if (letter == 'x' || letter == 'X') {
		hex = format_text("0x%" PRIx64, (uint64_t)strtoull(text, NULL, 16));
		json_object_set_new(fields, name, json_string(hex));
	} else {
		json_object_set_new(fields, name, json_string(text));
	}
}

/* Text that the format has itself. Return: false when the event's text has another. */
static bool skip_text(const char **format, const char **text)
{
	for (; **format && (**format != '%' || (*format)[1] == '%'); (*format)++, (*text)++) {
		*format += **format == '%';
		if (**format != **text)
			return false;
	}
	return true;
}

/**
 * trace_fields - the fields of an event
 * @format: content of its format file
 * @text:   of the event, behind its name and the colon
 *
 * A value reaches to the text that follows it in the format; one that is followed by another value at once has no end that
 * could be distinguished, and the two are left out.
 *
 * Return: {"addr": "0x..", "cpu": 1, ...}, as far as the text follows the format; owned by the caller.
 */
json_t *trace_fields(const char *format, const char *text)
{
	const char *print = strstr(format, "print fmt: "), *arguments;
	char string[FORMAT_MAX], name[NAME_MAX_BYTES];
	json_t *fields = json_object();
	const char *at = string;

	arguments = print ? read_string(print + strlen("print fmt: "), string) : NULL;
	if (!arguments)
		return fields;
	arguments += *arguments == ',';
	text += strspn(text, " ");
	while (skip_text(&at, &text) && *at == '%') {
		char next[FORMAT_MAX], letter;
		bool joined = false;
		const char *end;

		for (;; joined = true) {
			at = skip_conversion(at + 1, &letter);
			arguments = next_name(arguments, name);
			if (*at != '%' || at[1] == '%')
				break;
		}
		snprintf(next, sizeof(next), "%.*s", (int)strcspn(at, "%"), at);
		end = *next ? strstr(text, next) : text + strlen(text);
		if (!end)
			break;
		if (!joined)
			set_field(fields, name, letter, text, (size_t)(end - text));
		text = end;
	}
	return fields;
}
