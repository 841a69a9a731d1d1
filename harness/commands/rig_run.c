// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell rig run: copy files to an emulated host, and run a command there, through its agent.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "harness/commands/rig_command.h"
#include "harness/lib/call.h"

#define HELLO_TIMEOUT_MS 90000
#define READY_TIMEOUT_MS 60000
/* Its Base64 in a JSON message is shorter than PROTOCOL_LINE_MAX. */
#define CHUNK (384u << 10)

static int ask_agent(struct channel *channel, int id, const char *call, json_t *arguments,
		     unsigned int timeout_ms, json_t **reply, struct reason *why)
{
	__cleanup_json json_t *request = call_request(id, call, arguments);

	json_decref(arguments);
	return call_await(channel, request, timeout_ms, NULL, NULL, reply, why);
}

static const struct rig_profile *profile_of(struct rig *rig, struct reason *why)
{
	__cleanup_json json_t *state = NULL;

	if (rig_call(rig, "status", NULL, 5000, &state, why))
		return NULL;
	return rig_profile_find(json_text(state, "profile", ""));
}

/* Return: timeout for the profile. @timeout_ms: of a host that is not slow */
static unsigned int scaled_timeout(const struct rig_profile *profile, unsigned int timeout_ms)
{
	return timeout_ms * (profile && profile->slowness ? profile->slowness : 1);
}

struct greeting {
	struct channel *channel;
	const json_t *request;
};

/*
 * An agent that lost its controller restores saved state, and closes its port. Data that arrive meanwhile are lost
 * (drivers/char/virtio_console.c, port_fops_release()). It sends hello when it opens the port again. The second of two answers is
 * skipped.
 */
static void greet_again(void *context, json_t *message)
{
	const struct greeting *greeting = context;

	if (json_is(message, "event", "hello"))
		(void)channel_send(greeting->channel, greeting->request, 1000);
}

static int greet(struct channel *channel, unsigned int timeout_ms, struct reason *why)
{
	__cleanup_json json_t *request = call_request(1, "hello", NULL);
	struct greeting greeting = {channel, request};

	return call_await(channel, request, timeout_ms, greet_again, &greeting, NULL, why);
}

/** rig_open_agent - open a channel to the agent of a host, and wait until it answers. Return: NULL with a reason */
struct channel *rig_open_agent(struct rig *rig, struct reason *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct channel *channel;
	const struct rig_profile *profile = profile_of(rig, NULL);
	unsigned int timeout_ms = scaled_timeout(profile, HELLO_TIMEOUT_MS);
	int error;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", rig_agent_path(rig));
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		fail_errno(why, -errno, "cannot reach the agent of rig %s at %s", rig_name(rig),
			   address.sun_path);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	channel = channel_new(fd, fd);
	if (profile && profile->boot_s)
		log_info("waiting for the agent of rig %s; the host boots in about %u s on an idle "
			 "machine",
			 rig_name(rig), profile->boot_s);
	error = greet(channel, timeout_ms, why);
	if (!error)
		return channel;
	if (error == -EPIPE)
		fail(why, error,
		     "rig %s went down before its agent answered; --artifacts DIR keeps its "
		     "console",
		     rig_name(rig));
	if (error == -ETIMEDOUT)
		fail(why, error,
		     "the agent of rig %s did not answer within %u s (is another program connected "
		     "to it, or did the host die? brinell rig shell shows its console)",
		     rig_name(rig), timeout_ms / 1000);
	channel_free(channel);
	return NULL;
}

static char *base64(const unsigned char *bytes, size_t length)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = xcalloc((length + 2) / 3 * 4 + 1, 1);
	char *out = text;

	for (size_t i = 0; i < length; i += 3) {
		uint32_t word = (uint32_t)bytes[i] << 16;

		word |= i + 1 < length ? (uint32_t)bytes[i + 1] << 8 : 0;
		word |= i + 2 < length ? bytes[i + 2] : 0;
		*out++ = alphabet[word >> 18];
		*out++ = alphabet[word >> 12 & 63];
		*out++ = i + 1 < length ? alphabet[word >> 6 & 63] : '=';
		*out++ = i + 2 < length ? alphabet[word & 63] : '=';
	}
	return text;
}

static int put_file(struct channel *agent, const char *specification, int *id, struct reason *why)
{
	__cleanup_free char *local = xstrndup(specification, strcspn(specification, ":"));
	__cleanup_free unsigned char *chunk = malloc(CHUNK);
	__cleanup_free char *remote = NULL;
	__cleanup_close int fd = open(local, O_RDONLY | O_CLOEXEC);
	const char *colon = strchr(specification, ':');
	const char *base = strrchr(local, '/') ? strrchr(local, '/') + 1 : local;
	struct stat status;
	bool append = false;
	ssize_t got;

	if (fd < 0 || fstat(fd, &status) < 0 || !chunk)
		return fail_errno(why, -errno, "--file %s", local);
	remote = colon ? xstrdup(colon + 1) : format_text("/root/%s", base);
	do {
		__cleanup_free char *text = NULL;
		__cleanup_json json_t *reply = NULL;
		int error;

		got = read(fd, chunk, CHUNK);
		if (got < 0)
			return fail_errno(why, -errno, "--file %s", local);
		if (got == 0 && append)
			break;
		text = base64(chunk, (size_t)got);
		error = ask_agent(agent, ++*id, "file.put",
				  json_pack("{s:s, s:i, s:b, s:s}", "path", remote, "mode",
					    (int)(status.st_mode & 0777), "append", append,
					    "data_base64", text),
				  60000, &reply, why);
		if (error)
			return error;
		append = true;
	} while (got > 0);
	return 0;
}

