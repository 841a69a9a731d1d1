// SPDX-License-Identifier: GPL-2.0-only
/*
 * The root file system of a host: a newc archive, not compressed (unpacking costs an emulated
 * processor more than the few megabytes cost the loader), owned by root without needing root.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/rig/image/image.h"

/* Of a host that lives in memory. */
static const char *const directories[] = {
	"bin", "dev", "etc/brinell", "lib/modules", "proc", "root", "run", "sys", "tmp", "var",
};

/*
 * Of a host whose root is a disk: the archive only holds what finds the disk, and in host/ what is
 * laid over it.
 */
static const char *const disk_directories[] = {
	"bin",
	"dev",
	"disk",
	"host/boot",
	"host/etc/brinell",
	"host/usr/bin",
	"host/usr/lib/modules",
	"new",
	"proc",
	"sys",
	"upper",
};

/* The layout of today's Debian, which packages count on. */
static const struct {
	const char *name;
	const char *target;
} disk_links[] = {
	{"lib", "host/usr/lib"},
	{"host/bin", "usr/bin"},
	{"host/lib", "usr/lib"},
};

static __thread FILE *name_list;
static __thread size_t name_offset;

static int list_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	if (path[name_offset])
		fprintf(name_list, "%s\n", path + name_offset + 1);
	return 0;
}

/*
 * Is this an ELF program that needs no interpreter: only such a one runs where there is no C
 * library.
 */
static bool is_static(const char *path)
{
	__cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf64_Phdr segment;
	Elf64_Ehdr header;

	if (fd < 0 || pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_ident[EI_CLASS] != ELFCLASS64)
		return false;
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		off_t offset = (off_t)(header.e_phoff + i * header.e_phentsize);

		if (pread(fd, &segment, sizeof(segment), offset) != sizeof(segment) ||
		    segment.p_type == PT_INTERP)
			return false;
	}
	return true;
}

/**
 * image_find_busybox - the static busybox of this machine
 * @path: receives it; owned by the caller
 *
 * Return: 0, or -ENOENT with the reason.
 */
int image_find_busybox(char **path, struct reason *why)
{
	static const char *const places[] = {"/usr/bin/busybox", "/bin/busybox"};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (is_static(places[i])) {
			*path = strdup(places[i]);
			return *path ? 0 : -ENOMEM;
		}
	return fail(
		why, -ENOENT,
		"no static busybox in /usr/bin or /bin: run ./setup, or install busybox-static");
}

static int put_text(const char *root, const char *name, const char *text)
{
	__cleanup_free char *path = format_text("%s/%s", root, name);
	__cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	return fd < 0 ? -errno : write_all(fd, text, strlen(text));
}

static int put_program(const char *root, const char *name, const char *from, struct reason *why)
{
	__cleanup_free char *path = format_text("%s/%s", root, name);
	const char *const argv[] = {"install", "-m", "755", "--", from, path, NULL};
	struct image_command command = {.argv = argv};

	return image_run(&command, why);
}

/**
 * image_link_applets - a link for each tool that busybox can be, where there is none of that name
 * @root:      of a tree
 * @directory: below it, with busybox in it
 * @busybox:   program of this machine
 *
 * Return: 0 or -errno.
 */
int image_link_applets(const char *root, const char *directory, const char *busybox,
		       struct reason *why)
{
	const char *const argv[] = {busybox, "--list", NULL};
	__cleanup_free char *applets = NULL;
	char *rest, *name;
	int error = image_run_text(argv, NULL, &applets, why);

	if (error)
		return error;
	for (name = strtok_r(applets, "\n", &rest); name; name = strtok_r(NULL, "\n", &rest)) {
		__cleanup_free char *path = format_text("%s/%s/%s", root, directory, name);

		if (strcmp(name, "busybox") && symlink("busybox", path) < 0 && errno != EEXIST)
			return fail(why, -errno, "cannot make %s: %s", path, strerror(errno));
	}
	return 0;
}

static int put_modules(const char *root, const struct image_parts *parts, struct reason *why)
{
	__cleanup_free char *target = format_text("%s/lib/modules/%s", root, parts->release);
	__cleanup_free char *script =
		format_text("cp -- \"$1\"/*.ko \"$1\"/brinell.* \"$2\" 2>/dev/null || "
			    "cp -- \"$1\"/brinell.* \"$2\"");
	const char *const copy[] = {"sh", "-c", script, "sh", parts->modules, target, NULL};
	const char *const index[] = {"depmod", "-b", root, parts->release, NULL};
	struct image_command command = {.argv = copy};
	int error = make_directories(target);

	if (error)
		return fail(why, error, "cannot make %s: %s", target, strerror(-error));
	error = image_run(&command, why);
	command.argv = index;
	return error ? error : image_run(&command, why);
}

