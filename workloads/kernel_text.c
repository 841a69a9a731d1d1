// SPDX-License-Identifier: GPL-2.0-only
/*
 * Physical address of a function of the running kernel. The kernel's image is contiguous: /proc/iomem has the start of its
 * code, /proc/kallsyms the offset of a function.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "harness/host/frames.h"

static int find_code(uint64_t *first, uint64_t *last, struct reason *why)
{
	__cleanup_free char *text = NULL;
	char path[4096];
	char *rest, *line;

	if (read_small_file(system_path(path, "/proc/iomem"), &text, NULL))
		return fail(why, -ENOTSUP, "/proc/iomem can not be read: root is needed");
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (!strstr(line, " : Kernel code") ||
		    sscanf(line, " %" SCNx64 "-%" SCNx64, first, last) != 2)
			continue;
		if (*last > *first)
			return 0;
	}
	return fail(why, -ENOTSUP,
		    "/proc/iomem does not show the kernel's code: root (CAP_SYS_ADMIN) is "
		    "needed");
}

/* Addresses of the start of the code and of the function; 0 if missing. */
static int find_symbols(const char *symbol, uint64_t *begin, uint64_t *function, struct reason *why)
{
	char path[4096], line[512];
	__cleanup_file FILE *symbols = fopen(system_path(path, "/proc/kallsyms"), "re");

	*begin = *function = 0;
	if (!symbols)
		return fail(why, -ENOTSUP, "/proc/kallsyms: %s", strerror(errno));
	while (fgets(line, sizeof(line), symbols)) {
		char name[256] = "", kind;
		uint64_t address;

		if (sscanf(line, "%" SCNx64 " %c %255s", &address, &kind, name) != 3)
			continue;
		/* A module may have a function of the same name. */
		if (!*begin && strcmp(name, "_text") == 0)
			*begin = address;
		if (!*function && strcmp(name, symbol) == 0)
			*function = address;
		if (*begin && *function)
			break;
	}
	return 0;
}

/**
 * kernel_text_frame - find a function of the running kernel
 * @symbol:  its name in /proc/kallsyms
 * @pfn:     receives its first page frame
 * @address: receives its virtual address
 * @why:     reason of a failure
 *
 * Return: 0, -ENOENT if this kernel has no such function, -ENOTSUP if it hides addresses.
 */
int kernel_text_frame(const char *symbol, uint64_t *pfn, uint64_t *address, struct reason *why)
{
	uint64_t first, last, begin;
	int error = find_code(&first, &last, why) ?: find_symbols(symbol, &begin, address, why);

	if (error)
		return error;
	if (!begin)
		return fail(why, -ENOTSUP,
			    "/proc/kallsyms hides its addresses: root is needed, and "
			    "kernel.kptr_restrict below 2");
	if (!*address)
		return fail(why, -ENOENT, "this kernel has no function %s", symbol);
	if (*address < begin || *address - begin > last - first)
		return fail(why, -ENOTSUP, "%s is not in the kernel's code at 0x%" PRIx64, symbol,
			    first);
	*pfn = (first + (*address - begin)) / FRAME_SIZE;
	return 0;
}
