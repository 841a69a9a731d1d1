// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel of a host: Debian's newest, or the user's.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/rig/image/image.h"

#define ASK_AGAIN_NS (7 * 24 * 3600 * NSEC_PER_SEC)
#define ASK_AGAIN_OFFLINE_NS (24 * 3600 * NSEC_PER_SEC)

/**
 * image_kernel_check - check that a file is a bzImage
 * @path:    file of the user
 * @release: receives the release as of uname -r, "" if the image lacks it; owned by the caller
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
		return fail_errno(why, -errno, "cannot open the kernel %s", path);
	if (fstat(fd, &status) == 0 && !S_ISREG(status.st_mode))
		return fail(why, -EINVAL, "the kernel %s is not a regular file", path);
	if (pread(fd, header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header + 0x202, "HdrS", 4))
		return fail(why, -EINVAL,
			    "%s is not a bzImage; `make bzImage` builds arch/x86/boot/bzImage in "
			    "the kernel's build tree (vmlinux is another format)",
			    path);
	offset = header[0x20e] + header[0x20f] * 256 + 0x200;
	if (offset > 0x200 && pread(fd, text, sizeof(text) - 1, offset) > 0)
		text[strcspn(text, " ")] = '\0';
	*release = xstrdup(offset > 0x200 ? text : "");
	return 0;
}

static char *kernel_directory(const struct image_job *job, const char *version)
{
	char *path = format_text("%s/kernel-%s-%016llx", job->cache, version,
				 (unsigned long long)job->key);

	/* ':' and '~' of Debian versions are legal in file names, but '~' is special in a shell. */
	for (char *character = strrchr(path, '/'); *character; character++)
		if (*character == '~' || *character == ':')
			*character = '_';
	return path;
}

/* @facts and @directory: of the cached kernel; they change when there is a newer one. */
static int fetch(struct image_job *job, json_t **facts, char **directory, struct reason *why)
{
	__cleanup_json json_t *found = NULL;
	__cleanup_json json_t *cached = NULL;
	__cleanup_free char *path = NULL;
	int error = image_job_run(job, "find", &found, why);

	if (error)
		return error;
	path = kernel_directory(job, json_text(found, "version", ""));
	if (image_verify(path, &cached, NULL)) {
		error = image_job_run(job, "fetch", &found, why)
				?: image_job_publish(job, found, path, why);
		if (error)
			return error;
	}
	json_decref(*facts);
	*facts = cached ? steal(cached) : steal(found);
	free(*directory);
	*directory = steal(path);
	return 0;
}

static int remember(const char *cache, const json_t *facts, int64_t ask_next)
{
	__cleanup_json json_t *state =
		json_pack("{s:s, s:I}", "version", json_text(facts, "version", ""), "ask_next_ns",
			  (json_int_t)ask_next);

	return write_json_atomically(cache, "kernel.json", state);
}

/**
 * image_kernel_ensure - provide Debian's newest kernel in the cache
 * @job:       with the modules in its request
 * @directory: receives the path, which holds vmlinuz and modules; owned by the caller
 * @release:   receives what uname -r prints; owned by the caller
 *
 * Looks for a newer one at most once a week; if that fails, the cached kernel is used.
 *
 * Return: 0 or -errno.
 */
int image_kernel_ensure(struct image_job *job, char **directory, char **release, struct reason *why)
{
	__cleanup_free char *path = format_text("%s/kernel.json", job->cache);
	__cleanup_json json_t *state = json_load_file(path, 0, NULL);
	__cleanup_free char *known = NULL;
	__cleanup_json json_t *facts = NULL;
	const char *version = json_text(state, "version", NULL);
	struct reason damage = {""};
	int64_t now = now_realtime_ns();
	int64_t ask_next = json_number(state, "ask_next_ns", 0);
	int error = 0;

	known = kernel_directory(job, version ?: "");
	if (image_verify(known, &facts, &damage) == -EBADMSG)
		log_warning("the cached kernel %s is damaged (%s); fetching it again", version,
			    damage.text);
	/* A date far in the future was written with a wrong clock. */
	if (!facts || job->options->refresh || now >= ask_next || ask_next > now + ASK_AGAIN_NS) {
		error = fetch(job, &facts, &known, why);
		if (error && !facts)
			return error;
		if (error)
			log_warning("cannot look for a newer kernel (%s); using %s", why->text,
				    version);
		error = remember(job->cache, facts,
				 now + (error ? ASK_AGAIN_OFFLINE_NS : ASK_AGAIN_NS));
		if (error)
			return fail_errno(why, error, "cannot write %s", path);
	}
	*directory = steal(known);
	*release = xstrdup(json_text(facts, "release", ""));
	return 0;
}
