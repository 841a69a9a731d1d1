// SPDX-License-Identifier: GPL-2.0-only
/*
 * A YAML document with the place of each node, and settings that override values.
 *
 * This uses libyaml itself and not libcyaml: the keys of a scenario belong to injectors and workloads that are
 * only known at run time, while libcyaml needs one fixed schema in C, and every message must have the line and
 * column of the very value that is wrong, which libyaml's nodes keep and libcyaml's structures do not.
 *
 * Two passes. The events of the first one are checked for what the document API no longer shows or should never
 * see: anchors and aliases, tags, depth, the number of nodes. The second one loads the document.
 */
#include <errno.h>
#include <string.h>

#include "harness/lib/key.h"
#include "harness/scenario/document.h"

#define FILE_SIZE_MAX (1u << 20)
#define DEPTH_MAX 16
#define NODES_MAX 4096

/* Line and column, from 1, of a byte of a text; columns count characters as libyaml does. */
static void place_of(const char *text, size_t offset, unsigned int *line, unsigned int *column)
{
	*line = 1;
	*column = 1;
	for (size_t i = 0; i < offset; i++) {
		if (text[i] == '\n') {
			++*line;
			*column = 1;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			++*column;
		}
	}
}

static int fail_at_byte(const struct document *document, const char *text, size_t offset,
			const char *message)
{
	unsigned int line, column;

	place_of(text, offset, &line, &column);
	return fail(document->why, -EINVAL, "%s:%u:%u: %s", document->path, line, column, message);
}

static int fail_at_mark(const struct document *document, const yaml_mark_t *mark,
			const char *message)
{
	return fail(document->why, -EINVAL, "%s:%zu:%zu: %s", document->path, mark->line + 1,
		    mark->column + 1, message);
}

/* Length of the well-formed UTF-8 character at @text (Unicode 15, table 3-7), or 0. */
static size_t character_length(const unsigned char *text, size_t left)
{
	size_t length = text[0] < 0x80	 ? 1
			: text[0] < 0xc2 ? 0
			: text[0] < 0xe0 ? 2
			: text[0] < 0xf0 ? 3
			: text[0] < 0xf5 ? 4
					 : 0;

	if (length > left)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return length;
}

/*
 * libyaml would accept UTF-16 and byte order marks, and reports bad bytes without a line; so bytes are looked at here.
 */
static int check_bytes(const struct document *document, const char *text, size_t length)
{
	bool indentation = true;

	if (length > FILE_SIZE_MAX)
		return fail(document->why, -EFBIG,
			    "%s:1:1: %zu bytes are too many; a scenario has at most %u: is this "
			    "the right file?",
			    document->path, length, FILE_SIZE_MAX);
	if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		return fail_at_byte(document, text, 0,
				    "byte order mark; save the file as UTF-8 without it");
	for (size_t i = 0; i < length;) {
		unsigned char byte = (unsigned char)text[i];
		size_t step = character_length((const unsigned char *)text + i, length - i);

		if (byte == '\0')
			return fail_at_byte(document, text, i,
					    "NUL byte; a scenario is a text file in UTF-8");
		if (step == 0)
			return fail_at_byte(document, text, i,
					    "not UTF-8; save the file in this encoding");
		if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f)
			return fail_at_byte(document, text, i, "control character; remove it");
		if (byte == '\t' && indentation)
			return fail_at_byte(document, text, i,
					    "tab in the indentation; YAML indents with spaces");
		indentation = byte == '\n' || (indentation && byte == ' ');
		i += step;
	}
	return 0;
}

/* The parser's own message, with the place that it names. */
static int fail_in_parser(const struct document *document, const yaml_parser_t *parser,
			  const char *text, size_t length)
{
	__cleanup_free char *message =
		format_text("not YAML: %s%s%s; check indentation, colons, brackets and quotes",
			    parser->context ? parser->context : "", parser->context ? ": " : "",
			    parser->problem ? parser->problem : "no reason given");

	if (parser->error == YAML_MEMORY_ERROR)
		return fail(document->why, -ENOMEM, "%s: no memory to read it", document->path);
	if (parser->error == YAML_READER_ERROR)
		return fail_at_byte(
			document, text,
			parser->problem_offset < length ? parser->problem_offset : length, message);
	return fail_at_mark(document, &parser->problem_mark, message);
}

