/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_LIB_ELF_H
#define BRINELL_LIB_ELF_H

#include "harness/lib/util.h"

/**
 * struct elf_links - direct dependencies of a program or a library; freed by elf_links_release()
 * @program:     it is an x86-64 program or library at all
 * @interpreter: path of the dynamic loader that starts it, or NULL
 * @search:      directories, separated by ':', in which its libraries are looked for first, or NULL
 * @needed:      array of names such as "libc.so.6"
 */
struct elf_links {
	bool program;
	char *interpreter;
	char *search;
	json_t *needed;
};

int elf_links_read(struct elf_links *links, const char *path, struct reason *why);
void elf_links_release(struct elf_links *links);

/* A function of a program, by its place in the file; @size is 0 when the file does not have it. */
typedef void (*elf_function_fn)(void *context, uint64_t offset, uint64_t size, const char *name);

int elf_functions_read(const char *path, elf_function_fn take, void *context);

#endif
