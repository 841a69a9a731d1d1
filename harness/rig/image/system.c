// SPDX-License-Identifier: GPL-2.0-only
/*
 * The root file system of a host that needs more than busybox: what is kept of some Debian packages
 * with the libraries that it is linked with, as a read-only disk. No root, no chroot, and no script
 * of a package is run; what those scripts would have made and the kept programs need is made here.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/lib/elf.h"
#include "harness/rig/image/image.h"

/* Changed when the disk is put together in another way. */
#define LAYOUT "2"

#define LIBRARIES "usr/lib/x86_64-linux-gnu"
#define MKFS "/usr/bin/mkfs.erofs"

static const char *const directories[] = {
	"dev",	   "etc",     "proc",	  "root",      "run",	  "sys",     "tmp",	"mnt",
	"usr/bin", "usr/lib", "usr/sbin", "var/cache", "var/lib", "var/log", "var/tmp",
};

/* The layout of today's Debian, which packages count on; its own package base-files has it so. */
static const struct {
	const char *name;
	const char *target;
} links[] = {
	{"bin", "usr/bin"},   {"lib", "usr/lib"},    {"lib64", "usr/lib64"},
	{"sbin", "usr/sbin"}, {"var/run", "../run"},
};

/*
 * Programs with several names. The shell is not busybox, which takes tools of its own for those of
 * the same name on the disk.
 */
static const struct {
	const char *program;
	const char *names[8];
} many_names[] = {
	{"dash", {"sh", NULL}},
	{"kmod", {"depmod", "insmod", "lsmod", "modinfo", "modprobe", "rmmod", NULL}},
};

static const struct {
	const char *name;
	const char *text;
} texts[] = {
	{"etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
		       "libvirt-qemu:x:64055:64055:libvirt:/var/lib/libvirt:/bin/false\n"
		       "tss:x:101:101:tpm:/var/lib/tpm:/bin/false\n"
		       "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"},
	{"etc/group",
	 "root:x:0:\ntty:x:5:\ntss:x:101:\nkvm:x:109:\nlibvirt:x:110:\nlibvirt-qemu:x:64055:\n"
	 "nogroup:x:65534:\n"},
	{"etc/nsswitch.conf",
	 "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n"},
	{"etc/hosts", "127.0.0.1 localhost\n"},
};

/**
 * struct build - one disk in the making
 * @options:  for progress
 * @system:   what is wanted
 * @busybox:  static busybox of this machine
 * @work:     temporary directory
 * @root:     below it: unpacked packages
 * @tree:     below it: what the disk will hold
 * @packages: names
 * @files:    names of the packages' files, which tell the versions
 * @bytes:    of the download
 */
struct build {
	const struct rig_options *options;
	const struct rig_system *system;
	const char *busybox;
	char *work;
	char *root;
	char *tree;
	json_t *packages;
	json_t *files;
	unsigned long long bytes;
};

static void build_free(struct build *build)
{
	if (build->work)
		image_remove_tree(build->work, NULL);
	free(build->work);
	free(build->root);
	free(build->tree);
	json_decref(build->packages);
	json_decref(build->files);
}

static void tell(const struct rig_options *options, double fraction, const char *what)
{
	if (options->progress)
		options->progress(options->context, what, fraction);
}

static bool is_unused(const struct rig_system *system, const char *package)
{
	for (const char *const *unused = system->unused; *unused; unused++)
		if (strncmp(package, *unused, strlen(*unused)) == 0)
			return true;
	return false;
}

static void take_package(void *context, const char *text)
{
	struct build *build = context;
	unsigned long long size;
	char file[512];

	/* 'URI' NAME_VERSION_ARCHITECTURE.deb SIZE CHECKSUM */
	if (sscanf(text, "'%*[^']' %511s %llu", file, &size) != 2 || !strchr(file, '_'))
		return;
	if (!is_unused(build->system, file)) {
		json_array_append_new(build->files, json_string(file));
		*strchr(file, '_') = '\0';
		json_array_append_new(build->packages, json_string(file));
		build->bytes += size;
	}
}

