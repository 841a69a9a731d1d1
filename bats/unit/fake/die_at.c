// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preloaded into a controller: ends it by SIGKILL at the first record of the type that DIE_AT names, right behind the
 * write(2) of that record, or with DIE_TORN in the middle of it. No watcher from outside could be that exact.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ssize_t write(int fd, const void *data, size_t length)
{
	static ssize_t (*real_write)(int fd, const void *data, size_t length);
	const char *type = getenv("DIE_AT");
	char record[64];
	ssize_t put;

	if (!real_write)
		*(void **)&real_write = dlsym(RTLD_NEXT, "write");
	snprintf(record, sizeof(record), ",\"type\":\"%s\",", type ? type : "");
	if (!type || !memmem(data, length, record, strlen(record)))
		return real_write(fd, data, length);
	put = real_write(fd, data, getenv("DIE_TORN") ? length / 2 : length);
	kill(getpid(), SIGKILL);
	return put;
}
