// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls file.put, usage and attest: what a controller needs of the machine besides faults and evidence.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/agent/core.h"
#include "harness/host/machine.h"

static int from_base64(const char *text, unsigned char **bytes, size_t *length)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t size = strlen(text) / 4 * 3 + 3, put = 0;
	unsigned char *out = malloc(size);
	uint32_t word = 0;
	int bits = 0;

	if (!out)
		return -ENOMEM;
	for (; *text && *text != '='; text++) {
		const char *place = strchr(alphabet, *text);

		if (!place) {
			free(out);
			return -EINVAL;
		}
		word = word << 6 | (uint32_t)(place - alphabet);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[put++] = (unsigned char)(word >> bits);
		}
	}
	*bytes = out;
	*length = put;
	return 0;
}

static int serve_file_put(struct agent *agent, const json_t *arguments, json_t **reply,
			  struct reason *why)
{
	const char *path = json_text(arguments, "path", "");
	bool append = json_is_true(json_object_get(arguments, "append"));
	mode_t mode = (mode_t)json_number(arguments, "mode", 0644);
	__cleanup_free unsigned char *bytes = NULL;
	__cleanup_close int fd = -1;
	size_t length = 0;
	int error;

	error = machine_is_expendable(why);
	if (error)
		return error;
	error = from_base64(json_text(arguments, "data_base64", ""), &bytes, &length);
	if (error)
		return fail(why, error, "file.put %s: bad base64", path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), mode);
	if (fd < 0)
		return fail_errno(why, -errno, "file.put: open %s", path);
	error = write_all(fd, bytes, length);
	if (error)
		return fail_errno(why, error, "file.put: write %s", path);
	fchmod(fd, mode);
	*reply = json_object();
	return 0;
}

/* What the agent itself uses: a run of many trials must not make these grow. */
static int serve_usage(struct agent *agent, const json_t *arguments, json_t **reply,
		       struct reason *why)
{
	__cleanup_free char *statm = NULL;
	long fds = 0, resident = 0;
	struct dirent *entry;
	__cleanup_directory DIR *directory = opendir("/proc/self/fd");

	if (!directory || read_small_file("/proc/self/statm", &statm, NULL))
		return fail(why, -EIO, "usage: /proc/self can not be read");
	while ((entry = readdir(directory)))
		fds += entry->d_name[0] != '.';
	(void)sscanf(statm, "%*d %ld", &resident);
	*reply = json_pack("{s:I, s:I}", "fds", (json_int_t)(fds - 1), "resident_kb",
			   (json_int_t)(resident * (sysconf(_SC_PAGESIZE) / 1024)));
	return 0;
}

static int serve_attest(struct agent *agent, const json_t *arguments, json_t **reply,
			struct reason *why)
{
	*reply = machine_clean_bill();
	return 0;
}

static const struct agent_call calls[] = {
	{"file.put", serve_file_put},
	{"usage", serve_usage},
	{"attest", serve_attest},
	{0},
};

REGISTERED(agent_service, system_service) = {
	.name = "system",
	.roles = AGENT_HOST | AGENT_GUEST,
	.calls = calls,
};