/* Against an empty state of dpkg apt names all that the packages need. */
static int resolve(struct build *build, const struct image_apt *apt, struct reason *why)
{
	const char *argv[32] = {"apt-get", "install", "--print-uris", "-qq",
				"--no-install-recommends"};
	struct image_command command = {.argv = argv,
					.environment = apt->environment,
					.line = take_package,
					.context = build};
	size_t used = 5;
	int error;

	for (const char *const *name = build->system->packages; *name; name++)
		if (used < ARRAY_SIZE(argv) - 1)
			argv[used++] = *name;
	error = image_run(&command, why);
	if (!error && json_array_size(build->packages) == 0)
		error = fail(why, -ENOENT, "apt names no packages for the host's root file system");
	return error;
}

/*
 * The libraries of what is kept, and theirs: each is looked up where Debian's dynamic loader looks
 * without being told.
 */
static int close_over_libraries(const struct build *build, json_t *libraries, struct reason *why)
{
	__cleanup_json json_t *seen = json_object();
	__cleanup_json json_t *programs = json_array();

	for (const char *const *name = build->system->keep; *name; name++)
		json_array_append_new(programs, json_string(*name));
	for (size_t i = 0; i < json_array_size(programs); i++) {
		const char *program = json_string_value(json_array_get(programs, i));
		__cleanup_free char *path = format_text("%s/%s", build->root, program);
		struct elf_links links = {0};
		struct stat status;
		json_t *name;
		size_t index;
		int error = 0;

		if (stat(path, &status) < 0)
			return fail(why, -ENOENT,
				    "the packages of %s have no %s, which the host needs; this "
				    "brinell does not fit them any more",
				    build->system->suite, program);
		if (S_ISREG(status.st_mode))
			error = elf_links_read(&links, path, why);
		json_array_foreach (links.needed, index, name) {
			const char *library = json_string_value(name);
			__cleanup_free char *file = format_text(LIBRARIES "/%s", library);

			if (json_object_get(seen, library))
				continue;
			json_object_set_new(seen, library, json_true());
			json_array_append_new(programs, json_string(file));
			json_array_append_new(libraries, json_string(file));
		}
		elf_links_release(&links);
		if (error)
			return error;
	}
	return 0;
}

/* @follow: a library is wanted under the name it is asked for by, not as a link to its version. */
static int copy(const struct build *build, const json_t *names, bool follow, struct reason *why)
{
	size_t count = json_array_size(names), used = 0;
	__cleanup_free const char **argv = calloc(count + 6, sizeof(*argv));
	struct image_command command = {.argv = argv, .directory = build->root};

	if (!argv)
		return -ENOMEM;
	argv[used++] = "cp";
	argv[used++] = follow ? "-L" : "-a";
	argv[used++] = "--parents";
	argv[used++] = "--";
	for (size_t i = 0; i < count; i++)
		argv[used++] = json_string_value(json_array_get(names, i));
	argv[used++] = build->tree;
	return image_run(&command, why);
}

static int copy_kept(const struct build *build, struct reason *why)
{
	__cleanup_json json_t *libraries = json_array();
	__cleanup_json json_t *kept = json_array();
	int error = close_over_libraries(build, libraries, why);

	for (const char *const *name = build->system->keep; *name; name++)
		json_array_append_new(kept, json_string(*name));
	if (!error)
		error = copy(build, kept, false, why);
	if (!error && json_array_size(libraries))
		error = copy(build, libraries, true, why);
	return error;
}

static int make_link(const struct build *build, const char *target, const char *directory,
		     const char *name)
{
	__cleanup_free char *path =
		format_text("%s/%s%s%s", build->tree, directory, *directory ? "/" : "", name);

	return symlink(target, path) < 0 ? -errno : 0;
}

