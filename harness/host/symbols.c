// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of the functions to which frames of samples belong: of the kernel by /proc/kallsyms, of programs by their files. Only the
 * names of frames are kept: a guest has less memory than all names of a kernel take.
 */
#include <string.h>

#include "harness/host/samples.h"
#include "harness/lib/elf.h"

/**
 * struct search - the frames of a file, or of the kernel
 * @frames: in order; @count: of these
 * @names:  of the function that begins last before each of them, at @starts; it ends at @ends, 0: not known
 */
struct search {
	const uint64_t *frames;
	size_t count;
	char **names;
	uint64_t *starts, *ends;
};

/* The first frame at @start or above. */
static size_t first_above(const struct search *search, uint64_t start)
{
	size_t low = 0, high = search->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (search->frames[middle] < start)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A function matters to the first frame above its begin, and by spread() to those after it. Of several names the first is taken. */
static void take_function(void *context, uint64_t start, uint64_t size, const char *name)
{
	struct search *search = context;
	size_t at = first_above(search, start);

	if (at == search->count || (search->names[at] && search->starts[at] >= start))
		return;
	free(search->names[at]);
	search->names[at] = xstrdup(name);
	search->starts[at] = start;
	search->ends[at] = size ? start + size : 0;
}

static void spread(struct search *search)
{
	for (size_t i = 1; i < search->count; i++) {
		if (!search->names[i - 1] ||
		    (search->names[i] && search->starts[i] >= search->starts[i - 1]))
			continue;
		free(search->names[i]);
		search->names[i] = xstrdup(search->names[i - 1]);
		search->starts[i] = search->starts[i - 1];
		search->ends[i] = search->ends[i - 1];
	}
}

/* Of each line: address, kind, name, and the module if it is of one. Addresses are 0 where they are a secret. */
static void read_kernel(struct search *search)
{
	char path[4096], *line = NULL;
	__cleanup_file FILE *in = fopen(system_path(path, "/proc/kallsyms"), "re");
	size_t size = 0;

	while (in && getline(&line, &size, in) > 0) {
		char *end;
		uint64_t start = strtoull(line, &end, 16);

		if (!(start & FRAME_KERNEL) || *end != ' ' || !strchr("tTwW", end[1]) ||
		    end[2] != ' ')
			continue;
		end[3 + strcspn(end + 3, " \t\n")] = '\0';
		take_function(search, start, 0, end + 3);
	}
	free(line);
}

/* Offsets in the file, as frames have them. */
static void take_offset(void *context, uint64_t offset, uint64_t size, const char *name)
{
	const struct search *search = context;

	take_function(context, (search->frames[0] & ~FRAME_OFFSET) | (offset & FRAME_OFFSET), size,
		      name);
}

static char *name_without_symbol(const char *path)
{
	const char *file = path ? strrchr(path, '/') : NULL;

	if (!path || *path == '[')
		return xstrdup(path ?: "[unknown]");
	return format_text("[%s]", file ? file + 1 : path);
}

/**
 * symbols_find - name frames
 * @frames: in order, each once
 * @files:  paths of the files, by their numbers
 *
 * Return: an array of as many names, "[FILE]" where there is no symbol; all owned by the caller.
 */
char **symbols_find(const uint64_t *frames, size_t count, char *const *files)
{
	char **names = xcalloc(count + 1, sizeof(*names));
	__cleanup_free uint64_t *limits = xcalloc(count * 2 + 1, sizeof(*limits));

	for (size_t first = 0, next; first < count; first = next) {
		bool kernel = frames[first] & FRAME_KERNEL;
		const char *path = kernel ? "[kernel]" : files[frames[first] >> FRAME_FILE_SHIFT];
		struct search search = {.frames = frames + first,
					.names = names + first,
					.starts = limits + first,
					.ends = limits + count + first};

		for (next = first + 1;
		     next < count && (kernel || frames[next] >> FRAME_FILE_SHIFT ==
							frames[first] >> FRAME_FILE_SHIFT);
		     next++)
			;
		search.count = next - first;
		if (kernel)
			read_kernel(&search);
		else if (path && *path == '/')
			(void)elf_functions_read(path, take_offset, &search);
		spread(&search);
		for (size_t i = 0; i < search.count; i++) {
			if (search.names[i] &&
			    (!search.ends[i] || search.frames[i] < search.ends[i]))
				continue;
			free(search.names[i]);
			search.names[i] = search.frames[i] == FRAME_GUEST
						  ? xstrdup("[guest]")
						  : name_without_symbol(path);
		}
	}
	return names;
}