struct event_check {
	unsigned int documents;
	unsigned int depth;
	unsigned int nodes;
};

static int check_event(const struct document *document, struct event_check *check,
		       const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;
	bool node = true;

	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (check->documents++)
			return fail_at_mark(
				document, &event->start_mark,
				"a second document; one file holds one scenario: split it");
		return 0;
	case YAML_ALIAS_EVENT:
		return fail_at_mark(document, &event->start_mark,
				    "alias; scenarios have no anchors and aliases: write it out");
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
			return fail_at_mark(document, &event->start_mark,
					    "NUL in a text; remove the \\0");
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		check->depth++;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		check->depth++;
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		check->depth--;
		node = false;
		break;
	default:
		node = false;
	}
	if (anchor)
		return fail_at_mark(document, &event->start_mark,
				    "anchor; scenarios have no anchors and aliases: write it out");
	if (tag)
		return fail_at_mark(document, &event->start_mark,
				    "tag; scenarios have no YAML tags: remove it");
	if (check->depth > DEPTH_MAX)
		return fail_at_mark(document, &event->start_mark,
				    "nested too deep; no part of a scenario needs more than 16 "
				    "levels");
	if (node && ++check->nodes > NODES_MAX)
		return fail_at_mark(document, &event->start_mark,
				    "too many values; a scenario has at most 4096");
	return 0;
}

