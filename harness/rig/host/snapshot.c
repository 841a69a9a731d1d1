// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots of hosts: the state of the emulated machine after the host has started all services, and before the first call. A
 * snapshot is in the cache under a hash of all its inputs, so that after a change of an input a new one is made.
 *
 * The kernel generates its boot_id at the first read (drivers/char/random.c, proc_do_uuid()), by the agent for its hello, so it
 * is not part of the snapshot. See harness/host/seed.c for why it differs from host to host.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/rig/image/image.h"
#include "harness/rig/host/supervisor_internal.h"

/* For a host with a shell at its console, for one without, and for the previous brinell. */
#define KEPT_SNAPSHOTS 3
#define QMP_TIMEOUT_MS 15000
/* Boots take 10 s on an idle machine, and a minute on a busy one. */
#define READY_NS (180 * NSEC_PER_SEC)
#define MIGRATION_NS (60 * NSEC_PER_SEC)
/* Bytes per second: no limit but the disk. */
#define BANDWIDTH (16ll << 30)
#define STATE "state"

static bool is_wanted(const struct supervisor *supervisor)
{
	const char *shell = json_text(supervisor->config, "shell", "again");

	/* A verbose boot must show the boot. With "again" a shell is at the console already. */
	return supervisor->profile->snapshot && !supervisor->host_number &&
	       strcmp(shell, "again") == 0 &&
	       !json_is_true(json_object_get(supervisor->config, "verbose"));
}

static uint64_t hash_file(uint64_t hash, const struct stat *status)
{
	const uint64_t identity[] = {status->st_dev, status->st_ino, (uint64_t)status->st_size,
				     (uint64_t)status->st_mtim.tv_sec,
				     (uint64_t)status->st_mtim.tv_nsec};

	return image_hash(hash, identity, sizeof(identity));
}

/* Hash a word of the command line, without the directory of this rig and descriptor numbers. */
static uint64_t hash_word(uint64_t hash, const char *word, const char *directory)
{
	static const char descriptor[] = "/proc/self/fd/";
	size_t length = strlen(directory);

	while (*word) {
		if (strncmp(word, directory, length) == 0) {
			word += length;
		} else if (strncmp(word, descriptor, sizeof(descriptor) - 1) == 0) {
			word += sizeof(descriptor) - 1;
			word += strspn(word, "0123456789");
		} else {
			hash = image_hash(hash, word++, 1);
		}
	}
	return image_hash(hash, "", 1);
}

/* Return: path in the cache, owned by the caller; NULL when there is no cache. */
static char *find_place(const struct supervisor *supervisor, char **cache, struct reason *why)
{
	const int parts[] = {supervisor->kernel, supervisor->initramfs, supervisor->system,
			     supervisor->hypervisor};
	const char *const files[] = {json_text(supervisor->config, "qemu", ""),
				     json_text(supervisor->config, "plugin", "")};
	char **words = supervisor_qemu_command(supervisor, -1, NULL);
	uint64_t hash = IMAGE_HASH_START;
	struct stat status;

	for (char **word = words; *word; word++)
		hash = hash_word(hash, *word, supervisor->directory);
	qemu_arguments_free(words);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (parts[i] >= 0 && fstat(parts[i], &status) == 0)
			hash = hash_file(hash, &status);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (stat(files[i], &status) == 0)
			hash = hash_file(hash, &status);
	if (image_cache_directory(cache, why))
		return NULL;
	return format_text("%s/snapshot-%s-%016llx", *cache, supervisor->profile->name,
			   (unsigned long long)hash);
}

/**
 * snapshot_open - open the snapshot of this host
 *
 * Return: a descriptor of its file, or -1 when there is none, or it is damaged.
 */
