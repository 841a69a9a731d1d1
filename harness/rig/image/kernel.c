// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel of a host: Debian's newest, or one that the user built.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/rig/image/image.h"

/* EINJv2 came to Linux with 6.17 (drivers/acpi/apei/einj-core.c). */
#define WANTED_MAJOR 6
#define WANTED_MINOR 17

#define ASK_AGAIN_NS (7 * 24 * 3600 * NSEC_PER_SEC)
#define ASK_AGAIN_OFFLINE_NS (24 * 3600 * NSEC_PER_SEC)

/* The suite with the newest kernel first; NULL stands for the machine's own release. */
static const char *const suites[] = {"trixie-backports", NULL};

/**
 * struct fetch - what one search for a kernel works with
 * @cache:    directory of the cache
 * @work:     temporary directory
 * @apt:      asks for packages
 * @packages: names of packages to unpack
 * @bytes:    of the download
 * @version:  of the kernel's package
 * @options:  for progress
 */
struct fetch {
	const char *cache;
	const char *work;
	struct image_apt apt;
	json_t *packages;
	unsigned long long bytes;
	char *version;
	const struct rig_options *options;
};

static void tell(const struct rig_options *options, double fraction, const char *what)
{
	if (options->progress)
		options->progress(options->context, what, fraction);
}

static void fetch_release(struct fetch *fetch)
{
	image_apt_close(&fetch->apt);
	free(fetch->version);
	json_decref(fetch->packages);
}

/*
 * Debian's kernel is one package up to 6.18, and split into image, binary and modules since: all of
 * the names that the metapackage leads to are wanted, the tools they also depend on are not.
 */
static int add_package(struct fetch *fetch, const char *package, struct reason *why)
{
	__cleanup_free char *paragraph = NULL;
	__cleanup_free char *depends = NULL;
	__cleanup_free char *size = NULL;
	char *rest, *word;
	int error = image_apt_show(&fetch->apt, package, &paragraph, why);

	if (error)
		return error;
	size = image_apt_field(paragraph, "Size");
	depends = image_apt_field(paragraph, "Depends");
	fetch->bytes += size ? strtoull(size, NULL, 10) : 0;
	json_array_append_new(fetch->packages, json_string(package));
	for (word = depends ? strtok_r(depends, ", |", &rest) : NULL; word && !error;
	     word = strtok_r(NULL, ", |", &rest)) {
		static const char *const wanted[] = {"linux-image-", "linux-binary-",
						     "linux-modules-"};

		for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
			if (strncmp(word, wanted[i], strlen(wanted[i])) == 0)
				error = add_package(fetch, word, why);
	}
	return error;
}

static int find_in_suite(struct fetch *fetch, const char *suite, struct reason *why)
{
	__cleanup_free char *paragraph = NULL;
	__cleanup_free char *depends = NULL;
	__cleanup_free char *what = format_text("asking %s for its newest kernel", suite);
	char *rest, *word;
	int error;

	tell(fetch->options, 0.01, what);
	error = image_apt_update(&fetch->apt, suite, why);
	if (!error)
		error = image_apt_show(&fetch->apt, "linux-image-amd64", &paragraph, why);
	if (error)
		return error;
	free(fetch->version);
	fetch->version = image_apt_field(paragraph, "Version");
	depends = image_apt_field(paragraph, "Depends");
	json_array_clear(fetch->packages);
	fetch->bytes = 0;
	for (word = depends ? strtok_r(depends, ", |", &rest) : NULL; word && !error;
	     word = strtok_r(NULL, ", |", &rest))
		if (strncmp(word, "linux-image-", 12) == 0)
			error = add_package(fetch, word, why);
	if (!error && (!fetch->version || json_array_size(fetch->packages) == 0))
		error = fail(why, -ENOENT, "linux-image-amd64 of %s leads to no kernel", suite);
	return error;
}

/* What linux-image-amd64 of which suite is the newest that can be had. */
static int find_package(struct fetch *fetch, struct reason *why)
{
	struct reason first = {""};
	int error = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(suites); i++) {
		const char *suite = suites[i] ? suites[i] : fetch->apt.release;
		unsigned int major = 0, minor = 0;

		error = find_in_suite(fetch, suite, why);
		if (error) {
			if (!*first.text)
				first = *why;
			continue;
		}
		sscanf(fetch->version, "%u.%u", &major, &minor);
		if (suites[i] &&
		    (major < WANTED_MAJOR || (major == WANTED_MAJOR && minor < WANTED_MINOR)))
			continue;
		if (!suites[i])
			log_warning("no kernel of %s can be had (%s); taking %s of Debian %s, "
				    "which %s EINJv2",
				    suites[0], *first.text ? first.text : "it is too old",
				    fetch->version, suite,
				    major > WANTED_MAJOR ||
						    (major == WANTED_MAJOR && minor >= WANTED_MINOR)
					    ? "knows"
					    : "does not know");
		return 0;
	}
	return fail(why, error,
		    "no kernel can be fetched from %s: %s; check the network, or boot a kernel of "
		    "your own with --kernel",
		    fetch->apt.site, first.text);
}

