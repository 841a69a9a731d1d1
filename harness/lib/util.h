/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_LIB_UTIL_H
#define BRINELL_LIB_UTIL_H

#include <dirent.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define BRINELL_VERSION "0.1.0"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define NSEC_PER_SEC 1000000000LL
#define NSEC_PER_MSEC 1000000LL

/* Exit codes of every subcommand: the contract of the command line (docs/command-line.md). */
enum brinell_exit {
	EXIT_PASSED = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_INCONCLUSIVE = 3,
	EXIT_INFRA = 4,
};

static inline void cleanup_free_pointer(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void cleanup_json_decref(json_t **json)
{
	json_decref(*json);
}

static inline void cleanup_close_directory(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

#define __cleanup_free __attribute__((cleanup(cleanup_free_pointer)))
#define __cleanup_close __attribute__((cleanup(cleanup_close_fd)))
#define __cleanup_file __attribute__((cleanup(cleanup_close_file)))
#define __cleanup_directory __attribute__((cleanup(cleanup_close_directory)))
#define __cleanup_json __attribute__((cleanup(cleanup_json_decref)))

/* Hands ownership of @pointer to the caller: the variable is emptied, so that its cleanup does nothing. */
#define steal(pointer)                                                                             \
	({                                                                                         \
		__typeof__(pointer) stolen_ = (pointer);                                           \
		(pointer) = NULL;                                                                  \
		stolen_;                                                                           \
	})

/**
 * struct reason - the text that goes with an error number
 * @text: what was tried, on what, why it failed, what to do; empty when nothing failed
 *
 * Functions that can fail for more than one reason take one and fill it before they return -errno.
 */
struct reason {
	char text[1024];
};

/*
 * Memory that runs out: small allocations (structures, names, texts) end the program with a message, because no caller can
 * continue without them, and a check in each caller is code that no test reaches. The functions below and jansson make
 * them and never return NULL for lack of memory. Only an allocation whose size comes from a file or a peer is checked, and
 * fails with -ENOMEM.
 */
void *xzalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xreallocarray(void *array, size_t count, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t length);

void make_terminal_raw(int fd);
char *mend_text(char *text);
bool is_utf8(const char *text);
bool escaped_byte(const char *text, unsigned char *byte);
bool text_among(const char *text, const char *const *list);
/* Whether a text is one of the others. */
#define is_one_of(text, ...) text_among(text, (const char *const[]){__VA_ARGS__, NULL})
int fail(struct reason *why, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int fail_errno(struct reason *why, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
char *format_utc(time_t seconds, const char *format) __attribute__((format(strftime, 2, 0)));
char *format_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
void append_text(char **text, const char *separator, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
char *format_text_list(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));
const char *error_name(int error);

int64_t now_realtime_ns(void);
int64_t now_monotonic_ns(void);

const char *system_path(char buffer[static 4096], const char *path);
void system_root_set(const char *root);

int read_small_file(const char *path, char **text, size_t *length);
int write_small_file(const char *path, const char *text);
/**
 * struct atomic_file - a file that replaces another as a whole
 * @out: is written
 */
struct atomic_file {
	FILE *out;
	char *temporary, *path;
	int folder;
};

int atomic_file_open(struct atomic_file *file, const char *directory, const char *name);
int atomic_file_close(struct atomic_file *file, int error);
int write_file_atomically(const char *directory, const char *name, const void *data, size_t length);
int write_json_atomically(const char *directory, const char *name, const json_t *json);
char *cache_directory(void);
int make_directories(const char *path);
int write_all(int fd, const void *data, size_t length);

uint32_t crc32c(uint32_t crc, const void *data, size_t length);

const char *json_text(const json_t *object, const char *key, const char *fallback);
int64_t json_number(const json_t *object, const char *key, int64_t fallback);
void json_add(json_t *object, const char *key, int64_t number);
bool json_is(const json_t *object, const char *key, const char *text);
bool json_has_text(const json_t *array, const char *text);

int logmsg(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) logmsg(3, __VA_ARGS__)
#define log_warning(...) logmsg(4, __VA_ARGS__)
#define log_info(...) logmsg(6, __VA_ARGS__)
#define log_debug(...) logmsg(7, __VA_ARGS__)
void log_level_set(int level);

#endif
