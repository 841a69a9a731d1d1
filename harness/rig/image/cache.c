// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cache on disk. An entry is complete or missing: it is built in a temporary directory, gets a manifest of checksums, is
 * synced and renamed. Each use verifies the manifest.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "harness/rig/image/image.h"

#define MANIFEST "manifest.json"

static int checksum_file(const char *path, json_t **entry)
{
	__cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	uint32_t crc = 0;
	char text[16];
	void *data;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (status.st_size) {
		data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd,
			    0);
		if (data == MAP_FAILED)
			return -errno;
		crc = crc32c(0, data, (size_t)status.st_size);
		munmap(data, (size_t)status.st_size);
	}
	snprintf(text, sizeof(text), "%08x", crc);
	*entry = json_pack("{s:I, s:s}", "size", (json_int_t)status.st_size, "crc32c", text);
	return 0;
}

static int sync_path(const char *path)
{
	__cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/**
 * image_seal - write the manifest of a directory: size and checksum of every plain file at its top
 * @directory: with the files, all of them closed
 * @facts:     stored in the manifest; borrowed
 *
 * Return: 0 or -errno.
 */
int image_seal(const char *directory, json_t *facts, struct reason *why)
{
	__cleanup_json json_t *files = json_object();
	__cleanup_json json_t *manifest = NULL;
	struct dirent *item;
	__cleanup_directory DIR *listing = opendir(directory);
	int error = listing ? 0 : -errno;

	while (!error && (item = readdir(listing))) {
		__cleanup_free char *path = format_text("%s/%s", directory, item->d_name);
		json_t *entry = NULL;

		if (item->d_name[0] == '.' || item->d_type == DT_DIR ||
		    strcmp(item->d_name, MANIFEST) == 0)
			continue;
		error = checksum_file(path, &entry) ?: sync_path(path);
		json_object_set_new(files, item->d_name, entry);
	}
	if (!error) {
		manifest = json_pack("{s:O, s:O}", "facts", facts, "files", files);
		error = write_json_atomically(directory, MANIFEST, manifest);
	}
	return error ? fail_errno(why, error, "cannot seal %s", directory) : 0;
}

/**
 * image_verify - check a sealed directory against its manifest
 * @directory: path
 * @facts:     receives those of image_seal(); owned by the caller; may be NULL
 *
 * Return: 0, -ENOENT when there is no such directory, -EBADMSG with the reason when it is damaged.
 */
int image_verify(const char *directory, json_t **facts, struct reason *why)
{
	__cleanup_free char *path = format_text("%s/" MANIFEST, directory);
	__cleanup_json json_t *manifest = NULL;
	const char *name;
	json_t *expected;

	if (access(directory, F_OK) < 0)
		return fail(why, -ENOENT, "%s does not exist", directory);
	manifest = json_load_file(path, 0, NULL);
	if (!json_is_object(json_object_get(manifest, "files")))
		return fail(why, -EBADMSG, "its %s is missing or unreadable", MANIFEST);
	json_object_foreach (json_object_get(manifest, "files"), name, expected) {
		__cleanup_free char *file = format_text("%s/%s", directory, name);
		__cleanup_json json_t *found = NULL;
		int error = checksum_file(file, &found);

		if (error)
			return fail(why, -EBADMSG, "%s: %s", name, strerror(-error));
		if (!json_equal(found, expected))
			return fail(why, -EBADMSG,
				    "%s has %lld bytes and checksum %s instead of %lld and %s",
				    name, (long long)json_number(found, "size", -1),
				    json_text(found, "crc32c", "?"),
				    (long long)json_number(expected, "size", -1),
				    json_text(expected, "crc32c", "?"));
	}
	if (facts)
		*facts = json_incref(json_object_get(manifest, "facts"));
	return 0;
}

/**
 * image_publish - move a sealed directory to its place, durably
 * @temporary: beside @final
 * @final:     replaced when it exists
 *
 * Return: 0 or -errno.
 */
int image_publish(const char *temporary, const char *final, struct reason *why)
{
	__cleanup_free char *parent = xstrdup(final);
	int error = sync_path(temporary);

	*strrchr(parent, '/') = '\0';
	if (!error)
		error = image_remove_tree(final, NULL);
	if (!error && rename(temporary, final) < 0)
		error = -errno;
	if (!error)
		error = sync_path(parent);
	return error ? fail_errno(why, error, "cannot move %s to %s", temporary, final) : 0;
}

/**
 * image_cache_directory - ${XDG_CACHE_HOME:-~/.cache}/brinell, made when it is missing
 * @path: receives it; owned by the caller
 *
 * Return: 0 or -errno.
 */
int image_cache_directory(char **path, struct reason *why)
{
	__cleanup_free char *cache = cache_directory();
	int error;

	if (!cache)
		return fail(why, -ENOENT, "no place for the cache: set HOME or XDG_CACHE_HOME");
	error = make_directories(cache);
	if (error)
		return fail(why, error,
			    "cannot make the cache %s: %s; set XDG_CACHE_HOME to a directory "
			    "that can be written",
			    cache, strerror(-error));
	*path = steal(cache);
	return 0;
}

static int64_t modified_ns(const char *path)
{
	struct stat status;

	return stat(path, &status) < 0
		       ? 0
		       : status.st_mtim.tv_sec * NSEC_PER_SEC + status.st_mtim.tv_nsec;
}

/**
 * image_cache_prune - remove the oldest entries of the cache
 * @prefix: of their names
 * @keep:   number of entries that stay
 *
 * Running hosts hold their files open and are not affected.
 */
void image_cache_prune(const char *cache, const char *prefix, int keep)
{
	for (int count = keep + 1; count > keep;) {
		__cleanup_free char *oldest = NULL;
		__cleanup_directory DIR *listing = opendir(cache);
		struct dirent *item;

		for (count = 0; listing && (item = readdir(listing));) {
			__cleanup_free char *path = format_text("%s/%s", cache, item->d_name);

			if (strncmp(item->d_name, prefix, strlen(prefix)))
				continue;
			count++;
			if (!oldest || modified_ns(path) < modified_ns(oldest)) {
				free(oldest);
				oldest = steal(path);
			}
		}
		if (count > keep && image_remove_tree(oldest, NULL))
			return;
	}
}

/**
 * image_cache_lock - one builder at a time
 * @cache:    directory of the cache
 * @lock:     receives a file descriptor; closing it ends the lock
 * @progress: called before it waits for another builder; may be NULL
 *
 * Removes what killed builders left. Return: 0 or -errno.
 */
int image_cache_lock(const char *cache, int *lock, rig_progress_fn progress, void *context,
		     struct reason *why)
{
	__cleanup_free char *path = format_text("%s/lock", cache);
	/*
	 * Inherited by the scripts: after this process is killed, the next builder waits until
	 * they are gone too.
	 */
	__cleanup_close int fd = open(path, O_RDWR | O_CREAT, 0644);

	if (fd < 0)
		return fail_errno(why, -errno, "cannot open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return fail_errno(why, -errno, "cannot lock %s", path);
		if (progress)
			progress(context,
				 "waiting for another brinell that builds in the same cache", -1);
		while (flock(fd, LOCK_EX) < 0)
			if (errno != EINTR)
				return fail_errno(why, -errno, "cannot lock %s", path);
	}
	image_cache_prune(cache, ".new-", 0);
	*lock = fd;
	fd = -1;
	return 0;
}

/**
 * rig_image_clean - remove the whole cache
 * @bytes: receives what was freed; may be NULL
 *
 * Return: 0 or -errno.
 */
int rig_image_clean(unsigned long long *bytes, struct reason *why)
{
	__cleanup_free char *cache = NULL;
	__cleanup_close int lock = -1;
	unsigned long long freed = 0;
	int error = image_cache_directory(&cache, why)
			    ?: image_cache_lock(cache, &lock, NULL, NULL, why);

	if (error)
		return error;
	error = image_remove_tree(cache, &freed);
	if (error)
		return fail_errno(why, error, "cannot remove all of %s", cache);
	if (bytes)
		*bytes = freed;
	return 0;
}
