// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz: names of events, and the description of its events by a PMU of this machine. The first line of the input is the name, the second one the file
 * of a format, the third one that of an event.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/host/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char root[] = "/tmp/brinell-fuzz-event.XXXXXX";

static void put(const char *path, const char *text)
{
	__cleanup_free char *whole =
		format_text("%s/sys/bus/event_source/devices/p/%s", root, path);
	FILE *file = fopen(whole, "w");

	if (!file || fputs(text, file) < 0 || fclose(file))
		abort();
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static void remove_root(void)
{
	(void)nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_root(void)
{
	static const char *const directories[] = {"format", "events"};

	if (!mkdtemp(root))
		abort();
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		__cleanup_free char *path =
			format_text("%s/sys/bus/event_source/devices/p/%s", root, directories[i]);

		if (make_directories(path))
			abort();
	}
	put("type", "7\n");
	put("events/e.unit", "\xc3\n");
	put("events/e.scale", "nan\n");
	system_root_set(root);
	atexit(remove_root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool made;
	__cleanup_free char *text = xstrndup((const char *)data, size);
	char *rest = text, *lines[3] = {0};
	struct reason why = {0};
	struct event event;
	int error;

	if (!made)
		make_root();
	made = true;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		lines[i] = strsep(&rest, "\n") ?: text + strlen(text);
	put("format/f", lines[1]);
	put("events/e", lines[2]);
	error = event_describe(lines[0], &event, &why);
	if (error && error != -EINVAL && error != -ERANGE && error != -ENOTSUP)
		abort();
	if (error ? !*why.text : event.scale != 1 || strlen(event.filter) >= sizeof(event.filter))
		abort();
	for (int i = 0; i < 3; i++)
		(void)event_is_on(&event, i);
	return 0;
}