static __thread char *found_kernel;
static __thread char *found_tree;

static int find_kernel_entry(const char *path, const struct stat *status, int kind,
			     struct FTW *where)
{
	const char *name = path + where->base;
	bool in_modules = strstr(path, "lib/modules/");

	(void)status;
	if (kind == FTW_F && strncmp(name, "vmlinuz", 7) == 0 && !found_kernel)
		found_kernel = strdup(path);
	if (kind == FTW_D && in_modules && !strchr(strstr(path, "lib/modules/") + 12, '/') &&
	    !found_tree)
		found_tree = strdup(path);
	return 0;
}

static int copy_file(const char *from, const char *to, struct reason *why)
{
	const char *const argv[] = {"cp", "--reflink=auto", "--", from, to, NULL};
	struct image_command command = {.argv = argv};

	return image_run(&command, why);
}

static int assemble(struct fetch *fetch, const struct rig_profile *profile, const char *final,
		    struct reason *why)
{
	__cleanup_free char *root = format_text("%s/root", fetch->work);
	__cleanup_free char *ready = format_text("%s/ready", fetch->work);
	__cleanup_free char *target = format_text("%s/vmlinuz", ready);
	__cleanup_free char *kernel = NULL;
	__cleanup_free char *tree = NULL;
	__cleanup_free char *release = NULL;
	__cleanup_json json_t *facts = NULL;
	int error;

	found_kernel = found_tree = NULL;
	nftw(root, find_kernel_entry, 32, FTW_PHYS);
	kernel = found_kernel;
	tree = found_tree;
	if (!kernel || !tree)
		return fail(why, -ENOENT, "the packages of %s contain no %s", fetch->version,
			    kernel ? "modules" : "vmlinuz");
	tell(fetch->options, 0.93, "picking modules");
	error = make_directories(ready);
	if (!error)
		error = copy_file(kernel, target, why);
	if (!error)
		error = image_kernel_check(target, &release, why);
	if (!error)
		error = image_modules_pick_all(tree, profile, ready, why);
	if (error)
		return error;
	facts = json_pack("{s:s, s:s}", "release", strrchr(tree, '/') + 1, "version",
			  fetch->version);
	error = image_seal(ready, facts, why);
	return error ? error : image_publish(ready, final, why);
}

/**
 * image_kernel_check - is this file a bzImage
 * @path:    file of the user
 * @release: receives what uname -r will say, "" when the image does not tell; owned by the caller
 *
 * Documentation/arch/x86/boot.rst: "HdrS" at 0x202, the offset of the version's text less 0x200 at
 * 0x20e.
 * Return: 0 or -errno with the reason.
 */
int image_kernel_check(const char *path, char **release, struct reason *why)
{
	__cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char header[0x210];
	char text[128] = "";
	struct stat status;
	off_t offset;

	if (fd < 0)
		return fail(why, -errno, "cannot open the kernel %s: %s", path, strerror(errno));
	if (fstat(fd, &status) == 0 && !S_ISREG(status.st_mode))
		return fail(why, -EINVAL, "the kernel %s is no plain file", path);
	if (pread(fd, header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header + 0x202, "HdrS", 4))
		return fail(why, -EINVAL,
			    "%s is no bzImage; after `make bzImage` it is arch/x86/boot/bzImage in "
			    "the kernel's "
			    "build tree (vmlinux is something else)",
			    path);
	offset = header[0x20e] + header[0x20f] * 256 + 0x200;
	if (offset > 0x200 && pread(fd, text, sizeof(text) - 1, offset) > 0)
		text[strcspn(text, " ")] = '\0';
	*release = strdup(offset > 0x200 ? text : "");
	return *release ? 0 : -ENOMEM;
}

/** image_kernel_release - free what image_kernel_ensure() gave */
void image_kernel_release(struct image_kernel *kernel)
{
	free(kernel->directory);
	free(kernel->release);
	free(kernel->version);
	memset(kernel, 0, sizeof(*kernel));
}

static char *kernel_directory(const char *cache, const char *version,
			      const struct rig_profile *profile)
{
	uint64_t hash = IMAGE_HASH_START;
	char *path;

	for (const char *const *name = profile->modules; *name; name++)
		hash = image_hash(hash, *name, strlen(*name) + 1);
	for (const char *const *name = profile->guest_modules; name && *name; name++)
		hash = image_hash(hash, *name, strlen(*name) + 1);
	path = format_text("%s/kernel-%s-%016llx", cache, version, (unsigned long long)hash);
	/* ':' and '~' of Debian versions are legal in names, yet '~' reads badly in a shell. */
	for (char *character = strrchr(path, '/'); *character; character++)
		if (*character == '~' || *character == ':')
			*character = '_';
	return path;
}

