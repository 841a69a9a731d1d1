// SPDX-License-Identifier: GPL-2.0-only
/*
 * JSON that is read where it stands, for texts of gigabytes: what is not needed is stepped over, and the rest becomes jansson's
 * values without its lexer, which takes half of the time of a report. Strings with escapes or other characters than ASCII,
 * and numbers that are no small integers, are left to jansson.
 */
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "harness/lib/scan.h"

/* As deep as jansson goes (JSON_PARSER_MAX_DEPTH). */
#define DEPTH_LIMIT 2048

struct scanner {
	const char *at, *end;
	scan_wanted_fn wanted;
	unsigned int depth;
};

static void skip_space(struct scanner *scanner)
{
	while (scanner->at < scanner->end && (*scanner->at == ' ' || *scanner->at == '\t' ||
					      *scanner->at == '\n' || *scanner->at == '\r'))
		scanner->at++;
}

static bool take(struct scanner *scanner, char expected)
{
	skip_space(scanner);
	if (scanner->at == scanner->end || *scanner->at != expected)
		return false;
	scanner->at++;
	return true;
}

/** scan_plain - length of the printable ASCII without quotes and backslashes that a text begins with */
size_t scan_plain(const char *text, size_t length)
{
	size_t at = 0;

#ifdef __SSE2__
	const __m128i blank = _mm_set1_epi8(' '), delete = _mm_set1_epi8(0x7f),
		      quote = _mm_set1_epi8('"'), escape = _mm_set1_epi8('\\');

	for (; length - at >= 16; at += 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(text + at));
		/* As signed numbers all but ASCII are below zero. */
		__m128i special = _mm_or_si128(
			_mm_or_si128(_mm_cmplt_epi8(bytes, blank), _mm_cmpeq_epi8(bytes, delete)),
			_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, escape)));
		int mask = _mm_movemask_epi8(special);

		if (mask)
			return at + (size_t)__builtin_ctz((unsigned int)mask);
	}
#endif
	while (at < length && text[at] >= ' ' && text[at] <= '~' && text[at] != '"' &&
	       text[at] != '\\')
		at++;
	return at;
}

/* Steps over a string with its quotes. @plain: what is between them is the text itself. */
static bool skip_string(struct scanner *scanner, struct span *whole, bool *plain)
{
	const char *at = scanner->at + 1;

	at += scan_plain(at, (size_t)(scanner->end - at));
	*plain = at < scanner->end && *at == '"';
	while (at < scanner->end && *at != '"') {
		if ((unsigned char)*at < ' ')
			return false;
		at += *at == '\\' ? 2 : 1;
	}
	if (at >= scanner->end)
		return false;
	*whole = (struct span){scanner->at, (size_t)(at + 1 - scanner->at)};
	scanner->at = at + 1;
	return true;
}

static bool skip_scalar(struct scanner *scanner)
{
	const char *begin = scanner->at;

	while (scanner->at<scanner->end && * scanner->at> ' ' && *scanner->at != ',' &&
	       *scanner->at != ']' && *scanner->at != '}')
		scanner->at++;
	return scanner->at > begin;
}

/* Steps over a value. Brackets are counted, not matched: the caller decodes the value when it is needed. */
static bool skip_value(struct scanner *scanner)
{
	unsigned int depth = 0;
	struct span whole;
	bool plain;

	do {
		skip_space(scanner);
		if (scanner->at == scanner->end)
			return false;
		switch (*scanner->at) {
		case '"':
			if (!skip_string(scanner, &whole, &plain))
				return false;
			break;
		case '{':
		case '[':
			depth++;
			scanner->at++;
			break;
		case '}':
		case ']':
			if (!depth--)
				return false;
			scanner->at++;
			break;
		case ',':
		case ':':
			if (!depth)
				return false;
			scanner->at++;
			break;
		default:
			if (*scanner->at == '\0' || !skip_scalar(scanner))
				return false;
		}
	} while (depth);
	return true;
}

/**
 * scan_next - the next member of an object, or element of an array
 * @rest:  the object or array; receives what follows, without the bracket that opens it
 * @open:  '{' or '['
 * @key:   receives the key of a member, without its quotes and not unescaped; may be NULL
 * @value: receives the text of the value
 *
 * Return: false at the end, and where the text is no JSON.
 */
bool scan_next(struct span *rest, char open, struct span *key, struct span *value)
{
	struct scanner scanner = {.at = rest->text, .end = rest->text + rest->length};
	struct span whole = {"", 0};
	const char *begin;
	bool plain;

	skip_space(&scanner);
	if (scanner.at == scanner.end || (*scanner.at != open && *scanner.at != ','))
		return false;
	scanner.at++;
	skip_space(&scanner);
	if (open == '{' && (scanner.at == scanner.end || *scanner.at != '"' ||
			    !skip_string(&scanner, &whole, &plain) || !take(&scanner, ':')))
		return false;
	skip_space(&scanner);
	begin = scanner.at;
	if (!skip_value(&scanner))
		return false;
	if (key)
		*key = whole.length ? (struct span){whole.text + 1, whole.length - 2} : whole;
	*value = (struct span){begin, (size_t)(scanner.at - begin)};
	*rest = (struct span){scanner.at, (size_t)(scanner.end - scanner.at)};
	return true;
}

/** scan_member - the text of a member of an object; empty when there is none */
struct span scan_member(struct span object, const char *key)
{
	struct span name, value;