/* What the scripts of the packages would make, or base-files. */
static int make_surroundings(const struct build *build, struct reason *why)
{
	int error = 0;

	for (size_t i = 0; !error && i < ARRAY_SIZE(directories); i++) {
		__cleanup_free char *path = format_text("%s/%s", build->tree, directories[i]);

		error = make_directories(path);
	}
	for (size_t i = 0; !error && i < ARRAY_SIZE(links); i++)
		error = make_link(build, links[i].target, "", links[i].name);
	for (size_t i = 0; !error && i < ARRAY_SIZE(many_names); i++)
		for (const char *const *name = many_names[i].names; !error && *name; name++)
			error = make_link(build, many_names[i].program, "usr/bin", *name);
	for (size_t i = 0; !error && i < ARRAY_SIZE(texts); i++) {
		__cleanup_free char *path = format_text("%s/%s", build->tree, texts[i].name);
		char *name = strrchr(path, '/');

		*name = '\0';
		error = write_file_atomically(path, name + 1, texts[i].text, strlen(texts[i].text));
		*name = '/';
		/* Written for one's own eyes, and read by everybody on the host. */
		if (!error && chmod(path, 0644) < 0)
			error = -errno;
	}
	return error ? fail(why, error, "cannot write to %s: %s", build->tree, strerror(-error))
		     : 0;
}

static int put_busybox(const struct build *build, struct reason *why)
{
	__cleanup_free char *path = format_text("%s/usr/bin/busybox", build->tree);
	const char *const argv[] = {"install", "-m", "755", "--", build->busybox, path, NULL};
	struct image_command command = {.argv = argv};
	int error = image_run(&command, why);

	return error ? error : image_link_applets(build->tree, "usr/bin", build->busybox, why);
}

/*
 * Not compressed: an emulated processor would pay for it at each boot, and the disk of this machine
 * is cheap. The times and the name of the file system are fixed, so that the same packages make
 * the same bytes.
 */
static int make_disk(const struct build *build, const char *disk, struct reason *why)
{
	const char *const argv[] = {
		MKFS, "--quiet",   "--all-root", "-T0", "-U00000000-0000-0000-0000-000000000001",
		disk, build->tree, NULL};
	struct image_command command = {.argv = argv};

	return image_run(&command, why);
}

static int assemble(struct build *build, const char *final, struct reason *why)
{
	__cleanup_free char *ready = format_text("%s/ready", build->work);
	__cleanup_free char *disk = format_text("%s/root.erofs", ready);
	__cleanup_json json_t *facts =
		json_pack("{s:s, s:O}", "suite", build->system->suite, "packages", build->files);
	int error = make_directories(ready);

	if (error)
		return fail(why, error, "cannot make %s: %s", ready, strerror(-error));
	tell(build->options, 0.8, "choosing programs and their libraries (about 2 s)");
	error = make_surroundings(build, why);
	if (!error)
		error = copy_kept(build, why);
	if (!error)
		error = put_busybox(build, why);
	tell(build->options, 0.85, "making the host's disk (about 2 s)");
	if (!error)
		error = make_disk(build, disk, why);
	if (!error)
		error = image_seal(ready, facts, why);
	return error ? error : image_publish(ready, final, why);
}

static int build_disk(struct build *build, const char *cache, const char *final,
		      const json_t *known, struct reason *why)
{
	struct image_packages packages = {
		.what = "the host's packages", .from = 0.1, .to = 0.8, .names = build->packages};
	struct image_apt apt;
	int error;

	tell(build->options, 0.02, "asking for the packages of the host (some 20 s for all)");
	error = image_apt_open(&apt, cache, "apt-system", build->options, why);
	if (!error)
		error = image_apt_update(&apt, build->system->suite, why);
	if (!error)
		error = resolve(build, &apt, why);
	if (!error && json_equal(json_object_get(known, "packages"), build->files)) {
		image_apt_close(&apt);
		return 0;
	}
	packages.bytes = build->bytes;
	/* The packages, what is unpacked of them, what is kept, and the disk. */
	if (!error)
		error = image_check_space(cache, build->bytes * 9,
					  "making the host's root file system", why);
	if (!error)
		error = image_apt_fetch(&apt, &packages, build->work, why);
	image_apt_close(&apt);
	return error ? error : assemble(build, final, why);
}

