/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_LIB_REGISTRY_H
#define BRINELL_LIB_REGISTRY_H

#include <string.h>

/*
 * Injectors, workloads, witnesses, reports, benches and subcommands register themselves: each file ends in its
 * REGISTERED(kind, object) = {...}, which defines a static const struct, and puts a pointer to it into a section of its
 * kind. Adding one is adding a file; no central table grows.
 */
#define REGISTER(kind, object)                                                                     \
	static const struct kind *const registered_##object                                        \
		__attribute__((used, retain, section("brinell_" #kind))) = &(object)
#define REGISTERED(kind, object)                                                                   \
	static const struct kind object;                                                           \
	REGISTER(kind, object);                                                                    \
	static const struct kind object

#define REGISTRY(kind)                                                                             \
	extern const struct kind *const __start_brinell_##kind[] __attribute__((weak));            \
	extern const struct kind *const __stop_brinell_##kind[] __attribute__((weak));             \
	static inline size_t kind##_count(void)                                                    \
	{                                                                                          \
		return (size_t)(__stop_brinell_##kind - __start_brinell_##kind);                   \
	}                                                                                          \
	static inline const struct kind *kind##_at(size_t index)                                   \
	{                                                                                          \
		return __start_brinell_##kind[index];                                              \
	}                                                                                          \
	static inline const struct kind *kind##_find(const char *name)                             \
	{                                                                                          \
		for (size_t i = 0; i < kind##_count(); i++)                                        \
			if (strcmp(kind##_at(i)->name, name) == 0)                                 \
				return kind##_at(i);                                               \
		return NULL;                                                                       \
	}

/**
 * struct command - one subcommand of brinell
 * @name:    the word on the command line
 * @summary: one line for `brinell --help`
 * @usage:   the whole help text of the subcommand, options included
 * @run:     argv[0] is the subcommand's name; returns an enum brinell_exit
 */
struct command {
	const char *name;
	const char *summary;
	const char *usage;
	int (*run)(int argc, char **argv);
};

REGISTRY(command)

#endif
