// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: suspend DOMAIN
 * In the first domain of Xen: suspends a guest without drivers each time that the toolstack asks it to, as the agent does in its
 * migrations. Until it is killed. The libraries are those of the host that it runs on.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* xenctrl.h, xenstore.h, and public/sched.h of Xen. */
typedef void *(*open_control_fn)(void *logger, void *other, unsigned int flags);
typedef int (*shutdown_fn)(void *control, uint32_t domain, int reason);
typedef void *(*open_store_fn)(unsigned long flags);
typedef bool (*watch_fn)(void *store, const char *path, const char *token);
typedef char **(*read_watch_fn)(void *store, unsigned int *count);
typedef void *(*read_fn)(void *store, uint32_t transaction, const char *path, unsigned int *length);
typedef bool (*write_fn)(void *store, uint32_t transaction, const char *path, const void *data,
			 unsigned int length);
#define REASON_SUSPEND 2

static void *function(const char *library, const char *name)
{
	void *handle = dlopen(library, RTLD_NOW);
	void *found = handle ? dlsym(handle, name) : NULL;

	if (!found) {
		fprintf(stderr, "suspend: %s\n", dlerror());
		exit(1);
	}
	return found;
}

#define STORE(type, name) ((type)function("libxenstore.so.4", name))
#define CONTROL(type, name) ((type)function("libxenctrl.so.4.20", name))

int main(int argc, char **argv)
{
	void *control = CONTROL(open_control_fn, "xc_interface_open")(NULL, NULL, 0);
	void *store = STORE(open_store_fn, "xs_open")(0);
	shutdown_fn shut_down = CONTROL(shutdown_fn, "xc_domain_shutdown");
	read_watch_fn read_watch = STORE(read_watch_fn, "xs_read_watch");
	read_fn read_store = STORE(read_fn, "xs_read");
	write_fn write_store = STORE(write_fn, "xs_write");
	unsigned int count;
	char path[64];

	if (argc != 2 || !control || !store)
		return 2;
	snprintf(path, sizeof(path), "/local/domain/%s/control/shutdown", argv[1]);
	if (!STORE(watch_fn, "xs_watch")(store, path, "suspend"))
		return 1;
	while (read_watch(store, &count)) {
		char *asked = read_store(store, 0, path, &count);

		if (asked && strcmp(asked, "suspend") == 0) {
			write_store(store, 0, path, "", 0);
			shut_down(control, (uint32_t)atoi(argv[1]), REASON_SUSPEND);
		}
	}
	return 1;
}
