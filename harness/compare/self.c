// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running brinell itself: one process for each run.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "harness/compare/self.h"
#include "harness/lib/spawn.h"

extern char **environ;

/* Return: the environment with another PATH; the vector is owned by the caller, its strings are not. */
static char **environment_with(char *path)
{
	size_t count = 0, kept = 0;
	char **list;

	while (environ[count])
		count++;
	list = xcalloc(count + 2, sizeof(*list));
	for (size_t i = 0; i < count; i++)
		if (strncmp(environ[i], "PATH=", 5) != 0)
			list[kept++] = environ[i];
	list[kept] = path;
	return list;
}

/**
 * self_run - run brinell, and wait for its end
 * @arguments:  of the program, "brinell" first
 * @first_path: a directory to search for programs before those of PATH, or NULL
 * @out:        descriptor of its standard output, or SPAWN_NULL
 * @messages:   descriptor of its standard error
 * @why:        filled if it can not be started
 *
 * The process gets SIGTERM when its caller ends.
 *
 * Return: its exit code; -EINTR when a signal ended it; -errno.
 */
int self_run(const json_t *arguments, const char *first_path, int out, int messages,
	     struct reason *why)
{
	__cleanup_free const char **argv = xcalloc(json_array_size(arguments) + 1, sizeof(*argv));
	const char *search = getenv("PATH") ?: "/usr/bin:/bin";
	__cleanup_free char *path =
		first_path ? format_text("PATH=%s:%s", first_path, search) : NULL;
	__cleanup_free char **environment = path ? environment_with(path) : NULL;
	struct spawn spawn = {.argv = argv,
			      .file = "/proc/self/exe",
			      .environment = environment,
			      .streams = {SPAWN_NULL, out, messages},
			      .death_signal = SIGTERM};
	json_t *argument;
	size_t index;
	int error, status;

	json_array_foreach ((json_t *)arguments, index, argument)
		argv[index] = json_string_value(argument);
	error = spawn_start(&spawn, why) ?: spawn_wait(&spawn, -1, &status);
	if (error)
		return error;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}
