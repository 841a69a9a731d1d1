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

#include "harness/rig/image.h"

static const char *const directories[] = {
	"bin", "dev", "etc/brinell", "lib/modules", "proc", "root", "run", "sys", "tmp", "var",
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

static int link_applets(const char *root, const char *busybox, struct reason *why)
{
	const char *const argv[] = {busybox, "--list", NULL};
	__cleanup_free char *applets = NULL;
	char *rest, *name;
	int error = image_run_text(argv, NULL, &applets, why);

	if (error)
		return error;
	for (name = strtok_r(applets, "\n", &rest); name; name = strtok_r(NULL, "\n", &rest)) {
		__cleanup_free char *path = format_text("%s/bin/%s", root, name);

		if (strcmp(name, "busybox") && symlink("busybox", path) < 0)
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
	__cleanup_free char *host = format_text("rig-%s\n", parts->profile->name);
	int error = 0;

	if (!is_static(parts->agent))
		return fail(why, -EINVAL, "%s is no static program for x86-64: run make",
			    parts->agent);
	for (size_t i = 0; !error && i < ARRAY_SIZE(directories); i++) {
		__cleanup_free char *path = format_text("%s/%s", root, directories[i]);

		error = make_directories(path);
	}
	if (!error)
		error = put_text(root, "etc/hostname", host);
	if (!error)
		/* A rig host may be broken: the mark that the injectors ask for. */
		error = put_text(root, "etc/brinell/expendable", host);
	if (!error)
		error = put_text(root, "etc/brinell/rig", parts->profile->name);
	if (!error)
		error = put_text(root, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
	if (!error)
		error = put_text(root, "etc/group", "root:x:0:\n");
	if (error)
		return fail(why, error, "cannot write to %s: %s", root, strerror(-error));
	error = put_program(root, "bin/busybox", parts->busybox, why);
	if (!error)
		error = put_program(root, "bin/brinell-agent", parts->agent, why);
	if (!error)
		error = put_program(root, "init", parts->init, why);
	if (!error)
		error = link_applets(root, parts->busybox, why);
	if (!error && parts->modules)
		error = put_modules(root, parts, why);
	if (!error)
		error = pack(root, archive, why);
	image_remove_tree(root, NULL);
	return error;
}
