/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_REPORTS_HTML_H
#define BRINELL_REPORTS_HTML_H

#include "reports/course.h"

/* Inner header of the HTML report's files. */

const json_t *html_find(const json_t *records, const char *type);
const char *html_class(const char *verdict);
void html_verdict(FILE *out, const json_t *result);
void html_cell_add(json_t *cells, const json_t *result, const json_t *records, size_t number);
void html_matrices(FILE *out, const json_t *cells);
void html_fact(FILE *out, const char *name, const char *value);
void html_course(FILE *out, const struct course *course);
void cost_write(FILE *out, const struct course *course);
void html_storm(FILE *out, const struct course *course);
void html_trial(FILE *out, const json_t *result, const json_t *records, const json_t *run,
		size_t number, bool open);

#endif
