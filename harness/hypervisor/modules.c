// SPDX-License-Identifier: GPL-2.0-only
/*
 * Modules of the host's kernel for a micro guest. A rig host has a list of them; elsewhere modprobe(8) resolves dependencies
 * and built-in modules.
 */
#include <errno.h>
#include <string.h>

#include "harness/hypervisor/domain.h"
#include "harness/lib/spawn.h"

/* For the machine of libvirt/xml.c: vsock, a serial port, the balloon, and the host's clock. */
static const char *const wanted[] = {
	"virtio_pci",	  "vmw_vsock_virtio_transport",
	"virtio_console", "virtio_balloon",
	"pvpanic-mmio",	  "ptp_kvm",
};

static int read_list(const char *directory, json_t *paths, struct reason *why)
{
	__cleanup_free char *list_path = format_text("%s/brinell.guest", directory);
	__cleanup_free char *list = NULL;
	char *rest, *line;
	int error = read_small_file(list_path, &list, NULL);

	if (error == -ENOENT)
		return error;
	if (error)
		return fail_errno(why, error, "read %s", list_path);
	for (line = strtok_r(list, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (*line != '#')
			json_array_append_new(paths, json_sprintf("%s/%s", directory, line));
	return 0;
}

static void add_once(json_t *paths, const char *path)
{
	if (!json_has_text(paths, path))
		json_array_append_new(paths, json_string(path));
}

/* modprobe prints "insmod PATH PARAMETERS" for each file, in the order of loading, and "builtin NAME" for built-in ones. */
static void run_modprobe(const char *release, const char *module, json_t *paths)
{
	static const char verb[] = "insmod ";
	const char *const argv[] = {"modprobe",	      "--set-version", release,
				    "--show-depends", module,	       NULL};
	struct spawn spawn = {.argv = argv, .streams = {SPAWN_NULL, SPAWN_PIPE, SPAWN_NULL}};
	__cleanup_file FILE *out = spawn_start(&spawn, NULL) ? NULL : fdopen(spawn.ends[1], "r");
	__cleanup_free char *line = NULL;
	size_t size = 0;
	int status;

	while (out && getline(&line, &size, out) > 0) {
		char *path = line + strlen(verb);

		if (strncmp(line, verb, strlen(verb)) != 0)
			continue;
		path[strcspn(path, " \n")] = '\0';
		add_once(paths, path);
	}
	if (out)
		(void)spawn_wait(&spawn, -1, &status);
}

/**
 * modules_collect - find the module files of a micro guest, in the order of loading
 * @directory: of the modules of its kernel, such as /lib/modules/RELEASE; its file brinell.guest lists them, one a line, relative
 *             to it; without that file modprobe resolves them
 * @paths:     receives an array of paths; owned by the caller. Empty if the kernel has all of them built in
 * @why:       reason of a failure
 *
 * Return: 0 or -errno.
 */
int modules_collect(const char *directory, json_t **paths, struct reason *why)
{
	const char *release = strrchr(directory, '/') ? strrchr(directory, '/') + 1 : directory;
	int error;

	*paths = json_array();
	error = read_list(directory, *paths, why);
	if (error != -ENOENT)
		return error;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		run_modprobe(release, wanted[i], *paths);
	return 0;
}
