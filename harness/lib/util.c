// SPDX-License-Identifier: GPL-2.0-only
/*
 * Small things that every room needs: errors with reasons, clocks, files, checksums, messages.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>

#include "harness/lib/text.h"
#include "harness/lib/util.h"

/* Length of the UTF-8 character at @at (RFC 3629: no overlong forms, no surrogates), or 0 when there is none. */
static size_t character_length(const unsigned char *at)
{
	static const struct {
		unsigned char first, last, least, most;
		size_t length;
	} forms[] = {
		{0x01, 0x7f, 0, 0, 1},	     {0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		size_t have = 1;

		if (*at < forms[i].first || *at > forms[i].last)
			continue;
		if (forms[i].length > 1 && (at[1] < forms[i].least || at[1] > forms[i].most))
			return 0;
		while (have < forms[i].length && (at[have] & 0xc0) == 0x80)
			have++;
		return have == forms[i].length ? have : 0;
	}
	return 0;
}

/**
 * mend_text - replace every byte that is not UTF-8 by '?'
 * @text: of a kernel, a program or a buffer that was too short; changed in place
 *
 * JSON carries only Unicode: jansson answers anything else with NULL, and an event would be lost in silence.
 *
 * Return: @text.
 */
char *mend_text(char *text)
{
	unsigned char *at = (unsigned char *)text;

	while (*at) {
		size_t length = character_length(at);

		if (!length)
			*at = '?';
		at += length ?: 1;
	}
	return text;
}

static int hex_digit(char digit)
{
	return digit >= '0' && digit <= '9'   ? digit - '0'
	       : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
					      : -1;
}

/**
 * escaped_byte - read a byte that is written as "\x0a", as the kernel does in /dev/kmsg
 * @byte: receives it
 *
 * Return: whether @text begins with four such characters; a NUL is none.
 */
bool escaped_byte(const char *text, unsigned char *byte)
{
	int high = text[0] == '\\' && text[1] == 'x' ? hex_digit(text[2]) : -1;
	int low = high < 0 ? -1 : hex_digit(text[3]);

	if (low < 0 || high + low == 0)
		return false;
	*byte = (unsigned char)(16 * high + low);
	return true;
}

/** is_utf8 - whether a text can go into JSON, which carries only Unicode */
bool is_utf8(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t length = 1;

	for (; *at && length; at += length)
		length = character_length(at);
	return length;
}

/** text_among - whether a text is one of a list that ends in NULL */
bool text_among(const char *text, const char *const *list)
{
	while (*list && strcmp(text, *list) != 0)
		list++;
	return *list;
}

/** make_terminal_raw - have the bytes of a terminal go as they are; does nothing with another kind of file */
void make_terminal_raw(int fd)
{
	struct termios raw;

	if (tcgetattr(fd, &raw))
		return;
	cfmakeraw(&raw);
	(void)tcsetattr(fd, TCSANOW, &raw);
}

/**
 * fail - fill a reason and hand the error on
 * @why:    filled with the formatted text; may be NULL
 * @error:  negative errno
 * @format: what was tried, on what, why it failed, what to do
 *
 * Return: @error, so that callers can write `return fail(why, -EINVAL, ...)`.
 */
int fail(struct reason *why, int error, const char *format, ...)
{
	va_list arguments;

	if (!why)
		return error;
	va_start(arguments, format);
	vsnprintf(why->text, sizeof(why->text), format, arguments);
	va_end(arguments);
	mend_text(why->text);
	return error;
}

/** fail_errno - fail(), with ": " and the meaning of the error behind the text */
int fail_errno(struct reason *why, int error, const char *format, ...)
{
	__cleanup_free char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = format_text_list(format, arguments);
	va_end(arguments);
	return fail(why, error, "%s: %s", text, strerror(-error));
}

static void *have_memory(void *memory)
{
	if (!memory) {
		log_error("out of memory");
		abort();
	}
	return memory;
}

/** xzalloc - memory of zeroes, owned by the caller; never NULL */
void *xzalloc(size_t size)
{
	return have_memory(calloc(1, size));
}

/** xcalloc - an array of zeroes, owned by the caller; never NULL, also of no elements */
void *xcalloc(size_t count, size_t size)
{
	return have_memory(calloc(count ?: 1, size));
}

/** xreallocarray - @array with room for @count elements; never NULL */
void *xreallocarray(void *array, size_t count, size_t size)
{
	return have_memory(reallocarray(array, count, size));
}

/** xstrdup - a copy, owned by the caller; never NULL */
char *xstrdup(const char *text)
{
	return have_memory(strdup(text));
}

/** xstrndup - a copy of @length bytes at most, owned by the caller; never NULL */
char *xstrndup(const char *text, size_t length)
{
	return have_memory(strndup(text, length));
}

static void *json_memory(size_t size)
{
	return have_memory(malloc(size));
}

__attribute__((constructor)) static void set_json_memory(void)
{
	json_set_alloc_funcs(json_memory, free);
}

/** format_text_list - vprintf into memory of its own. Return: the text, owned by the caller; never NULL */
char *format_text_list(const char *format, va_list arguments)
{
	char *text;

	return have_memory(vasprintf(&text, format, arguments) < 0 ? NULL : text);
}

/** format_text - printf into memory of its own. Return: the text, owned by the caller; never NULL */
char *format_text(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = format_text_list(format, arguments);
	va_end(arguments);
	return text;
}

/**
 * format_utc - a time in UTC
 * @seconds: since 1970
 * @format:  of strftime(3)
 *
 * Return: owned by the caller; empty for a time that has no date.
 */
char *format_utc(time_t seconds, const char *format)
{
	char text[64] = "";
	struct tm date;

	if (gmtime_r(&seconds, &date) && !strftime(text, sizeof(text), format, &date))
		*text = '\0';
	return xstrdup(text);
}

/**
 * append_text - printf to the end of a text
 * @text:      owned by the caller; NULL is empty
 * @separator: put between, unless @text is empty
 */
void append_text(char **text, const char *separator, const char *format, ...)
{
	__cleanup_free char *before = *text;
	__cleanup_free char *more = NULL;
	va_list arguments;

	va_start(arguments, format);
	more = format_text_list(format, arguments);
	va_end(arguments);
	*text = format_text("%s%s%s", before ?: "", before && *before ? separator : "", more);
}

/**
 * error_name - the symbol of an error number
 * @error: errno, of either sign
 *
 * Return: "EBUSY" and the like; static.
 */
const char *error_name(int error)
{
	const char *name = strerrorname_np(error < 0 ? -error : error);

	return name ?: "unknown error";
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

/** now_realtime_ns - CLOCK_REALTIME in nanoseconds: the time of journal records */
int64_t now_realtime_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

/** now_monotonic_ns - CLOCK_MONOTONIC in nanoseconds: for deadlines and durations */
int64_t now_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static char system_root[2048] = "";

/**
 * system_root_set - let all system_path() calls look below another directory
 * @root: directory, or "" for the machine itself
 *
 * Tests run the machine side of brinell against a fake /sys, /proc and /dev.
 */
void system_root_set(const char *root)
{
	snprintf(system_root, sizeof(system_root), "%s", root);
}

/**
 * system_path - where a file of the kernel's interface is
 * @buffer: receives the path
 * @path:   absolute, such as "/proc/interrupts"
 *
 * Return: @buffer.
 */
const char *system_path(char buffer[static 4096], const char *path)
{
	snprintf(buffer, 4096, "%s%s", system_root, path);
	return buffer;
}

/**
 * read_small_file - read a whole file, also one of /proc or /sys whose size is not known before
 * @path:   file
 * @text:   receives the content with a NUL behind it; owned by the caller
 * @length: receives its length in bytes; may be NULL
 *
 * Return: 0, or -errno; -EFBIG beyond 256 MiB.
 */
int read_small_file(const char *path, char **text, size_t *length)
{
	/* The open of a FIFO waits for its writer; without one it reads as an empty file. */
	__cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	__cleanup_free char *data = NULL;
	size_t used = 0, size = 0;

	if (fd < 0)
		return -errno;
	fcntl(fd, F_SETFL, 0);
	for (;;) {
		ssize_t got;

		if (size - used < 2) {
			char *larger;

			size = size ? size * 2 : 4096;
			if (size > 256u << 20)
				return -EFBIG;
			larger = realloc(data, size);
			if (!larger)
				return -ENOMEM;
			data = larger;
		}
		got = read(fd, data + used, size - used - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	data[used] = '\0';
	if (length)
		*length = used;
	*text = steal(data);
	return 0;
}

/**
 * write_all - write every byte, across short writes and signals
 *
 * Return: 0 or -errno.
 */
int write_all(int fd, const void *data, size_t length)
{
	const char *bytes = data;

	while (length) {
		ssize_t put = write(fd, bytes, length);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		bytes += put;
		length -= (size_t)put;
	}
	return 0;
}

/**
 * write_small_file - one write(2) of a text to an existing file, as kernel interfaces need
 *
 * Return: 0 or -errno of the kernel interface.
 */
int write_small_file(const char *path, const char *text)
{
	__cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t put;

	if (fd < 0)
		return -errno;
	put = write(fd, text, strlen(text));
	if (put < 0)
		return -errno;
	return (size_t)put == strlen(text) ? 0 : -EIO;
}

/**
 * atomic_file_open - begin a file that replaces another as a whole, or not at all
 * @file:      to be filled; atomic_file_close() ends it
 * @directory: in which it is
 * @name:      of the file
 *
 * Return: 0 or -errno.
 */
int atomic_file_open(struct atomic_file *file, const char *directory, const char *name)
{
	int fd, error;

	*file = (struct atomic_file){
		.temporary = format_text("%s/.%s.XXXXXX", directory, name),
		.path = format_text("%s/%s", directory, name),
		.folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	};
	fd = file->folder < 0 ? -1 : mkostemp(file->temporary, O_CLOEXEC);
	file->out = fd < 0 ? NULL : fdopen(fd, "w");
	if (file->out)
		return 0;
	error = -errno;
	if (fd >= 0)
		close(fd);
	(void)atomic_file_close(file, error);
	return error;
}

/**
 * atomic_file_close - put the file in its place, or give it up
 * @file:  of atomic_file_open()
 * @error: not 0: give it up
 *
 * The file is on the disk before it gets its name.
 *
 * Return: @error, or -errno.
 */
int atomic_file_close(struct atomic_file *file, int error)
{
	if (file->out) {
		int fd = fileno(file->out);

		if (!error && (fflush(file->out) != 0 || ferror(file->out) ||
			       fchmod(fd, 0644) < 0 || fsync(fd) < 0))
			error = errno ? -errno : -EIO;
		if (fclose(file->out) != 0 && !error)
			error = -errno;
		if (!error && rename(file->temporary, file->path) < 0)
			error = -errno;
		if (error)
			unlink(file->temporary);
	}
	if (file->folder >= 0) {
		if (!error && fsync(file->folder) < 0)
			error = -errno;
		close(file->folder);
	}
	free(file->temporary);
	free(file->path);
	*file = (struct atomic_file){.folder = -1};
	return error;
}

/**
 * write_file_atomically - replace a file so that a crash leaves the old content or the new, never a part
 * @directory: that holds the file
 * @name:      of the file in it
 * @data:      new content
 * @length:    in bytes
 *
 * Return: 0 or -errno; on an error the old file is untouched.
 */
int write_file_atomically(const char *directory, const char *name, const void *data, size_t length)
{
	struct atomic_file file;
	int error = atomic_file_open(&file, directory, name);

	if (error)
		return error;
	return atomic_file_close(&file, write_all(fileno(file.out), data, length));
}

/** write_json_atomically - write_file_atomically() of a JSON value */
int write_json_atomically(const char *directory, const char *name, const json_t *json)
{
	__cleanup_free char *text = json_dumps(json, JSON_INDENT(1) | JSON_SORT_KEYS);

	return text ? write_file_atomically(directory, name, text, strlen(text)) : -EINVAL;
}

/**
 * cache_directory - ${XDG_CACHE_HOME:-~/.cache}/brinell, which need not exist
 *
 * By the specification of XDG base directories, a relative path is ignored. Return: owned by the caller; NULL: none.
 */
char *cache_directory(void)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (base && *base == '/')
		return format_text("%s/brinell", base);
	return home && *home == '/' ? format_text("%s/.cache/brinell", home) : NULL;
}

/**
 * make_directories - mkdir -p
 *
 * Return: 0 when the directory is there, or -errno.
 */
int make_directories(const char *path)
{
	__cleanup_free char *copy = xstrdup(path);
	struct stat status;

	for (char *slash = copy + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	if (mkdir(copy, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (stat(copy, &status) < 0)
		return -errno;
	return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
}

static uint32_t crc32c_table[256];

__attribute__((constructor)) static void crc32c_fill_table(void)
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t crc = byte;

		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
		crc32c_table[byte] = crc;
	}
}

#ifdef __x86_64__
/* The instruction is this very checksum; the disks of rig hosts are checked at each start. */
__attribute__((target("sse4.2"))) static uint32_t crc32c_words(uint32_t crc,
							       const unsigned char **bytes,
							       size_t *length)
{
	uint64_t state = crc;

	for (; *length >= sizeof(uint64_t); *length -= sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, *bytes, sizeof(word));
		state = __builtin_ia32_crc32di(state, word);
		*bytes += sizeof(word);
	}
	return (uint32_t)state;
}
#endif

/**
 * crc32c - CRC-32C (Castagnoli, RFC 3720 appendix B.4)
 * @crc:    0 to begin, or the value so far
 * @data:   bytes
 * @length: their number
 *
 * Return: the checksum of all bytes so far.
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t length)
{
	const unsigned char *bytes = data;

	crc = ~crc;
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		crc = crc32c_words(crc, &bytes, &length);
#endif
	while (length--)
		crc = crc >> 8 ^ crc32c_table[(crc ^ *bytes++) & 0xff];
	return ~crc;
}

/** json_text - a text of an object, or @fallback when it is missing or no text; borrowed */
const char *json_text(const json_t *object, const char *key, const char *fallback)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ?: fallback;
}

/** json_is - whether a key of an object has that text */
bool json_is(const json_t *object, const char *key, const char *text)
{
	return strcmp(json_text(object, key, ""), text) == 0;
}

/** json_has_text - whether an array has that text among its items */
bool json_has_text(const json_t *array, const char *text)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *item = json_array_get(array, i);

		if (json_is_string(item) && strcmp(json_string_value(item), text) == 0)
			return true;
	}
	return false;
}