static int pack(const char *root, const char *archive, struct reason *why)
{
	static const char *const argv[] = {"cpio",  "--quiet",	      "-o", "-H", "newc", "-R",
					   "+0:+0", "--reproducible", NULL};
	__cleanup_free char *names = format_text("%s.names", root);
	__cleanup_close int input = -1;
	__cleanup_close int output = open(archive, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct image_command command = {.argv = argv, .directory = root};
	int error;

	name_list = fopen(names, "we");
	name_offset = strlen(root);
	if (output < 0 || !name_list)
		return fail(why, -errno, "cannot write %s: %s", archive, strerror(errno));
	nftw(root, list_entry, 32, FTW_PHYS);
	if (fclose(name_list) != 0)
		return fail(why, -errno, "cannot write %s: %s", names, strerror(errno));
	input = open(names, O_RDONLY | O_CLOEXEC);
	if (input < 0)
		return fail(why, -errno, "cannot read %s: %s", names, strerror(errno));
	command.input = input;
	command.output = output;
	error = image_run(&command, why);
	unlink(names);
	return error;
}

static int make_layout(const char *root, bool disk)
{
	const char *const *names = disk ? disk_directories : directories;
	size_t count = disk ? ARRAY_SIZE(disk_directories) : ARRAY_SIZE(directories);
	int error = 0;

	for (size_t i = 0; !error && i < count; i++) {
		__cleanup_free char *path = format_text("%s/%s", root, names[i]);

		error = make_directories(path);
	}
	for (size_t i = 0; !error && disk && i < ARRAY_SIZE(disk_links); i++) {
		__cleanup_free char *path = format_text("%s/%s", root, disk_links[i].name);

		if (symlink(disk_links[i].target, path) < 0)
			error = -errno;
	}
	return error;
}

/**
 * image_archive_build - make the archive
 * @parts:     what goes in
 * @directory: for temporary files
 * @archive:   path of the result
 *
 * Return: 0 or -errno.
 */
int image_archive_build(const struct image_parts *parts, const char *directory, const char *archive,
			struct reason *why)
{
	__cleanup_free char *root = format_text("%s/tree", directory);
	__cleanup_free char *host =
		parts->profile->system ? format_text("%s/host", root) : strdup(root);
	__cleanup_free char *name = format_text("rig-%s\n", parts->profile->name);
	int error;

	if (!parts->profile->system && !is_static(parts->agent))
		return fail(why, -EINVAL, "%s is no static program for x86-64: run make",
			    parts->agent);
	if (!host)
		return -ENOMEM;
	error = make_layout(root, parts->profile->system != NULL);
	if (!error)
		error = put_text(host, "etc/hostname", name);
	if (!error)
		/* A rig host may be broken: the mark that the injectors ask for. */
		error = put_text(host, "etc/brinell/expendable", name);
	if (!error)
		error = put_text(host, "etc/brinell/rig", parts->profile->name);
	/* The disk has its own. */
	if (!error && !parts->profile->system)
		error = put_text(host, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
	if (!error && !parts->profile->system)
		error = put_text(host, "etc/group", "root:x:0:\n");
	if (error)
		return fail(why, error, "cannot write to %s: %s", root, strerror(-error));
	error = put_program(root, "bin/busybox", parts->busybox, why);
	if (!error)
		error = put_program(host, "bin/brinell-agent", parts->agent, why);
	if (!error && parts->guest)
		error = put_program(host, "bin/brinell-guest", parts->guest, why);
	if (!error)
		error = put_program(root, "init", parts->init, why);
	if (!error)
		error = image_link_applets(root, "bin", parts->busybox, why);
	if (!error && parts->profile->system)
		error = put_program(host, "init", parts->init, why);
	if (!error && parts->start)
		error = put_program(host, "etc/brinell/start", parts->start, why);
	if (!error && parts->kernel)
		error = put_program(host, "boot/vmlinuz", parts->kernel, why);
	if (!error && parts->modules)
		error = put_modules(host, parts, why);
	if (!error)
		error = pack(root, archive, why);
	image_remove_tree(root, NULL);
	return error;
}
