// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a host boots: a kernel, and an archive named by the hash of all that went into it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/rig/image/image.h"

/*
 * Changed when the archive is put together in another way, so that old ones are not taken for new
 * ones.
 */
#define LAYOUT "2"

#define KEPT_IMAGES 6

/** rig_image_release - free what rig_image_ensure() gave */
void rig_image_release(struct rig_image *image)
{
	free(image->kernel);
	free(image->initramfs);
	free(image->system);
	free(image->release);
	memset(image, 0, sizeof(*image));
}

static int hash_file(uint64_t *hash, const char *path, struct reason *why)
{
	__cleanup_free char *data = NULL;
	size_t length;
	int error = read_small_file(path, &data, &length);

	if (error)
		return fail(why, error, "cannot read %s: %s", path, strerror(-error));
	*hash = image_hash(*hash, &length, sizeof(length));
	*hash = image_hash(*hash, data, length);
	return 0;
}

static int by_name(const struct dirent **left, const struct dirent **right)
{
	return strcmp((*left)->d_name, (*right)->d_name);
}

static int module_files(const struct dirent *item)
{
	size_t length = strlen(item->d_name);

	return strncmp(item->d_name, "brinell.", 8) == 0 ||
	       (length > 3 && strcmp(item->d_name + length - 3, ".ko") == 0);
}

static int hash_modules(uint64_t *hash, const char *directory, struct reason *why)
{
	struct dirent **items = NULL;
	int count = scandir(directory, &items, module_files, by_name);
	int error = count < 0 ? -errno : 0;

	if (error)
		return fail(why, error, "cannot read %s: %s", directory, strerror(-error));
	for (int i = 0; i < count; i++) {
		__cleanup_free char *path = format_text("%s/%s", directory, items[i]->d_name);

		*hash = image_hash(*hash, items[i]->d_name, strlen(items[i]->d_name) + 1);
		if (!error)
			error = hash_file(hash, path, why);
		free(items[i]);
	}
	free(items);
	return error;
}

static int image_key(const struct image_parts *parts, uint64_t *key, struct reason *why)
{
	int error;

	*key = image_hash(IMAGE_HASH_START, LAYOUT, sizeof(LAYOUT));
	*key = image_hash(*key, parts->profile->name, strlen(parts->profile->name) + 1);
	*key = image_hash(*key, parts->release, strlen(parts->release) + 1);
	error = hash_file(key, parts->busybox, why);
	if (!error)
		error = hash_file(key, parts->agent, why);
	if (!error && parts->guest)
		error = hash_file(key, parts->guest, why);
	if (!error)
		error = hash_file(key, parts->init, why);
	if (!error && parts->start)
		error = hash_file(key, parts->start, why);
	if (!error && parts->kernel)
		error = hash_file(key, parts->kernel, why);
	if (!error && parts->modules)
		error = hash_modules(key, parts->modules, why);
	return error;
}

static int image_entries(const struct dirent *item)
{
	return strncmp(item->d_name, "image-", 6) == 0;
}

static int64_t modified_ns(const char *cache, const char *name)
{
	__cleanup_free char *path = format_text("%s/%s", cache, name);
	struct stat status;

	return stat(path, &status) < 0
		       ? 0
		       : status.st_mtim.tv_sec * NSEC_PER_SEC + status.st_mtim.tv_nsec;
}

/*
 * Each rebuilt agent makes an archive; the oldest go. Hosts that run hold theirs open and are not
 * hurt.
 */
static void prune_images(const char *cache)
{
	struct dirent **items = NULL;
	int count = scandir(cache, &items, image_entries, NULL);

	for (int left = count; left > KEPT_IMAGES; left--) {
		int oldest = -1;

		for (int i = 0; i < count; i++)
			if (items[i] &&
			    (oldest < 0 || modified_ns(cache, items[i]->d_name) <
						   modified_ns(cache, items[oldest]->d_name)))
				oldest = i;
		__cleanup_free char *path = format_text("%s/%s", cache, items[oldest]->d_name);

		image_remove_tree(path, NULL);
		free(steal(items[oldest]));
	}
	for (int i = 0; i < count; i++)
		free(items[i]);
	free(items);
}

static int build_archive(const char *cache, const struct image_parts *parts, const char *final,
			 struct reason *why)
{
	__cleanup_free char *work = format_text("%s/.new-XXXXXX", cache);
	__cleanup_json json_t *facts =
		json_pack("{s:s, s:s}", "profile", parts->profile->name, "release", parts->release);
	__cleanup_free char *archive = NULL;
	int error;

	error = image_check_space(cache, 96ull << 20, "building the image of the host", why);
	if (error)
		return error;
	if (!mkdtemp(work) || chmod(work, 0755) < 0)
		return fail(why, -errno, "cannot make a directory in %s: %s", cache,
			    strerror(errno));
	archive = format_text("%s/initramfs", work);
	error = image_archive_build(parts, work, archive, why);
	if (!error)
		error = image_seal(work, facts, why);
	if (!error)
		error = image_publish(work, final, why);
	if (error)
		image_remove_tree(work, NULL);
	return error;
}