	while (scan_next(&object, '{', &name, &value))
		if (span_is(name, key))
			return value;
	return (struct span){"", 0};
}

/** scan_string - the text of a string value without escapes; empty for any other value */
struct span scan_string(struct span value)
{
	if (value.length < 2 || *value.text != '"' || memchr(value.text, '\\', value.length))
		return (struct span){"", 0};
	return (struct span){value.text + 1, value.length - 2};
}

/** scan_number - whether a value is an integer of 64 bits, and which */
bool scan_number(struct span value, int64_t *number)
{
	bool negative = value.length && *value.text == '-';
	size_t at = negative;
	uint64_t sum = 0;

	if (value.length == at || value.length - at > 19 ||
	    (value.text[at] == '0' && value.length - at > 1))
		return false;
	for (; at < value.length; at++) {
		if (value.text[at] < '0' || value.text[at] > '9')
			return false;
		sum = sum * 10 + (uint64_t)(value.text[at] - '0');
	}
	if (sum > INT64_MAX)
		return false;
	*number = negative ? -(int64_t)sum : (int64_t)sum;
	return true;
}

static json_t *decode_by_jansson(struct span text)
{
	return json_loadb(text.text, text.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

static json_t *decode_string(struct scanner *scanner)
{
	struct span whole;
	bool plain;

	if (!skip_string(scanner, &whole, &plain))
		return NULL;
	return plain ? json_stringn_nocheck(whole.text + 1, whole.length - 2)
		     : decode_by_jansson(whole);
}

static json_t *decode_scalar(struct scanner *scanner)
{
	struct span text = {scanner->at, 0};
	int64_t number;

	if (!skip_scalar(scanner))
		return NULL;
	text.length = (size_t)(scanner->at - text.text);
	if (span_is(text, "true") || span_is(text, "false"))
		return json_boolean(*text.text == 't');
	return scan_number(text, &number) ? json_integer(number) : decode_by_jansson(text);
}

static json_t *decode_value(struct scanner *scanner, struct span own_key);

static json_t *decode_array(struct scanner *scanner, struct span own_key)
{
	__cleanup_json json_t *array = json_array();

	scanner->at++;
	if (take(scanner, ']'))
		return steal(array);
	do {
		json_t *value = decode_value(scanner, own_key);

		if (!value)
			return NULL;
		json_array_append_new(array, value);
	} while (take(scanner, ','));
	return take(scanner, ']') ? steal(array) : NULL;
}

static int add_member(struct scanner *scanner, json_t *object, struct span parent, bool *added)
{
	__cleanup_json json_t *unescaped = NULL;
	struct span key;
	json_t *value;
	bool plain;

	skip_space(scanner);
	if (scanner->at == scanner->end || *scanner->at != '"' ||
	    !skip_string(scanner, &key, &plain))
		return -1;
	key = (struct span){key.text + 1, key.length - 2};
	if (!plain) {
		unescaped = decode_by_jansson((struct span){key.text - 1, key.length + 2});
		key = (struct span){json_string_value(unescaped), json_string_length(unescaped)};
		if (!key.text || memchr(key.text, '\0', key.length))
			return -1;
	}
	if (!take(scanner, ':'))
		return -1;
	*added = !scanner->wanted || scanner->wanted(parent, key);
	if (!*added)
		return skip_value(scanner) ? 0 : -1;
	value = decode_value(scanner, key);
	return value ? json_object_setn_new_nocheck(object, key.text, key.length, value) : -1;
}

static json_t *decode_object(struct scanner *scanner, struct span own_key)
{
	__cleanup_json json_t *object = json_object();
	size_t members = 0;
	bool added;

	scanner->at++;
	if (take(scanner, '}'))
		return steal(object);
	do {
		if (add_member(scanner, object, own_key, &added))
			return NULL;
		members += added;
	} while (take(scanner, ','));
	/* A key that comes twice is in the object once. */
	return take(scanner, '}') && json_object_size(object) == members ? steal(object) : NULL;
}

static json_t *decode_value(struct scanner *scanner, struct span own_key)
{
	json_t *value = NULL;

	skip_space(scanner);
	if (scanner->at == scanner->end || scanner->depth == DEPTH_LIMIT)
		return NULL;
	scanner->depth++;
	switch (*scanner->at) {
	case '{':
		value = decode_object(scanner, own_key);
		break;
	case '[':
		value = decode_array(scanner, own_key);
		break;
	case '"':
		value = decode_string(scanner);
		break;
	default:
		value = decode_scalar(scanner);
	}
	scanner->depth--;
	return value;
}

/**
 * scan_decode - a JSON object as jansson has it
 * @text:   all of it, one object
 * @wanted: which members are decoded; NULL: all
 *
 * What jansson refuses (JSON_REJECT_DUPLICATES) is refused; of members that are not wanted only the end is found.
 *
 * Return: owned by the caller; NULL for a text that is no object.
 */
json_t *scan_decode(struct span text, scan_wanted_fn wanted)
{
	struct scanner scanner = {
		.at = text.text, .end = text.text + text.length, .wanted = wanted};
	__cleanup_json json_t *value = NULL;

	skip_space(&scanner);
	if (scanner.at == scanner.end || *scanner.at != '{')
		return NULL;
	value = decode_value(&scanner, (struct span){"", 0});
	skip_space(&scanner);
	return scanner.at == scanner.end ? steal(value) : NULL;
}
