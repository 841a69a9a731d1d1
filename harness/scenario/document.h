/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_SCENARIO_DOCUMENT_H
#define BRINELL_SCENARIO_DOCUMENT_H

#include <yaml.h>

#include "harness/lib/param.h"

/**
 * struct document - a YAML file, its overriding settings, and where each part of it stands
 * @path:       as in messages
 * @yaml:       nodes are named by their number from 1; 0 is no node
 * @loaded:     @yaml must be freed
 * @file_nodes: nodes up to this number came from the file, those above it from settings
 * @origins:    array of "KEY=VALUE": the setting of node @file_nodes + 1 + index
 * @why:        receives messages
 */
struct document {
	const char *path;
	yaml_document_t yaml;
	bool loaded;
	int file_nodes;
	json_t *origins;
	struct reason *why;
};

int document_load(struct document *document, const char *path, const char *text, size_t length,
		  const json_t *settings, struct reason *why);
void document_free(struct document *document);

int document_fail(const struct document *document, int node, int error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
unsigned int document_line(const struct document *document, int node);
bool document_is_setting(const struct document *document, int node);

bool document_is_mapping(const struct document *document, int node);
bool document_is_sequence(const struct document *document, int node);
const char *document_scalar(const struct document *document, int node);
int document_text(const struct document *document, int node, const char *what, const char **text);

size_t document_count(const struct document *document, int node);
int document_item(const struct document *document, int sequence, size_t index);
int document_key(const struct document *document, int mapping, size_t index);
int document_value(const struct document *document, int mapping, size_t index);
int document_find(const struct document *document, int mapping, const char *key);
int document_check_keys(const struct document *document, int mapping, const char *what,
			const char *const *known, const struct param *table);
int document_unknown(const struct document *document, int node, const char *what, const char *name,
		     const json_t *known);

const char *nearest_name(const char *name, const json_t *known);
char *join_names(const json_t *names);

#endif