int snapshot_open(const struct supervisor *supervisor)
{
	__cleanup_free char *cache = NULL;
	__cleanup_free char *place = NULL;
	__cleanup_free char *path = NULL;

	if (!is_wanted(supervisor))
		return -1;
	place = find_place(supervisor, &cache, NULL);
	if (!place || image_verify(place, NULL, NULL))
		return -1;
	path = format_text("%s/" STATE, place);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/** snapshot_remove - remove the snapshot of this host, because the host does not resume from it */
void snapshot_remove(const struct supervisor *supervisor)
{
	__cleanup_free char *cache = NULL;
	__cleanup_free char *place = find_place(supervisor, &cache, NULL);

	if (place)
		image_remove_tree(place, NULL);
}

/* Poll a status of QEMU until it is @wanted or @failed. */
static int await_status(struct supervisor *supervisor, const char *query, const char *wanted,
			const char *failed, struct reason *why)
{
	int64_t deadline = now_monotonic_ns() + MIGRATION_NS;
	char last[64] = "";

	while (now_monotonic_ns() < deadline) {
		__cleanup_json json_t *reply = NULL;
		int error = qmp_execute(supervisor->qmp, query, NULL, QMP_TIMEOUT_MS, &reply);

		if (error)
			return fail(why, error, "QEMU does not answer %s: %s", query,
				    strerror(-error));
		snprintf(last, sizeof(last), "%s", json_text(reply, "status", ""));
		if (strcmp(last, wanted) == 0)
			return 0;
		if (strcmp(last, failed) == 0)
			return fail(why, -EIO, "%s",
				    json_text(reply, "error-desc", "QEMU gives no reason"));
		poll(NULL, 0, 5);
	}
	return fail(why, -ETIMEDOUT, "QEMU answers '%s' to %s, not '%s'", last, query, wanted);
}

static int resume(struct supervisor *supervisor, struct reason *why)
{
	int error = qmp_execute(supervisor->qmp, "cont", NULL, QMP_TIMEOUT_MS, NULL);

	return error ? fail(why, error, "QEMU does not resume the host: %s", strerror(-error)) : 0;
}

/**
 * snapshot_resume - resume a host that was started from its snapshot, once QEMU has read it
 *
 * Return: 0 or -errno.
 */
int snapshot_resume(struct supervisor *supervisor, struct reason *why)
{
	/* A machine whose state was written while it was stopped is paused after the state is read. */
	int error = await_status(supervisor, "query-status", "paused", "internal-error", why);

	return error ? error : resume(supervisor, why);
}

static bool is_terminating(void)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1 ||
	       sigismember(&pending, SIGHUP) == 1;
}

/* Wait for the boot. The event loop of the supervisor does not run meanwhile. */
static int await_ready(struct supervisor *supervisor, struct reason *why)
{
	int64_t deadline = now_monotonic_ns() + READY_NS;
	struct pollfd output[] = {{.fd = supervisor->output, .events = POLLIN},
				  {.fd = supervisor->errors, .events = POLLIN}};

	while (!supervisor->ready) {
		if (is_terminating())
			return fail(why, -EINTR, "interrupted");
		if (now_monotonic_ns() > deadline)
			return fail(why, -ETIMEDOUT, "the host is not ready after %lld s",
				    READY_NS / NSEC_PER_SEC);
		if (poll(output, ARRAY_SIZE(output), 200) <= 0)
			continue;
		if (supervisor_read_output(supervisor))
			return fail(why, -ENOTCONN, "QEMU ended during the boot");
	}
	return 0;
}

static int write_state(struct supervisor *supervisor, const char *directory, struct reason *why)
{
	__cleanup_free char *uri = format_text("file:%s/" STATE, directory);
	int error;

	(void)qmp_execute(supervisor->qmp, "migrate-set-parameters",
			  json_pack("{s:I}", "max-bandwidth", (json_int_t)BANDWIDTH),
			  QMP_TIMEOUT_MS, NULL);
	error = qmp_execute(supervisor->qmp, "migrate", json_pack("{s:s}", "uri", uri),
			    QMP_TIMEOUT_MS, NULL);
	return error ? fail(why, error, "QEMU does not write its state: %s", strerror(-error))
		     : await_status(supervisor, "query-migrate", "completed", "failed", why);
}

static int keep_state(struct supervisor *supervisor, const char *cache, const char *place,
		      struct reason *why)
{
	__cleanup_free char *work = format_text("%s/.new-XXXXXX", cache);
	__cleanup_free char *prefix = format_text("snapshot-%s-", supervisor->profile->name);
	__cleanup_json json_t *facts =
		json_pack("{s:s}", "kernel", json_text(supervisor->config, "release", ""));
	int error;

	if (!mkdtemp(work))
		return fail(why, -errno, "cannot make a directory in %s: %s", cache,
			    strerror(errno));
	error = qmp_execute(supervisor->qmp, "stop", NULL, QMP_TIMEOUT_MS, NULL);
	if (error)
		fail(why, error, "QEMU does not stop: %s", strerror(-error));
	else
		error = write_state(supervisor, work, why);
	if (!error)
		error = image_seal(work, facts, why);
	if (!error)
		error = image_publish(work, place, why);
	if (error)
		image_remove_tree(work, NULL);
	else
		image_cache_prune(cache, prefix, KEPT_SNAPSHOTS);
	return error;
}

/**
 * snapshot_make - wait until a booting host is ready, and save its state
 *
 * A failure to write the snapshot is only a warning; the host is resumed in any case.
 *
 * Return: 0, or -errno with the reason when the host does not become ready, or is not resumed.
 */
int snapshot_make(struct supervisor *supervisor, struct reason *why)
{
	__cleanup_free char *cache = NULL;
	__cleanup_free char *place = NULL;
	__cleanup_close int lock = -1;
	struct reason because = {""};
	int error;

	if (!is_wanted(supervisor))
		return 0;
	error = await_ready(supervisor, why);
	if (error)
		return error;
	place = find_place(supervisor, &cache, &because);
	error = place ? image_cache_lock(cache, &lock, NULL, NULL, &because) : -ENOENT;
	if (!error)
		error = keep_state(supervisor, cache, place, &because);
	if (error)
		log_warning("no snapshot of the host is saved: %s", because.text);
	return resume(supervisor, why);
}