static int run_command(struct channel *agent, const struct rig_profile *profile,
		       const struct rig_command_line *line, int *id, int *exit_status,
		       struct reason *why)
{
	__cleanup_json json_t *reply = NULL;
	json_t *argv = json_array();
	int error;

	for (char **word = line->command; *word; word++)
		json_array_append_new(argv, json_string(*word));
	error = ask_agent(agent, ++*id, "run",
			  json_pack("{s:o, s:I}", "argv", argv, "timeout_ms",
				    (json_int_t)line->timeout_ms),
			  scaled_timeout(profile, line->timeout_ms + 10000), &reply, why);
	if (error)
		return error;
	fputs(json_text(reply, "stdout", ""), stdout);
	fflush(stdout);
	fputs(json_text(reply, "stderr", ""), stderr);
	if (json_number(reply, "dropped", 0))
		log_warning("%lld bytes of output were dropped",
			    (long long)json_number(reply, "dropped", 0));
	if (json_is_true(json_object_get(reply, "timed_out")))
		return fail(why, -ETIMEDOUT, "%s did not end within %u s", line->command[0],
			    line->timeout_ms / 1000);
	*exit_status = (int)json_number(reply, "signal", 0)
			       ? 128 + (int)json_number(reply, "signal", 0)
			       : (int)json_number(reply, "status", EXIT_INFRA);
	return 0;
}

/**
 * rig_await_ready - wait until the services of the profile accept calls
 * @id: number of the last call to the agent
 *
 * Return: 0, also for a profile without services, or -errno.
 */
int rig_await_ready(struct rig *rig, struct channel *agent, int *id, struct reason *why)
{
	const struct rig_profile *profile = profile_of(rig, why);
	__cleanup_json json_t *reply = NULL;
	json_t *argv;
	int error;

	if (!profile)
		return -EIO;
	if (!profile->ready)
		return 0;
	argv = json_array();
	for (const char *const *word = profile->ready; *word; word++)
		json_array_append_new(argv, json_string(*word));
	error = ask_agent(agent, ++*id, "run",
			  json_pack("{s:o, s:I}", "argv", argv, "timeout_ms",
				    (json_int_t)READY_TIMEOUT_MS),
			  scaled_timeout(profile, READY_TIMEOUT_MS + 10000), &reply, why);
	if (!error && json_number(reply, "status", -1))
		error = fail(why, -EIO,
			     "what profile %s starts on its host (%s) does not run; brinell rig "
			     "shell shows why on the console",
			     profile->name, profile->start);
	return error;
}

/**
 * rig_find_or_boot - find the host of that name, or boot a new one
 * @booted: receives whether it is new
 *
 * Return: 0, or an exit code after a message.
 */
int rig_find_or_boot(struct rig_command_line *line, struct rig **rig, bool *booted)
{
	struct reason why = {""};
	int error = rig_connect(line->target, rig, &why);

	*booted = false;
	if (!error && (line->options.kernel || line->options.arguments ||
		       line->options.memory_mib || line->options.processors ||
		       line->options.einj_revision || line->options.counts_instructions))
		log_warning("rig %s is up already: the options for a new host are not used",
			    rig_name(*rig));
	if (!error)
		return 0;
	if (error != -ENOENT)
		return rig_failed(error, &why);
	error = rig_want_profile(line);
	if (error)
		return error;
	*booted = true;
	error = rig_start(&line->options, rig, &why);
	return error ? rig_failed(error, &why) : 0;
}

/** rig_run - brinell rig run */
int rig_run(int argc, char **argv)
{
	struct rig_command_line line;
	struct channel *agent = NULL;
	struct reason why = {""};
	struct rig *rig;
	bool booted;
	int status = rig_parse(argc, argv, HOST_OPTIONS | BIT(OPTION_FILE) | BIT(OPTION_TIMEOUT),
			       true, &line);
	int error = 0, id = 1;

	if (!status && !line.command)
		status = rig_bad_usage("rig run: there is no command after --");
	if (!status)
		status = rig_check_files(&line);
	if (!status)
		status = rig_find_or_boot(&line, &rig, &booted);
	if (!status) {
		agent = rig_open_agent(rig, &why);
		error = agent ? rig_await_ready(rig, agent, &id, &why) : -ETIMEDOUT;
		for (size_t i = 0; !error && i < line.file_count; i++)
			error = put_file(agent, line.files[i], &id, &why);
		if (!error)
			error = run_command(agent, profile_of(rig, NULL), &line, &id, &status,
					    &why);
		if (error)
			status = rig_failed(error, &why);
		channel_free(agent);
		if (booted)
			rig_stop(rig);
		else
			rig_disconnect(rig);
	}
	free(line.files);
	return status;
}