static int ensure_archive(const char *cache, const struct rig_options *options,
			  const struct image_parts *parts, struct rig_image *image,
			  struct reason *why)
{
	__cleanup_free char *final = NULL;
	struct reason damage = {""};
	uint64_t key;
	int error = image_key(parts, &key, why);

	if (error)
		return error;
	final = format_text("%s/image-%s-%016llx", cache, parts->profile->name,
			    (unsigned long long)key);
	error = image_verify(final, NULL, &damage);
	if (error == -EBADMSG)
		log_warning("the cached image %s is damaged (%s); building it again",
			    strrchr(final, '/') + 1, damage.text);
	if (error) {
		if (options->progress)
			options->progress(options->context,
					  "building the host's root file system (about 1 s)", 0.95);
		error = build_archive(cache, parts, final, why);
		if (error)
			return error;
		image->built = true;
		prune_images(cache);
	}
	image->initramfs = format_text("%s/initramfs", final);
	return 0;
}

static int pick_own_modules(const struct rig_options *options, const struct rig_profile *profile,
			    const char *cache, char **picked, struct reason *why)
{
	__cleanup_free char *directory = format_text("%s/.new-XXXXXX", cache);
	int error;

	if (!mkdtemp(directory))
		return fail(why, -errno, "cannot make a directory in %s: %s", cache,
			    strerror(errno));
	error = image_modules_pick_all(options->modules, profile, directory, why);
	if (error)
		image_remove_tree(directory, NULL);
	else
		*picked = steal(directory);
	return error;
}

static int ensure(const struct rig_options *options, const struct rig_profile *profile,
		  const char *cache, struct rig_image *image, struct reason *why)
{
	__cleanup_free char *busybox = NULL;
	__cleanup_free char *agent = NULL;
	__cleanup_free char *guest = NULL;
	__cleanup_free char *init = NULL;
	__cleanup_free char *start = NULL;
	__cleanup_free char *own = NULL;
	struct image_kernel kernel = {0};
	struct image_parts parts = {.profile = profile};
	const char *program = profile->agent ? profile->agent : "brinell-agent";
	const char *missing = NULL;
	int error = image_find_busybox(&busybox, why);

	if (error)
		return error;
	if (rig_find_file(program, &agent))
		missing = program;
	else if (profile->guest && rig_find_file("brinell-guest", &guest))
		missing = "brinell-guest";
	else if (rig_find_file("init", &init))
		missing = "the rig's init script";
	if (missing)
		return fail(why, -ENOENT,
			    "%s is not where brinell comes from (beside the program or in %s): "
			    "run make",
			    missing, RIG_DIR);
	if (profile->start && rig_find_file(profile->start, &start))
		return fail(why, -ENOENT,
			    "%s is not where brinell comes from (beside the program or in %s): "
			    "run make",
			    profile->start, RIG_DIR);
	if (options->kernel) {
		error = image_kernel_check(options->kernel, &image->release, why);
		if (!error && options->modules)
			error = pick_own_modules(options, profile, cache, &own, why);
		image->kernel = realpath(options->kernel, NULL);
		parts.modules = own;
	} else {
		error = image_kernel_ensure(cache, options, profile, &kernel, why);
		if (!error) {
			image->kernel = format_text("%s/vmlinuz", kernel.directory);
			image->release = strdup(kernel.release);
			image->stock = true;
			parts.modules = kernel.directory;
		}
	}
	parts.release = image->release;
	parts.busybox = busybox;
	parts.agent = agent;
	parts.guest = guest;
	parts.init = init;
	parts.start = start;
	parts.kernel = profile->guest_modules ? image->kernel : NULL;
	if (!error && profile->system)
		error = image_system_ensure(cache, options, profile, busybox, image, why);
	if (!error)
		error = ensure_archive(cache, options, &parts, image, why);
	if (own)
		image_remove_tree(own, NULL);
	image_kernel_release(&kernel);
	return error;
}

/**
 * rig_image_ensure - have a kernel and a root file system ready
 * @options: profile, kernel, modules, refresh, progress
 * @image:   receives the paths; rig_image_release()
 *
 * Takes what the cache holds when it is whole and made of the same parts, builds it otherwise.
 * Needs no root.
 * Return: 0 or -errno with the reason; nothing half made is left.
 */
int rig_image_ensure(const struct rig_options *options, struct rig_image *image, struct reason *why)
{
	const struct rig_profile *profile = rig_profile_find(options->profile);
	__cleanup_free char *cache = NULL;
	__cleanup_close int lock = -1;
	int error;

	memset(image, 0, sizeof(*image));
	if (!profile)
		return fail(why, -EINVAL, "there is no rig profile '%s'", options->profile);
	error = image_cache_directory(&cache, why);
	if (!error)
		error = image_cache_lock(cache, &lock, options->progress, options->context, why);
	if (!error)
		error = ensure(options, profile, cache, image, why);
	if (error)
		rig_image_release(image);
	else if (options->progress)
		options->progress(options->context, "ready", 1);
	return error;
}
