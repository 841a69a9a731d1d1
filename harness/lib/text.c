// SPDX-License-Identifier: GPL-2.0-only
/*
 * Text for terminals and XML: names, paths and kernel logs hold any byte.
 */
#include <errno.h>
#include <string.h>

#include "harness/lib/text.h"

/**
 * text_control - length of the control character that a text begins with
 *
 * Control characters are those that a terminal obeys, C0, DEL and C1 (U+0080 to U+009F), and those that
 * change the order or the lines of the text around them: U+061C, U+200E, U+200F, U+2028 to U+202E and
 * U+2066 to U+2069 (Unicode Standard Annex #9, section 2).
 *
 * Return: its bytes, 0 when the text begins with another character.
 */
size_t text_control(const char *text)
{
	const unsigned char *bytes = (const unsigned char *)text;

	if ((bytes[0] && bytes[0] < 0x20) || bytes[0] == 0x7f)
		return 1;
	if ((bytes[0] == 0xc2 && bytes[1] >= 0x80 && bytes[1] < 0xa0) ||
	    (bytes[0] == 0xd8 && bytes[1] == 0x9c))
		return 2;
	if (bytes[0] == 0xe2 && bytes[1] == 0x80 &&
	    (bytes[2] == 0x8e || bytes[2] == 0x8f || (bytes[2] >= 0xa8 && bytes[2] <= 0xae)))
		return 3;
	return bytes[0] == 0xe2 && bytes[1] == 0x81 && bytes[2] >= 0xa6 && bytes[2] <= 0xa9 ? 3 : 0;
}

/*
 * XML 1.0 allows no control characters but tab and line ends, and neither U+FFFE nor U+FFFF
 * (section 2.2).
 */
static size_t illegal_in_xml(const char *text)
{
	const unsigned char *bytes = (const unsigned char *)text;

	if (bytes[0] == 0xef && bytes[1] == 0xbf && (bytes[2] == 0xbe || bytes[2] == 0xbf))
		return 3;
	return strchr("\t\n\r", *text) ? 0 : text_control(text);
}

/** text_plain - length of the printable ASCII that a text begins with, up to one of the characters @special */
size_t text_plain(const char *text, const char *special)
{
	size_t length = 0;
	char highest = 0;

	for (const char *each = special; *each; each++)
		highest = *each > highest ? *each : highest;
	while (text[length] >= ' ' && text[length] <= '~' &&
	       (text[length] > highest || !strchr(special, text[length])))
		length++;
	return length;
}

/**
 * text_xml - write text as content or attribute value of XML 1.0 and HTML
 * @out:  file
 * @text: UTF-8; U+FFFD stands for each character that XML can not hold, or that changes the order of the text
 */
void text_xml(FILE *out, const char *text)
{
	for (; *text; text++) {
		size_t plain = text_plain(text, "<>&\"'"), illegal;

		if (plain) {
			fwrite(text, 1, plain, out);
			text += plain - 1;
			continue;
		}
		illegal = illegal_in_xml(text);
		if (illegal) {
			fputs("\xef\xbf\xbd", out);
			text += illegal - 1;
			continue;
		}
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		case '\r':
			fputs("&#13;", out);
			break;
		default:
			fputc(*text, out);
		}
	}
}

/* Writes one number of @specification, which ends in its conversion. */
static void write_number(FILE *out, const char *specification, va_list *arguments)
{
	char conversion = specification[strlen(specification) - 1];

	if (strchr("eEfFgG", conversion))
		fprintf(out, specification, va_arg(*arguments, double));
	else if (strpbrk(specification, "lzjt"))
		fprintf(out, specification, va_arg(*arguments, long long));
	else
		fprintf(out, specification, va_arg(*arguments, int));
}

/**
 * text_xml_format - fprintf() with text_xml() of each %s
 * @format: is not escaped; %s without flags, characters, numbers without '*', and %%
 */
void text_xml_format(FILE *out, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	while (*format) {
		size_t length = strcspn(format, "%");
		char specification[16];

		fwrite(format, 1, length, out);
		format += length;
		if (!*format)
			break;
		length = strcspn(format + 1, "diuxXcsfFeEgG%") + 2;
		snprintf(specification, sizeof(specification), "%.*s", (int)length, format);
		format += length;
		if (specification[length - 1] == '%')
			fputc('%', out);
		else if (specification[length - 1] == 's')
			text_xml(out, va_arg(arguments, const char *));
		else
			write_number(out, specification, &arguments);
	}
	va_end(arguments);
}

/**
 * append_shell_word - extend a command line
 * @text: as of append_text()
 * @word: is quoted if a shell would not take it as it is
 */
void append_shell_word(char **text, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_./:=,@%+-";

	if (*word && !word[strspn(word, plain)]) {
		append_text(text, " ", "%s", word);
		return;
	}
	append_text(text, " ", "'");
	for (size_t length; *word; word += length + (word[length] == '\'')) {
		length = strcspn(word, "'");
		append_text(text, "", "%.*s%s", (int)length, word, word[length] ? "'\\''" : "");
	}
	append_text(text, "", "'");
}

/**
 * next_shell_word - take the next word of a command line
 * @rest: of the line; moves behind the word
 * @word: receives the word without its quotes, which points into the line; NULL: there is none
 *
 * Blanks separate words. As in a shell, '...' and "..." are parts of a word, and a backslash makes the next character one, in
 * "..." only a quote or a backslash. Nothing is expanded.
 *
 * Return: 0, or -EINVAL for a quote without its end.
 */
int next_shell_word(char **rest, char **word)
{
	char *from = *rest + strspn(*rest, " \t\n"), *to = from;
	char quote = '\0';

	*word = *from ? to : NULL;
	for (; *from && (quote || !strchr(" \t\n", *from)); from++) {
		if (*from == quote)
			quote = '\0';
		else if (!quote && strchr("'\"", *from))
			quote = *from;
		else if (*from == '\\' && from[1] && quote != '\'' &&
			 (!quote || strchr("\"\\", from[1])))
			*to++ = *++from;
		else
			*to++ = *from;
	}
	*rest = from + (*from != '\0');
	*to = '\0';
	return quote ? -EINVAL : 0;
}
