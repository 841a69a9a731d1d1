// SPDX-License-Identifier: GPL-2.0-only
/*
 * Paths of the files that are installed with brinell, and their quoting for QEMU.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "harness/rig/profile.h"

/**
 * rig_find_file - find a file of brinell: the agent, the plugin, the init script
 * @name: of the file
 * @path: receives it; owned by the caller
 *
 * Searches the directory of the program, the source tree that it was built in, and the directory of `make install`.
 *
 * Return: 0 or -ENOENT.
 */
int rig_find_file(const char *name, char **path)
{
	static const char *const places[] = {
		".", "..", "../harness/rig/image", "../../harness/rig/image", "../lib/brinell",
	};
	char program[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (length > 0) {
		program[length] = '\0';
		*strrchr(program, '/') = '\0';
		for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
			__cleanup_free char *candidate =
				format_text("%s/%s/%s", program, places[i], name);

			if (access(candidate, R_OK) == 0) {
				*path = realpath(candidate, NULL);
				return *path ? 0 : -errno;
			}
		}
	}
	*path = format_text("%s/%s", RIG_DIR, name);
	if (access(*path, R_OK) == 0)
		return 0;
	free(steal(*path));
	return -ENOENT;
}

/** qemu_quote - quote a text for an option of QEMU: commas are doubled. Return: owned by the caller */
char *qemu_quote(const char *text)
{
	char *quoted = xzalloc(2 * strlen(text) + 1), *to = quoted;

	for (; *text; text++) {
		if (*text == ',')
			*to++ = ',';
		*to++ = *text;
	}
	return quoted;
}
