// SPDX-License-Identifier: GPL-2.0-only
/*
 * Directories of rigs that are up: each rig has a private one below ${XDG_RUNTIME_DIR}/brinell or /tmp/brinell-UID. Its
 * supervisor holds a lock in it. A directory whose lock is free is left from a killed supervisor.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "harness/rig/image/image.h"
#include "harness/rig/host/supervisor.h"

/* "/NAME-XXXXXX/doorbell" behind the base must fit into a socket's address. */
#define LONGEST_TAIL 40

/**
 * rig_runtime_directory - find the parent of the directories of rigs; created when it is missing
 * @path: receives it; owned by the caller
 *
 * Return: 0, -EPERM when it belongs to another user, or -errno.
 */
int rig_runtime_directory(char **path, struct reason *why)
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	__cleanup_free char *directory = NULL;
	struct stat status;

	if (base && *base == '/' && access(base, W_OK) == 0 &&
	    strlen(base) + strlen("/brinell") + LONGEST_TAIL <
		    sizeof(((struct sockaddr_un *)NULL)->sun_path))
		directory = format_text("%s/brinell", base);
	else
		directory = format_text("/tmp/brinell-%u", geteuid());
	if (mkdir(directory, 0700) < 0 && errno != EEXIST)
		return fail_errno(why, -errno, "cannot make %s for the rig's sockets", directory);
	/* All users can write to /tmp: refuse a directory that another user created. */
	if (lstat(directory, &status) < 0 || !S_ISDIR(status.st_mode) ||
	    status.st_uid != geteuid() || (status.st_mode & 077))
		return fail(why, -EPERM,
			    "%s is not a private directory of this user; remove it, or set "
			    "XDG_RUNTIME_DIR",
			    directory);
	*path = steal(directory);
	return 0;
}

/*
 * Held while a directory is created and while stale ones are removed, so that a new one without a lock yet does not count as
 * stale.
 */
static int lock_base(const char *base)
{
	int fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (fd >= 0 && flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			break;
	return fd;
}

/**
 * rig_directory_create - create the directory of a new rig
 * @profile:   prefix of its name
 * @directory: receives the path; owned by the caller
 * @lock:      receives the lock's file descriptor (close-on-exec)
 *
 * Return: 0 or -errno.
 */
int rig_directory_create(const char *profile, char **directory, int *lock, struct reason *why)
{
	__cleanup_free char *base = NULL;
	__cleanup_free char *path = NULL;
	__cleanup_free char *file = NULL;
	__cleanup_close int guard = -1;
	int error = rig_runtime_directory(&base, why);
	int fd;

	if (error)
		return error;
	guard = lock_base(base);
	path = format_text("%s/%s-XXXXXX", base, profile);
	if (!mkdtemp(path))
		return fail_errno(why, -errno, "cannot make a directory in %s", base);
	file = format_text("%s/" SUPERVISOR_LOCK, path);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
		error = fail_errno(why, -errno, "cannot lock %s", file);
		image_remove_tree(path, NULL);
		return error;
	}
	*directory = steal(path);
	*lock = fd;
	return 0;
}

static void state_free(struct rig_state *state)
{
	free(state->name);
	free(state->directory);
	free(state->profile);
	free(state->kernel);
}

/** rig_state_list_free - free an array of rig_state_list() */
void rig_state_list_free(struct rig_state *states, size_t count)
{
	for (size_t i = 0; i < count; i++)
		state_free(&states[i]);
	free(states);
}

static bool is_locked(const char *directory)
{
	__cleanup_free char *path = format_text("%s/" SUPERVISOR_LOCK, directory);
	__cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static void state_read(struct rig_state *state, const char *base, const char *name)
{
	__cleanup_free char *path = format_text("%s/%s/" SUPERVISOR_STATE, base, name);
	__cleanup_json json_t *json = json_load_file(path, 0, NULL);

	state->name = xstrdup(name);
	state->directory = format_text("%s/%s", base, name);
	state->profile = xstrdup(json_text(json, "profile", "?"));
	state->kernel = xstrdup(json_text(json, "kernel", "?"));
	state->pid = (pid_t)json_number(json, "pid", 0);
	state->started_ns = json_number(json, "started_ns", 0);
	state->deadline_ns = json_number(json, "deadline_ns", 0);
	state->detached = json_is_true(json_object_get(json, "detached"));
	state->alive = is_locked(state->directory);
}

/**
 * rig_state_list - list all rigs of this user, including the remains of killed ones
 * @states: receives an array; rig_state_list_free()
 * @count:  receives its length
 *
 * Return: 0 or -errno.
 */
int rig_state_list(struct rig_state **states, size_t *count, struct reason *why)
{
	__cleanup_free char *base = NULL;
	struct dirent *item;
	__cleanup_directory DIR *listing = NULL;
	int error = rig_runtime_directory(&base, why);

	*states = NULL;
	*count = 0;
	if (error)
		return error;
	listing = opendir(base);
	if (!listing)
		return fail_errno(why, -errno, "cannot read %s", base);
	while ((item = readdir(listing))) {
		struct rig_state *larger;

		if (item->d_name[0] == '.')
			continue;
		larger = xreallocarray(*states, *count + 1, sizeof(*larger));
		*states = larger;
		memset(&larger[*count], 0, sizeof(*larger));
		state_read(&larger[(*count)++], base, item->d_name);
	}
	return 0;
}

/**
 * rig_state_clean - remove the remains of killed rigs
 * @removed: receives the number of removed rigs
 *
 * Return: 0 or -errno.
 */
int rig_state_clean(unsigned int *removed, struct reason *why)
{
	__cleanup_free char *base = NULL;
	__cleanup_close int guard = -1;
	struct rig_state *states;
	size_t count;
	int error = rig_runtime_directory(&base, why);

	*removed = 0;
	if (error)
		return error;
	guard = lock_base(base);
	error = rig_state_list(&states, &count, why);
	for (size_t i = 0; !error && i < count; i++) {
		if (states[i].alive)
			continue;
		error = image_remove_tree(states[i].directory, NULL);
		if (error)
			fail_errno(why, error, "cannot remove %s", states[i].directory);
		else
			(*removed)++;
	}
	rig_state_list_free(states, count);
	return error;
}