static int check_events(const struct document *document, const char *text, size_t length)
{
	struct event_check check = {0};
	yaml_parser_t parser;
	bool end = false;
	int error = 0;

	if (!yaml_parser_initialize(&parser))
		return fail(document->why, -ENOMEM, "%s: no memory to read it", document->path);
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
	while (!error && !end) {
		yaml_event_t event;

		if (!yaml_parser_parse(&parser, &event)) {
			error = fail_in_parser(document, &parser, text, length);
			break;
		}
		end = event.type == YAML_STREAM_END_EVENT;
		error = check_event(document, &check, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	if (!error && check.documents == 0)
		return fail(document->why, -EINVAL,
			    "%s:1:1: empty; a scenario needs at least scenario, title and steps",
			    document->path);
	return error;
}

static int load_nodes(struct document *document, const char *text, size_t length)
{
	yaml_parser_t parser;
	int error = 0;

	if (!yaml_parser_initialize(&parser))
		return fail(document->why, -ENOMEM, "%s: no memory to read it", document->path);
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
	if (yaml_parser_load(&parser, &document->yaml))
		document->loaded = true;
	else
		error = fail_in_parser(document, &parser, text, length);
	yaml_parser_delete(&parser);
	if (!error)
		document->file_nodes = (int)(document->yaml.nodes.top - document->yaml.nodes.start);
	return error;
}

static yaml_node_t *node_at(const struct document *document, int node)
{
	return yaml_document_get_node((yaml_document_t *)&document->yaml, node);
}

/* Return: a new scalar with the setting that it came from; 0 without memory. */
static int add_setting_node(struct document *document, const char *text, const char *origin)
{
	if (json_array_append_new(document->origins, json_string(origin)))
		return 0;
	return yaml_document_add_scalar(&document->yaml, NULL, (const yaml_char_t *)text,
					(int)strlen(text), YAML_SINGLE_QUOTED_SCALAR_STYLE);
}

/* Puts a value into a mapping or in the place of an item of a sequence. */
static int put(struct document *document, int container, const char *key, const char *value,
	       const char *origin)
{
	int node = add_setting_node(document, value, origin);
	yaml_node_t *parent = node_at(document, container);

	if (!node)
		return -ENOMEM;
	if (parent->type == YAML_SEQUENCE_NODE) {
		parent->data.sequence.items.start[strtoul(key, NULL, 10)] = node;
		return 0;
	}
	for (size_t i = 0; i < document_count(document, container); i++) {
		yaml_node_pair_t *pair = &parent->data.mapping.pairs.start[i];
		const char *name = document_scalar(document, pair->key);

		if (name && strcmp(name, key) == 0) {
			pair->value = node;
			return 0;
		}
	}
	int key_node = add_setting_node(document, key, origin);

	if (!key_node ||
	    !yaml_document_append_mapping_pair(&document->yaml, container, key_node, node))
		return -ENOMEM;
	return 0;
}

static int no_such_part(const struct document *document, int container, const char *part,
			const char *origin)
{
	__cleanup_json json_t *known = json_array();
	__cleanup_free char *names = NULL;
	const char *near;

	if (document_is_sequence(document, container))
		return fail(document->why, -EINVAL,
			    "%s: setting '%s': there is no '%s' in a list of %zu; count from 0",
			    document->path, origin, part, document_count(document, container));
	for (size_t i = 0; i < document_count(document, container); i++) {
		const char *key = document_scalar(document, document_key(document, container, i));

		if (key)
			json_array_append_new(known, json_string(key));
	}
	names = join_names(known);
	near = nearest_name(part, known);
	return fail(document->why, -EINVAL,
		    "%s: setting '%s': the scenario has no '%s'%s%s%s; there is: %s",
		    document->path, origin, part, near ? "; did you mean '" : "", near ?: "",
		    near ? "'?" : "", names);
}

/* The part of a container that a piece of a dotted key names, or 0. */
static int part_of(const struct document *document, int container, const char *part)
{
	char *end;

	if (!document_is_sequence(document, container))
		return document_find(document, container, part);
	unsigned long index = strtoul(part, &end, 10);

	if (*part < '0' || *part > '9' || *end || index >= document_count(document, container))
		return 0;
	return document_item(document, container, index);
}

/* Whether the rest of a dotted key goes on with the one key of a step ("inject.type") and not behind it ("type"). */
static bool names_its_key(const struct document *document, int step, const char *rest)
{
	size_t length = strcspn(rest, ".");
	const char *key;

	if (!document_is_mapping(document, step) || document_count(document, step) != 1)
		return true;
	key = document_scalar(document, document_key(document, step, 0));
	return !key || (strlen(key) == length && strncmp(key, rest, length) == 0);
}

/* Every scenario has an emulated host, even if it does not mention one. */
static int add_rig(struct document *document, int root, const char *origin)
{
	int key = add_setting_node(document, "rig", origin);
	int rig = yaml_document_add_mapping(&document->yaml, NULL, YAML_FLOW_MAPPING_STYLE);

	if (!key || !rig || json_array_append_new(document->origins, json_string(origin)) ||
	    !yaml_document_append_mapping_pair(&document->yaml, root, key, rig))
		return 0;
	return rig;
}

/*
 * Finds what a dotted key names and replaces it. `victim.page` means `workloads.victim.page`, and a step is looked
 * through its kind: `steps.1.type` is the type of `- inject: {type: ...}`.
 */
static int apply_setting(struct document *document, const char *key, const char *value)
{
	__cleanup_free char *origin = format_text("%s=%s", key, value);
	__cleanup_free char *copy = xstrdup(key);
	int container = yaml_document_get_root_node(&document->yaml) ? 1 : 0;
	char *part = copy, *rest;

	if (!document_is_mapping(document, container))
		return 0; /* the check of the file reports it */
	for (bool first = true; (rest = strchr(part, '.')); first = false, part = rest + 1) {
		int next;

		*rest = '\0';
		next = part_of(document, container, part);
		if (!next && first) {
			int workloads = document_find(document, container, "workloads");

			next = document_find(document, workloads, part);
		}
		if (!next && first && strcmp(part, "rig") == 0)
			next = add_rig(document, container, origin);
		if (!next)
			return no_such_part(document, container, part, origin);
		if (document_is_sequence(document, container) &&
		    !names_its_key(document, next, rest + 1))
			next = document_value(document, next, 0);
		container = next;
		if (!document_is_mapping(document, container) &&
		    !document_is_sequence(document, container))
			return fail(document->why, -EINVAL,
				    "%s: setting '%s': '%s' is one value and has no parts",
				    document->path, origin, part);
	}
	if (*part == '\0' ||
	    (document_is_sequence(document, container) && !part_of(document, container, part)))
		return no_such_part(document, container, part, origin);
	return put(document, container, part, value, origin);
}

/**
 * document_load - read a YAML text and lay settings over it
 * @document: to fill; to be given to document_free() in any case
 * @path:     for messages; borrowed
 * @text:     the file
 * @length:   its bytes
 * @settings: object of dotted key -> text, or NULL
 * @why:      receives what is wrong, as PATH:LINE:COLUMN: message; borrowed
 *
 * Return: 0, -EINVAL, -EFBIG or -ENOMEM.
 */
int document_load(struct document *document, const char *path, const char *text, size_t length,
		  const json_t *settings, struct reason *why)
{
	const char *key;
	json_t *value;
	int error;

	*document = (struct document){.path = path, .why = why, .origins = json_array()};
	error = check_bytes(document, text, length)
		?: check_events(document, text, length)
		?: load_nodes(document, text, length);
	if (error)
		return error;
	json_object_foreach ((json_t *)settings, key, value) {
		if (!json_is_string(value))
			return fail(why, -EINVAL, "%s: setting '%s' must be a text", path, key);
		error = apply_setting(document, key, json_string_value(value));
		if (error)
			return error;
	}
	return 0;
}

/** document_free - let go of a document, also of one that failed to load */
void document_free(struct document *document)
{
	if (document->loaded)
		yaml_document_delete(&document->yaml);
	json_decref(document->origins);
	*document = (struct document){0};
}

/** document_is_setting - whether a node came from a setting and not from the file */
bool document_is_setting(const struct document *document, int node)
{
	return node > document->file_nodes;
}

/** document_line - line of a node in its file, from 1; 0 for a setting */
unsigned int document_line(const struct document *document, int node)
{
	return document_is_setting(document, node)
		       ? 0
		       : (unsigned int)node_at(document, node)->start_mark.line + 1;
}

/**
 * document_fail - report an error of a node, with its position
 * @document: with the reason to fill
 * @node:     the culprit
 * @error:    negative errno
 * @format:   message; what to do
 *
 * Return: @error.
 */
int document_fail(const struct document *document, int node, int error, const char *format, ...)
{
	__cleanup_free char *message = NULL;
	va_list arguments;

	va_start(arguments, format);
	message = format_text_list(format, arguments);
	va_end(arguments);
	if (document_is_setting(document, node))
		return fail(document->why, error, "%s: setting '%s': %s", document->path,
			    json_string_value(json_array_get(
				    document->origins, (size_t)(node - document->file_nodes - 1))),
			    message);
	yaml_mark_t mark = node_at(document, node)->start_mark;

	return fail(document->why, error, "%s:%zu:%zu: %s", document->path, mark.line + 1,
		    mark.column + 1, message);
}

/** document_is_mapping - whether a node is a mapping; false for no node */
bool document_is_mapping(const struct document *document, int node)
{
	return node && node_at(document, node)->type == YAML_MAPPING_NODE;
}

/** document_is_sequence - whether a node is a list; false for no node */
bool document_is_sequence(const struct document *document, int node)
{
	return node && node_at(document, node)->type == YAML_SEQUENCE_NODE;
}

/** document_scalar - text of a scalar node, borrowed; NULL for any other */
const char *document_scalar(const struct document *document, int node)
{
	yaml_node_t *found = node ? node_at(document, node) : NULL;

	return found && found->type == YAML_SCALAR_NODE ? (const char *)found->data.scalar.value
							: NULL;
}

/**
 * document_text - text of a node that must be one non-empty value
 * @document: borrowed
 * @node:     must be a scalar
 * @what:     its name for the message
 * @text:     receives the text; borrowed
 *
 * Return: 0 or -EINVAL.
 */
int document_text(const struct document *document, int node, const char *what, const char **text)
{
	*text = document_scalar(document, node);
	if (!*text)
		return document_fail(document, node, -EINVAL,
				     "'%s' must be one value and is a %s; write %s: VALUE", what,
				     document_is_mapping(document, node) ? "mapping" : "list",
				     what);
	if (**text == '\0')
		return document_fail(document, node, -EINVAL,
				     "'%s' is empty; give it a value or remove it", what);
	return 0;
}

/** document_count - number of items of a list or of keys of a mapping; 0 for anything else */
size_t document_count(const struct document *document, int node)
{
	yaml_node_t *found = node ? node_at(document, node) : NULL;

	if (found && found->type == YAML_SEQUENCE_NODE)
		return (size_t)(found->data.sequence.items.top - found->data.sequence.items.start);
	if (found && found->type == YAML_MAPPING_NODE)
		return (size_t)(found->data.mapping.pairs.top - found->data.mapping.pairs.start);
	return 0;
}

/** document_item - node of an item of a list */
int document_item(const struct document *document, int sequence, size_t index)
{
	return node_at(document, sequence)->data.sequence.items.start[index];
}

/** document_key - node of a key of a mapping */
int document_key(const struct document *document, int mapping, size_t index)
{
	return node_at(document, mapping)->data.mapping.pairs.start[index].key;
}

/** document_value - node of a value of a mapping */
int document_value(const struct document *document, int mapping, size_t index)
{
	return node_at(document, mapping)->data.mapping.pairs.start[index].value;
}

/* Index of the first pair of a mapping that has this key; the number of pairs when none has. */
static size_t index_of_key(const struct document *document, int mapping, const char *key)
{
	size_t count = document_count(document, mapping);

	for (size_t i = 0; i < count; i++) {
		const char *name = document_scalar(document, document_key(document, mapping, i));

		if (name && strcmp(name, key) == 0)
			return i;
	}
	return count;
}

/** document_find - node of the value of a key, or 0 when it is not there (or @mapping is no mapping) */
int document_find(const struct document *document, int mapping, const char *key)
{
	size_t index;

	if (!document_is_mapping(document, mapping))
		return 0;
	index = index_of_key(document, mapping, key);
	return index < document_count(document, mapping) ? document_value(document, mapping, index)
							 : 0;
}

/**
 * document_unknown - fail with an unknown name, the nearest known one, and the list
 * @document: borrowed
 * @node:     the culprit
 * @what:     "key", "injector", ...
 * @name:     as it was written
 * @known:    array of texts
 *
 * Return: -EINVAL.
 */
int document_unknown(const struct document *document, int node, const char *what, const char *name,
		     const json_t *known)
{
	__cleanup_free char *names = join_names(known);
	const char *near = nearest_name(name, known);

	return document_fail(document, node, -EINVAL, "unknown %s '%s'; %s%s%sknown: %s", what,
			     name, near ? "did you mean '" : "", near ?: "", near ? "'? " : "",
			     names);
}

static bool is_key(const char *const *known, const struct param *table, const char *text)
{
	return (known && text_among(text, known)) || param_find(table, text);
}

static int unknown_key(const struct document *document, int key, const char *text,
		       const char *const *known, const struct param *table)
{
	__cleanup_free char *spelling = key_hyphenated(text);
	__cleanup_json json_t *names = json_array();

	if (spelling && is_key(known, table, spelling))
		return document_fail(document, key, -EINVAL,
				     "key '%s' is now spelled '%s'; rename it", text, spelling);
	for (const char *const *name = known; name && *name; name++)
		json_array_append_new(names, json_string(*name));
	for (; table && table->name; table++)
		if (!is_key(known, NULL, table->name))
			json_array_append_new(names, json_string(table->name));
	return document_unknown(document, key, "key", text, names);
}

/**
 * document_check_keys - check that a mapping has only known keys, each once
 * @document: borrowed
 * @mapping:  node; must be a mapping
 * @what:     its name for messages
 * @known:    NULL-terminated; may be NULL
 * @table:    its names are known too; may be NULL. If both are NULL, any name is valid
 *
 * Return: 0 or -EINVAL.
 */
int document_check_keys(const struct document *document, int mapping, const char *what,
			const char *const *known, const struct param *table)
{
	bool any = !known && !table;

	if (!document_is_mapping(document, mapping))
		return document_fail(document, mapping, -EINVAL,
				     "'%s' must be a mapping of KEY: VALUE", what);
	for (size_t i = 0; i < document_count(document, mapping); i++) {
		int key = document_key(document, mapping, i);
		const char *text = document_scalar(document, key);

		if (!text)
			return document_fail(document, key, -EINVAL, "a key of '%s' must be a word",
					     what);
		if (!any && !is_key(known, table, text))
			return unknown_key(document, key, text, known, table);
		size_t first = index_of_key(document, mapping, text);

		if (first != i)
			return document_fail(
				document, key, -EINVAL,
				"duplicate key '%s', first on line %u; remove one of them", text,
				document_line(document, document_key(document, mapping, first)));
	}
	return 0;
}