static int fetch_kernel(struct fetch *fetch, const struct rig_profile *profile,
			struct image_kernel *kernel, struct reason *why)
{
	__cleanup_json json_t *facts = NULL;
	struct reason unused;
	int error = image_apt_open(&fetch->apt, fetch->cache, "apt", fetch->options, why);

	if (!error)
		error = find_package(fetch, why);
	if (error)
		return error;
	kernel->version = strdup(fetch->version);
	kernel->directory = kernel_directory(fetch->cache, fetch->version, profile);
	if (image_verify(kernel->directory, &facts, &unused) != 0) {
		/* The packages, what is unpacked of them, and the chosen part. */
		error = image_check_space(fetch->cache, fetch->bytes * 5 / 2, "fetching the kernel",
					  why);
		if (!error)
			error = image_apt_fetch(&fetch->apt,
						&(struct image_packages){.names = fetch->packages,
									 .bytes = fetch->bytes,
									 .what = fetch->version,
									 .from = 0.03,
									 .to = 0.92},
						fetch->work, why);
		if (!error)
			error = assemble(fetch, profile, kernel->directory, why);
		if (!error)
			error = image_verify(kernel->directory, &facts, why);
		if (error)
			return error;
	}
	kernel->release = strdup(json_text(facts, "release", ""));
	return 0;
}

static int remember(const char *cache, const struct image_kernel *kernel, int64_t ask_next)
{
	__cleanup_json json_t *state = json_pack("{s:s, s:I}", "version", kernel->version,
						 "ask_next_ns", (json_int_t)ask_next);
	__cleanup_free char *text = json_dumps(state, JSON_INDENT(1));

	return text ? write_file_atomically(cache, "kernel.json", text, strlen(text)) : -ENOMEM;
}

static int fetch_into_cache(const char *cache, const struct rig_options *options,
			    const struct rig_profile *profile, struct image_kernel *kernel,
			    struct reason *why)
{
	__cleanup_free char *work = format_text("%s/.new-XXXXXX", cache);
	struct fetch fetch = {
		.cache = cache, .work = work, .packages = json_array(), .options = options};
	int error;

	if (!mkdtemp(work)) {
		json_decref(fetch.packages);
		return fail(why, -errno, "cannot make a directory in %s: %s", cache,
			    strerror(errno));
	}
	error = fetch_kernel(&fetch, profile, kernel, why);
	image_remove_tree(work, NULL);
	fetch_release(&fetch);
	if (error)
		image_kernel_release(kernel);
	return error;
}

/**
 * image_kernel_ensure - Debian's newest kernel in the cache
 * @cache:   directory; its lock is held
 * @options: refresh and progress
 * @profile: names the modules
 * @kernel:  receives it; image_kernel_release()
 *
 * The network is asked at most once a week; when it can not be asked, what the cache holds is used.
 * Return: 0 or -errno.
 */
int image_kernel_ensure(const char *cache, const struct rig_options *options,
			const struct rig_profile *profile, struct image_kernel *kernel,
			struct reason *why)
{
	__cleanup_free char *path = format_text("%s/kernel.json", cache);
	__cleanup_json json_t *state = json_load_file(path, 0, NULL);
	__cleanup_free char *known = NULL;
	__cleanup_json json_t *facts = NULL;
	const char *version = json_text(state, "version", NULL);
	struct reason damage = {""};
	int64_t now = now_realtime_ns();
	int64_t ask_next = json_number(state, "ask_next_ns", 0);
	int error;

	memset(kernel, 0, sizeof(*kernel));
	if (version) {
		known = kernel_directory(cache, version, profile);
		error = image_verify(known, &facts, &damage);
		if (error == -EBADMSG) {
			log_warning("the cached kernel %s is damaged (%s); fetching it again",
				    version, damage.text);
			image_remove_tree(known, NULL);
		}
	}
	/* A date far ahead comes from a clock that was wrong. */
	if (!facts || options->refresh || now >= ask_next || ask_next > now + ASK_AGAIN_NS) {
		error = fetch_into_cache(cache, options, profile, kernel, why);
		if (!error)
			return remember(cache, kernel, now + ASK_AGAIN_NS);
		if (!facts)
			return error;
		log_warning("cannot ask for a newer kernel (%s); going on with %s", why->text,
			    version);
		kernel->version = strdup(version);
		remember(cache, kernel, now + ASK_AGAIN_OFFLINE_NS);
	}
	if (!kernel->version)
		kernel->version = strdup(version);
	kernel->directory = strdup(known);
	kernel->release = strdup(json_text(facts, "release", ""));
	return 0;
}
