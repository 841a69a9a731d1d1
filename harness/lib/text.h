/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_LIB_TEXT_H
#define BRINELL_LIB_TEXT_H

#include "harness/lib/util.h"

size_t text_control(const char *text);
size_t text_plain(const char *text, const char *special);
void text_xml(FILE *out, const char *text);
void text_xml_format(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void append_shell_word(char **text, const char *word);
int next_shell_word(char **rest, char **word);

#endif