/** json_number - an integer of an object (a JSON integer, or a text such as "0x1f"), or @fallback */
int64_t json_number(const json_t *object, const char *key, int64_t fallback)
{
	const json_t *value = json_object_get(object, key);
	const char *text = json_string_value(value);
	char *end;

	if (json_is_integer(value))
		return json_integer_value(value);
	if (json_is_real(value)) {
		double real = json_real_value(value);

		return real >= -0x1p63 && real < 0x1p63 ? (int64_t)real : fallback;
	}
	if (!text || !*text)
		return fallback;
	errno = 0;
	uint64_t number = strtoull(text, &end, 0);

	return errno || *end ? fallback : (int64_t)number;
}

/** json_add - add to an integer of an object, which is 0 if it is not there */
void json_add(json_t *object, const char *key, int64_t number)
{
	json_object_set_new(object, key, json_integer(json_number(object, key, 0) + number));
}

static atomic_int log_level = 6;

/** log_level_set - the least important syslog level that is still printed (6: information, 7: debug) */
void log_level_set(int level)
{
	log_level = level;
}

/* Messages quote agents, libvirt and files: a space stands for each control character but line ends. */
static void blank_controls(char *text)
{
	for (size_t control; *text; text += control ?: 1) {
		control = *text == '\n' ? 0 : text_control(text);
		memset(text, ' ', control);
	}
}

/**
 * logmsg - a message to standard error, one write a line
 * @level: of syslog
 *
 * Return: 0.
 */
int logmsg(int level, const char *format, ...)
{
	__cleanup_free char *text = NULL;
	__cleanup_free char *line = NULL;
	va_list arguments;

	if (level > log_level)
		return 0;
	va_start(arguments, format);
	text = format_text_list(format, arguments);
	va_end(arguments);
	blank_controls(text);
	line = format_text("brinell: %s%s\n",
			   level <= 3	? "error: "
			   : level == 4 ? "warning: "
					: "",
			   text);
	(void)write_all(STDERR_FILENO, line, strlen(line));
	return 0;
}