static uint64_t hash_words(uint64_t hash, const char *const *words)
{
	for (; *words; words++)
		hash = image_hash(hash, *words, strlen(*words) + 1);
	return image_hash(hash, "", 1);
}

static int system_key(const struct rig_system *system, const char *busybox, uint64_t *key,
		      struct reason *why)
{
	__cleanup_free char *data = NULL;
	size_t length;
	int error = read_small_file(busybox, &data, &length);

	if (error)
		return fail(why, error, "cannot read %s: %s", busybox, strerror(-error));
	*key = image_hash(IMAGE_HASH_START, LAYOUT, sizeof(LAYOUT));
	*key = image_hash(*key, system->suite, strlen(system->suite) + 1);
	*key = hash_words(*key, system->packages);
	*key = hash_words(*key, system->keep);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		*key = image_hash(*key, texts[i].text, strlen(texts[i].text) + 1);
	*key = image_hash(*key, data, length);
	return 0;
}

/* Made for another brinell, or with another busybox; hosts that run hold theirs open. */
static void remove_others(const char *cache, const char *final)
{
	const char *own = strrchr(final, '/') + 1;
	DIR *listing = opendir(cache);
	struct dirent *item;

	while (listing && (item = readdir(listing))) {
		__cleanup_free char *path = format_text("%s/%s", cache, item->d_name);

		if (strncmp(item->d_name, "system-", 7) == 0 && strcmp(item->d_name, own))
			image_remove_tree(path, NULL);
	}
	if (listing)
		closedir(listing);
}

static int build_into_cache(const char *cache, const struct rig_options *options,
			    const struct rig_system *system, const char *busybox, const char *final,
			    const json_t *known, struct reason *why)
{
	struct build build = {.options = options,
			      .system = system,
			      .busybox = busybox,
			      .packages = json_array(),
			      .files = json_array()};
	__cleanup_free char *work = format_text("%s/.new-XXXXXX", cache);
	int error;

	if (access(MKFS, X_OK) < 0)
		error = fail(why, -ENOENT,
			     "%s makes the host's disk and is not installed: run ./setup, or "
			     "install erofs-utils",
			     MKFS);
	else if (!mkdtemp(work))
		error = fail(why, -errno, "cannot make a directory in %s: %s", cache,
			     strerror(errno));
	else {
		build.work = steal(work);
		build.root = format_text("%s/root", build.work);
		build.tree = format_text("%s/tree", build.work);
		error = build_disk(&build, cache, final, known, why);
		if (!error)
			remove_others(cache, final);
	}
	build_free(&build);
	return error;
}

/**
 * image_system_ensure - the disk with the root file system of a host in the cache
 * @cache:   directory; its lock is held
 * @options: refresh and progress
 * @profile: has a system
 * @busybox: static busybox of this machine
 * @image:   receives the path of the disk, and whether it was made by this call
 *
 * Made once, and again when it is damaged, when other things are wanted of it, or with a refresh
 * that finds newer packages. Return: 0 or -errno.
 */
int image_system_ensure(const char *cache, const struct rig_options *options,
			const struct rig_profile *profile, const char *busybox,
			struct rig_image *image, struct reason *why)
{
	__cleanup_free char *final = NULL;
	__cleanup_json json_t *facts = NULL;
	struct reason damage = {""};
	uint64_t key = 0;
	int error = system_key(profile->system, busybox, &key, why);

	if (error)
		return error;
	final = format_text("%s/system-%016llx", cache, (unsigned long long)key);
	error = image_verify(final, &facts, &damage);
	if (error == -EBADMSG)
		log_warning("the cached root file system %s is damaged (%s); making it again",
			    strrchr(final, '/') + 1, damage.text);
	if (error || options->refresh) {
		error = build_into_cache(cache, options, profile->system, busybox, final, facts,
					 why);
		image->built = image->built || !error;
		if (error && !facts)
			return error;
		if (error)
			log_warning(
				"cannot ask for newer packages (%s); going on with what is there",
				why->text);
	}
	image->system = format_text("%s/root.erofs", final);
	return 0;
}
