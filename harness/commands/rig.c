// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell rig: emulated hosts by hand.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>

#include "harness/lib/param.h"
#include "harness/lib/protocol.h"
#include "harness/lib/registry.h"
#include "harness/rig/image/image.h"
#include "harness/rig/host/supervisor.h"

#define HELLO_TIMEOUT_MS 90000
#define READY_TIMEOUT_MS 60000
/* Base64 of it, with its JSON around, is below PROTOCOL_LINE_MAX. */
#define CHUNK (384u << 10)
#define DETACH_KEY 0x1d

static const char rig_usage[] =
	"usage: brinell rig [status]                     the rigs that are up, and the profiles\n"
	"       brinell rig build [PROFILE] [--refresh]  fetch the kernel and make the image\n"
	"       brinell rig up [PROFILE] [OPTIONS]       a host that stays until its deadline or "
	"`down`\n"
	"       brinell rig run [PROFILE|NAME] [OPTIONS] [--file LOCAL[:REMOTE]]... -- COMMAND...\n"
	"       brinell rig shell [PROFILE|NAME] [OPTIONS]\n"
	"                                                a root shell; `exit` or Ctrl-] ends it\n"
	"       brinell rig down [NAME] [--all]          end hosts that are up\n"
	"       brinell rig clean                        remove the cache, and what killed rigs "
	"left\n"
	"\n"
	"The rig is an emulated host: a real kernel on a machine of software, where faults are "
	"safe. `run` and\n"
	"`shell` use the host that is up when there is one of that name or profile, and boot one "
	"otherwise.\n"
	"Files land in /root, or where REMOTE says; the exit status is that of COMMAND.\n"
	"\n"
	"  --kernel FILE      boot this bzImage instead of Debian's newest kernel\n"
	"  --modules DIR      with modules of that kernel: a /lib/modules/RELEASE or a build tree\n"
	"  --append TEXT      more for the kernel's command line\n"
	"  --memory SIZE      512M to 2560M (default: as the profile says)\n"
	"  --processors N     1 to 64\n"
	"  --einj REVISION    1, or 2 for firmware that offers EINJv2\n"
	"  --artifacts DIR    receives console.log\n"
	"  --deadline TIME    the host ends then at the latest (default 60min)\n"
	"  --timeout TIME     run: for COMMAND (default 10min)\n"
	"  --verbose-boot     the whole boot on the console\n"
	"  --refresh          ask for a newer kernel now; without it, once a week\n";

/**
 * struct rig_command_line - what the user said
 * @options: for the rig
 * @target:  profile or name, or NULL
 * @files:   NULL-terminated LOCAL[:REMOTE]
 * @command: argv of COMMAND, or NULL
 * @timeout_ms: for @command
 * @all:     --all
 */
struct rig_command_line {
	struct rig_options options;
	const char *target;
	const char **files;
	size_t file_count;
	char **command;
	unsigned int timeout_ms;
	bool all;
};

static int bad_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int bad_usage(const char *format, ...)
{
	__cleanup_free char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		abort();
	va_end(arguments);
	log_error("%s; see brinell rig --help", text);
	return EXIT_USAGE;
}

static int infra(int error, const struct reason *why)
{
	log_error("%s", *why->text ? why->text : strerror(-error));
	return error == -EINVAL ? EXIT_USAGE : EXIT_INFRA;
}

/*
 * One line that is rewritten on a terminal; elsewhere a line when the work changes, and every few
 * seconds.
 */
static void show_progress(void *context, const char *what, double fraction)
{
	static int64_t started, shown;
	static char stage[16];
	static bool begun;
	int64_t now = now_monotonic_ns();
	bool terminal = isatty(STDERR_FILENO) && !getenv("NO_COLOR");
	bool changed = strncmp(stage, what, sizeof(stage) - 1) != 0;
	bool done = fraction >= 1;
	double seconds;

	(void)context;
	if (!started)
		started = now;
	seconds = (double)(now - started) / NSEC_PER_SEC;
	/* What the cache has is ready at once and not worth a line. */
	if (done && !begun)
		return;
	if (!changed && !done && now - shown < (terminal ? 1 : 50) * NSEC_PER_SEC / 10)
		return;
	shown = now;
	begun = true;
	snprintf(stage, sizeof(stage), "%s", what);
	if (fraction < 0)
		fprintf(stderr, "%srig: %s (%.0f s)%s", terminal ? "\r\033[K" : "", what, seconds,
			terminal ? "" : "\n");
	else
		fprintf(stderr, "%srig: %3.0f %% %s (%.1f s)%s", terminal ? "\r\033[K" : "",
			fraction * 100, what, seconds, terminal && !done ? "" : "\n");
}

static int take_number(const char *option, const char *text, unsigned int least, unsigned int most,
		       unsigned int *number)
{
	uint64_t value;

	if (parse_number(text, &value) || value < least || value > most)
		return bad_usage("--%s is a number from %u to %u, not '%s'", option, least, most,
				 text);
	*number = (unsigned int)value;
	return 0;
}

static int take_time(const char *option, const char *text, unsigned int *seconds)
{
	int64_t time_ns;

	if (parse_duration(text, &time_ns) || time_ns < NSEC_PER_SEC ||
	    time_ns > 30 * 24 * 3600 * NSEC_PER_SEC)
		return bad_usage("--%s is a time such as 90s or 30min, not '%s'", option, text);
	*seconds = (unsigned int)(time_ns / NSEC_PER_SEC);
	return 0;
}

enum rig_option {
	OPTION_KERNEL = 256,
	OPTION_MODULES,
	OPTION_APPEND,
	OPTION_MEMORY,
	OPTION_PROCESSORS,
	OPTION_EINJ,
	OPTION_ARTIFACTS,
	OPTION_DEADLINE,
	OPTION_TIMEOUT,
	OPTION_VERBOSE_BOOT,
	OPTION_REFRESH,
	OPTION_FILE,
	OPTION_ALL,
};

static const struct option rig_options[] = {
	{"kernel", required_argument, NULL, OPTION_KERNEL},
	{"modules", required_argument, NULL, OPTION_MODULES},
	{"append", required_argument, NULL, OPTION_APPEND},
	{"memory", required_argument, NULL, OPTION_MEMORY},
	{"processors", required_argument, NULL, OPTION_PROCESSORS},
	{"einj", required_argument, NULL, OPTION_EINJ},
	{"artifacts", required_argument, NULL, OPTION_ARTIFACTS},
	{"deadline", required_argument, NULL, OPTION_DEADLINE},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"verbose-boot", no_argument, NULL, OPTION_VERBOSE_BOOT},
	{"refresh", no_argument, NULL, OPTION_REFRESH},
	{"file", required_argument, NULL, OPTION_FILE},
	{"all", no_argument, NULL, OPTION_ALL},
	{NULL, 0, NULL, 0},
};

/* Which options a subcommand takes, as the numbers of enum rig_option. */
#define BIT(option) (1u << ((option)-OPTION_KERNEL))
#define HOST_OPTIONS                                                                               \
	(BIT(OPTION_KERNEL) | BIT(OPTION_MODULES) | BIT(OPTION_APPEND) | BIT(OPTION_MEMORY) |      \
	 BIT(OPTION_PROCESSORS) | BIT(OPTION_EINJ) | BIT(OPTION_ARTIFACTS) |                       \
	 BIT(OPTION_DEADLINE) | BIT(OPTION_VERBOSE_BOOT) | BIT(OPTION_REFRESH))

static int take_option(struct rig_command_line *line, int option, const char *argument)
{
	struct rig_options *options = &line->options;
	uint64_t bytes;
	unsigned int seconds = 0;

	switch (option) {
	case OPTION_KERNEL:
		options->kernel = argument;
		return 0;
	case OPTION_MODULES:
		options->modules = argument;
		return 0;
	case OPTION_APPEND:
		options->arguments = argument;
		return 0;
	case OPTION_MEMORY:
		if (parse_size(argument, &bytes) || bytes >> 20 < RIG_MEMORY_MIN_MIB ||
		    bytes >> 20 > RIG_MEMORY_MAX_MIB)
			return bad_usage("--memory is %dM to %dM, not '%s'", RIG_MEMORY_MIN_MIB,
					 RIG_MEMORY_MAX_MIB, argument);
		options->memory_mib = (unsigned int)(bytes >> 20);
		return 0;
	case OPTION_PROCESSORS:
		return take_number("processors", argument, 1, 64, &options->processors);
	case OPTION_EINJ:
		return take_number("einj", argument, 1, 2, &options->einj_revision);
	case OPTION_ARTIFACTS:
		options->artifacts = argument;
		return 0;
	case OPTION_DEADLINE:
		return take_time("deadline", argument, &options->deadline_s);
	case OPTION_TIMEOUT:
		if (take_time("timeout", argument, &seconds))
			return EXIT_USAGE;
		line->timeout_ms = seconds * 1000;
		return 0;
	case OPTION_VERBOSE_BOOT:
		options->verbose = true;
		return 0;
	case OPTION_REFRESH:
		options->refresh = true;
		return 0;
	case OPTION_FILE:
		line->files[line->file_count++] = argument;
		return 0;
	default:
		line->all = true;
		return 0;
	}
}

static int parse(int argc, char **argv, unsigned int allowed, bool takes_command,
		 struct rig_command_line *line)
{
	int option, error;

	*line = (struct rig_command_line){.timeout_ms = 600000};
	line->options.progress = show_progress;
	line->files = calloc((size_t)argc + 1, sizeof(*line->files));
	if (!line->files)
		abort();
	optind = 1;
	opterr = 0;
	/*
	 * '+': what is behind the first word without dashes is looked at below, so that "--" keeps
	 * its meaning.
	 */
	while (optind < argc) {
		if (strcmp(argv[optind], "--") == 0) {
			optind++;
			break;
		}
		if (argv[optind][0] != '-') {
			if (line->target)
				return bad_usage("one PROFILE or NAME is enough: '%s' and '%s'%s",
						 line->target, argv[optind],
						 takes_command ? " (the command comes behind --)"
							       : "");
			line->target = argv[optind++];
			continue;
		}
		option = getopt_long(argc, argv, "+", rig_options, NULL);
		if (option == '?')
			return bad_usage("rig %s: bad option or missing argument: %s", argv[0],
					 argv[optind - 1]);
		if (!(allowed & BIT(option)))
			return bad_usage("rig %s takes no %s", argv[0], argv[optind - 1]);
		error = take_option(line, option, optarg);
		if (error)
			return error;
	}
	if (takes_command && optind < argc)
		line->command = argv + optind;
	else if (optind < argc)
		return bad_usage("rig %s takes no command", argv[0]);
	return 0;
}

/* What is wrong with files that the user names is found before anything is started. */
static int check_files(const struct rig_command_line *line)
{
	__cleanup_free char *release = NULL;
	struct reason why = {""};

	if (line->options.kernel && image_kernel_check(line->options.kernel, &release, &why))
		return bad_usage("%s", why.text);
	if (line->options.modules && !line->options.kernel)
		return bad_usage("--modules goes with --kernel");
	if (line->options.modules && access(line->options.modules, R_OK | X_OK) < 0)
		return bad_usage("--modules %s: %s", line->options.modules, strerror(errno));
	for (size_t i = 0; i < line->file_count; i++) {
		__cleanup_free char *local = strndup(line->files[i], strcspn(line->files[i], ":"));
		struct stat status;

		if (stat(local, &status) < 0)
			return bad_usage("--file %s: %s", local, strerror(errno));
		if (!S_ISREG(status.st_mode))
			return bad_usage("--file %s: no plain file", local);
	}
	return 0;
}

/* A profile to boot, or EXIT_USAGE. */
static int want_profile(struct rig_command_line *line)
{
	if (!rig_profile_find(line->target))
		return bad_usage("there is no rig profile '%s', and no rig of that name is up",
				 line->target);
	line->options.profile = line->target;
	return 0;
}

static struct channel *open_agent(struct rig *rig, json_t **hello, struct reason *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	__cleanup_json json_t *request = json_pack("{s:i, s:s}", "id", 1, "call", "hello");
	int64_t deadline = now_monotonic_ns() + HELLO_TIMEOUT_MS * NSEC_PER_MSEC;
	struct channel *channel;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", rig_agent_path(rig));
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		fail(why, -errno, "cannot reach the agent of rig %s at %s: %s", rig_name(rig),
		     address.sun_path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	channel = channel_new(fd, fd);
	if (channel_send(channel, request, 5000) == 0) {
		while (now_monotonic_ns() < deadline) {
			struct pollfd readable = {.fd = fd, .events = POLLIN};
			json_t *message;
			int got = channel_next(channel, &message, why);

			if (got > 0 && json_number(message, "id", 0) == 1) {
				*hello = message;
				return channel;
			}
			if (got > 0)
				json_decref(message);
			if (got)
				continue;
			if (poll(&readable, 1, 1000) > 0 && channel_fill(channel) < 0) {
				fail(why, -EPIPE,
				     "rig %s went down before its agent spoke; --artifacts DIR "
				     "keeps "
				     "its console",
				     rig_name(rig));
				channel_free(channel);
				return NULL;
			}
		}
	}
	fail(why, -ETIMEDOUT,
	     "the agent of rig %s did not speak within %d s (is another program connected to "
	     "it, or did the host die? brinell rig shell shows its console)",
	     rig_name(rig), HELLO_TIMEOUT_MS / 1000);
	channel_free(channel);
	return NULL;
}

static int ask_agent(struct channel *channel, int id, const char *call, json_t *arguments,
		     unsigned int timeout_ms, json_t **reply, struct reason *why)
{
	__cleanup_json json_t *request =
		json_pack("{s:i, s:s, s:o}", "id", id, "call", call, "args", arguments);
	int64_t deadline = now_monotonic_ns() + timeout_ms * NSEC_PER_MSEC;
	int error = channel_send(channel, request, timeout_ms);

	while (!error) {
		struct pollfd readable = {.fd = channel_fd(channel), .events = POLLIN};
		__cleanup_json json_t *message = NULL;
		int64_t left = (deadline - now_monotonic_ns()) / NSEC_PER_MSEC;
		int got = channel_next(channel, &message, why);

		if (got > 0 && json_number(message, "id", 0) == id) {
			const json_t *bad = json_object_get(message, "error");

			if (bad)
				return fail(why, (int)json_number(bad, "errno", -EIO), "%s",
					    json_text(bad, "text", "the agent did not say why"));
			*reply = json_incref(json_object_get(message, "ok"));
			return 0;
		}
		if (got)
			continue;
		if (left <= 0)
			error = -ETIMEDOUT;
		else if (poll(&readable, 1, (int)left) > 0 && channel_fill(channel) < 0)
			error = -EPIPE;
	}
	return fail(why, error, "%s: %s", call,
		    error == -EPIPE ? "the host or its agent ended" : strerror(-error));
}

static char *base64(const unsigned char *bytes, size_t length)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = calloc((length + 2) / 3 * 4 + 1, 1);
	char *out = text;

	if (!text)
		abort();
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
	__cleanup_free char *local = strndup(specification, strcspn(specification, ":"));
	__cleanup_free unsigned char *chunk = malloc(CHUNK);
	__cleanup_free char *remote = NULL;
	__cleanup_close int fd = open(local, O_RDONLY | O_CLOEXEC);
	const char *colon = strchr(specification, ':');
	const char *base = strrchr(local, '/') ? strrchr(local, '/') + 1 : local;
	struct stat status;
	bool append = false;
	ssize_t got;

	if (fd < 0 || fstat(fd, &status) < 0 || !chunk)
		return fail(why, -errno, "--file %s: %s", local, strerror(errno));
	remote = colon ? strdup(colon + 1) : format_text("/root/%s", base);
	do {
		__cleanup_free char *text = NULL;
		__cleanup_json json_t *reply = NULL;
		int error;

		got = read(fd, chunk, CHUNK);
		if (got < 0)
			return fail(why, -errno, "--file %s: %s", local, strerror(errno));
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

static int run_command(struct channel *agent, const struct rig_command_line *line, int *id,
		       int *exit_status, struct reason *why)
{
	__cleanup_json json_t *reply = NULL;
	json_t *argv = json_array();
	int error;

	for (char **word = line->command; *word; word++)
		json_array_append_new(argv, json_string(*word));
	error = ask_agent(agent, ++*id, "run",
			  json_pack("{s:o, s:I}", "argv", argv, "timeout_ms",
				    (json_int_t)line->timeout_ms),
			  line->timeout_ms + 10000, &reply, why);
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

/*
 * What a profile starts beside the agent: wait until it takes calls. Return: 0, also for a profile
 * without such, or -errno.
 */
static int await_ready(struct rig *rig, struct channel *agent, int *id, struct reason *why)
{
	__cleanup_json json_t *state = NULL;
	__cleanup_json json_t *reply = NULL;
	const struct rig_profile *profile;
	json_t *argv;
	int error = rig_call(rig, "status", NULL, 5000, &state, why);

	if (error)
		return error;
	profile = rig_profile_find(json_text(state, "profile", ""));
	if (!profile || !profile->ready)
		return 0;
	argv = json_array();
	for (const char *const *word = profile->ready; *word; word++)
		json_array_append_new(argv, json_string(*word));
	error = ask_agent(agent, ++*id, "run",
			  json_pack("{s:o, s:I}", "argv", argv, "timeout_ms",
				    (json_int_t)READY_TIMEOUT_MS),
			  READY_TIMEOUT_MS + 10000, &reply, why);
	if (!error && json_number(reply, "status", -1))
		error = fail(why, -EIO,
			     "what profile %s starts on its host (%s) does not run; brinell rig "
			     "shell shows why on the console",
			     profile->name, profile->start);
	return error;
}

/*
 * The host that is up under this name, or a new one. Return: 0, or an exit code after its message.
 */
static int find_or_boot(struct rig_command_line *line, struct rig **rig, bool *booted)
{
	struct reason why = {""};
	int error = rig_connect(line->target, rig, &why);

	*booted = false;
	if (!error &&
	    (line->options.kernel || line->options.arguments || line->options.memory_mib ||
	     line->options.processors || line->options.einj_revision))
		log_warning("rig %s is up already: the options for a new host are not used",
			    rig_name(*rig));
	if (!error)
		return 0;
	if (error != -ENOENT)
		return infra(error, &why);
	error = want_profile(line);
	if (error)
		return error;
	*booted = true;
	error = rig_start(&line->options, rig, &why);
	return error ? infra(error, &why) : 0;
}

static int rig_run(int argc, char **argv)
{
	struct rig_command_line line;
	__cleanup_json json_t *hello = NULL;
	struct channel *agent = NULL;
	struct reason why = {""};
	struct rig *rig;
	bool booted;
	int status = parse(argc, argv, HOST_OPTIONS | BIT(OPTION_FILE) | BIT(OPTION_TIMEOUT), true,
			   &line);
	int error = 0, id = 1;

	if (!status && !line.command)
		status = bad_usage("rig run: no command behind --");
	if (!status)
		status = check_files(&line);
	if (!status)
		status = find_or_boot(&line, &rig, &booted);
	if (!status) {
		agent = open_agent(rig, &hello, &why);
		error = agent ? await_ready(rig, agent, &id, &why) : -ETIMEDOUT;
		for (size_t i = 0; !error && i < line.file_count; i++)
			error = put_file(agent, line.files[i], &id, &why);
		if (!error)
			error = run_command(agent, &line, &id, &status, &why);
		if (error)
			status = infra(error, &why);
		channel_free(agent);
		if (booted)
			rig_stop(rig);
		else
			rig_disconnect(rig);
	}
	free(line.files);
	return status;
}

static void print_deadline(int64_t deadline_ns, char *text, size_t size)
{
	time_t seconds = (time_t)(deadline_ns / NSEC_PER_SEC);
	struct tm broken;

	localtime_r(&seconds, &broken);
	strftime(text, size, "%Y-%m-%d %H:%M:%S", &broken);
}

/* Seconds since a moment of CLOCK_MONOTONIC. */
static double since(int64_t moment_ns)
{
	return (double)(now_monotonic_ns() - moment_ns) / NSEC_PER_SEC;
}

/* Start one host that stays. Return: 0 or an exit code after its message; then nothing is left. */
static int up_host(struct rig_options *options, struct rig **rig)
{
	__cleanup_json json_t *hello = NULL;
	__cleanup_json json_t *state = NULL;
	struct channel *agent = NULL;
	struct reason why = {""};
	char until[32] = "";
	int64_t started = now_monotonic_ns();
	double spoke = 0;
	int error = rig_start(options, rig, &why), id = 1;

	if (error)
		return infra(error, &why);
	agent = open_agent(*rig, &hello, &why);
	spoke = since(started);
	error = agent ? await_ready(*rig, agent, &id, &why) : -ETIMEDOUT;
	if (!error)
		error = rig_call(*rig, "status", NULL, 5000, &state, &why);
	channel_free(agent);
	if (error) {
		rig_stop(*rig);
		return infra(error, &why);
	}
	print_deadline(json_number(state, "deadline_ns", 0), until, sizeof(until));
	printf("%s\n", rig_name(*rig));
	log_info("rig %s is up after %.1f s (its agent spoke after %.1f s), kernel %s, and ends at "
		 "%s",
		 rig_name(*rig), since(started), spoke, json_text(state, "kernel", "?"), until);
	log_info("brinell rig run %s -- COMMAND, brinell rig shell %s, brinell rig down %s",
		 rig_name(*rig), rig_name(*rig), rig_name(*rig));
	return 0;
}

static int rig_up(int argc, char **argv)
{
	struct rig_command_line line;
	struct rig *rigs[2] = {NULL, NULL};
	const struct rig_profile *profile;
	unsigned int up = 0;
	int status = parse(argc, argv, HOST_OPTIONS, false, &line);

	if (!status)
		status = check_files(&line);
	if (!status)
		status = want_profile(&line);
	profile = rig_profile_find(line.target);
	line.options.detached = true;
	line.options.shell = "again";
	while (!status && up < profile->hosts) {
		if (profile->hosts > 1)
			line.options.host_number = up + 1;
		if (up) {
			line.options.link = rig_link_path(rigs[0]);
			/* The image is there. */
			line.options.progress = NULL;
		}
		status = up_host(&line.options, &rigs[up]);
		if (!status)
			up++;
	}
	/* Half a pair is of no use. */
	for (unsigned int i = 0; i < up; i++)
		if (status)
			rig_stop(rigs[i]);
		else
			rig_disconnect(rigs[i]);
	free(line.files);
	return status;
}

static int connect_console(const struct rig *rig, struct reason *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", rig_console_path(rig));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	fail(why, -errno, "cannot reach the console of rig %s: %s", rig_name(rig), strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool host_is_off(struct rig *rig)
{
	struct reason why;
	json_t *event;
	bool off = false;
	int got;

	while ((got = rig_receive(rig, &event, &why)) > 0) {
		off = off || strcmp(json_text(event, "state", ""), "off") == 0;
		json_decref(event);
	}
	return off || got < 0;
}

/* Bytes from here to there until Ctrl-], the end of the host, or of the console. */
static void relay(struct rig *rig, int console)
{
	struct pollfd fds[3] = {{.fd = STDIN_FILENO, .events = POLLIN},
				{.fd = console, .events = POLLIN},
				{.fd = rig_control_fd(rig), .events = POLLIN}};
	char bytes[4096];

	for (;;) {
		ssize_t got;

		if (poll(fds, 3, -1) < 0)
			return;
		if (fds[1].revents) {
			got = read(console, bytes, sizeof(bytes));
			if (got <= 0 || write_all(STDOUT_FILENO, bytes, (size_t)got))
				return;
		}
		if (fds[0].revents) {
			got = read(STDIN_FILENO, bytes, sizeof(bytes));
			if (got <= 0)
				fds[0].fd = -1;
			else if (memchr(bytes, DETACH_KEY, (size_t)got) ||
				 write_all(console, bytes, (size_t)got))
				return;
		}
		if (fds[2].revents && !fds[1].revents && host_is_off(rig))
			return;
	}
}

static int rig_shell(int argc, char **argv)
{
	struct rig_command_line line;
	struct termios before, raw;
	__cleanup_close int console = -1;
	struct reason why = {""};
	struct rig *rig;
	bool booted, terminal = isatty(STDIN_FILENO);
	int status = parse(argc, argv, HOST_OPTIONS, false, &line);

	if (!status)
		status = check_files(&line);
	line.options.shell = "once";
	if (!status)
		status = find_or_boot(&line, &rig, &booted);
	if (!status) {
		console = connect_console(rig, &why);
		if (console < 0)
			status = infra(-EIO, &why);
	}
	if (console >= 0) {
		log_info("rig %s: root shell; Ctrl-] %s", rig_name(rig),
			 booted ? "or `exit` ends the host" : "leaves it");
		if (terminal) {
			tcgetattr(STDIN_FILENO, &before);
			raw = before;
			cfmakeraw(&raw);
			tcsetattr(STDIN_FILENO, TCSANOW, &raw);
		}
		/* A prompt that came before we did. */
		if (!booted)
			(void)write_all(console, "\n", 1);
		relay(rig, console);
		if (terminal)
			tcsetattr(STDIN_FILENO, TCSANOW, &before);
		fputs("\n", stdout);
	}
	if (!status && booted)
		rig_stop(rig);
	else if (!status)
		rig_disconnect(rig);
	free(line.files);
	return status;
}

static int rig_build(int argc, char **argv)
{
	struct rig_command_line line;
	struct rig_image image = {0};
	struct reason why = {""};
	int64_t started = now_monotonic_ns();
	int status =
		parse(argc, argv, BIT(OPTION_KERNEL) | BIT(OPTION_MODULES) | BIT(OPTION_REFRESH),
		      false, &line);
	int error;

	if (!status)
		status = check_files(&line);
	if (!status && !rig_profile_find(line.target))
		status = bad_usage("there is no rig profile '%s'", line.target);
	if (!status) {
		line.options.profile = line.target;
		error = rig_image_ensure(&line.options, &image, &why);
		if (error)
			status = infra(error, &why);
		else
			printf("kernel    %s\nrelease   %s\ninitramfs %s\n%s%s%s%s after %.1f s\n",
			       image.kernel, *image.release ? image.release : "unknown",
			       image.initramfs, image.system ? "disk      " : "",
			       image.system ? image.system : "", image.system ? "\n" : "",
			       image.built ? "built" : "nothing to do",
			       (double)(now_monotonic_ns() - started) / NSEC_PER_SEC);
		rig_image_release(&image);
	}
	free(line.files);
	return status;
}

static int stop_named(const char *name)
{
	struct reason why = {""};
	struct rig *rig;
	int error = rig_connect(name, &rig, &why);

	if (error == -ENOENT || error == -EEXIST)
		return bad_usage("%s", why.text);
	if (error)
		return infra(error, &why);
	name = strdupa(rig_name(rig));
	error = rig_stop(rig);
	if (error)
		log_error("rig %s does not end; its supervisor hangs", name);
	else
		log_info("rig %s is down", name);
	return error ? EXIT_INFRA : EXIT_PASSED;
}

static int rig_down(int argc, char **argv)
{
	struct rig_command_line line;
	struct rig_state *states;
	struct reason why = {""};
	size_t count;
	int status = parse(argc, argv, BIT(OPTION_ALL), false, &line);

	free(line.files);
	if (status)
		return status;
	if (line.all && line.target)
		return bad_usage("rig down: NAME or --all, not both");
	if (!line.all)
		return stop_named(line.target);
	if (rig_state_list(&states, &count, &why))
		return infra(-EIO, &why);
	for (size_t i = 0; i < count; i++)
		if (states[i].alive && states[i].detached && stop_named(states[i].name))
			status = EXIT_INFRA;
	rig_state_list_free(states, count);
	return status;
}

static int rig_status(int argc, char **argv)
{
	struct rig_command_line line;
	struct rig_state *states;
	struct reason why = {""};
	size_t count, up = 0;
	int status = parse(argc, argv, 0, false, &line);

	free(line.files);
	if (status)
		return status;
	if (line.target)
		return bad_usage("there is no `rig %s`", line.target);
	if (rig_state_list(&states, &count, &why))
		return infra(-EIO, &why);
	for (size_t i = 0; i < count; i++) {
		char until[32];

		if (!states[i].alive)
			continue;
		print_deadline(states[i].deadline_ns, until, sizeof(until));
		printf("%-16s %-8s kernel %s, supervisor %d, ends at %s%s\n", states[i].name,
		       states[i].profile, states[i].kernel, (int)states[i].pid, until,
		       states[i].detached ? "" : " or with its run");
		up++;
	}
	rig_state_list_free(states, count);
	if (!up)
		printf("no rig is up\n");
	printf("profiles:\n");
	for (const struct rig_profile *const *profile = rig_profiles; *profile; profile++)
		printf("  %-8s %s (%u processors, %u MiB)\n", (*profile)->name, (*profile)->summary,
		       (*profile)->processors, (*profile)->memory_mib);
	return EXIT_PASSED;
}

static int rig_clean(int argc, char **argv)
{
	struct rig_command_line line;
	struct reason why = {""};
	unsigned long long bytes = 0;
	unsigned int removed = 0;
	int status = parse(argc, argv, 0, false, &line);
	int error;

	free(line.files);
	if (status)
		return status;
	if (line.target)
		return bad_usage("rig clean takes no '%s'", line.target);
	error = rig_state_clean(&removed, &why);
	if (!error)
		error = rig_image_clean(&bytes, &why);
	if (error)
		return infra(error, &why);
	log_info("removed %llu MB of cache and what %u killed rigs left", bytes / 1000000, removed);
	return EXIT_PASSED;
}

/* Not for users: the process that rig_start() makes. */
static int rig_keep(int argc, char **argv)
{
	uint64_t control;

	if (argc != 2 || parse_number(argv[1], &control) || control > 1 << 20 ||
	    fcntl((int)control, F_GETFD) < 0)
		return bad_usage("rig keep is started by the other rig commands, not by hand");
	return supervisor_main((int)control);
}

static int rig_main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} commands[] = {
		{"build", rig_build}, {"up", rig_up},	    {"run", rig_run},
		{"shell", rig_shell}, {"down", rig_down},   {"status", rig_status},
		{"list", rig_status}, {"clean", rig_clean}, {"keep", rig_keep},
	};
	char *none[] = {"status", NULL};

	if (argc < 2)
		return rig_status(1, none);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, argv[1]) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return bad_usage("there is no `rig %s`", argv[1]);
}

static const struct command command_rig = {
	.name = "rig",
	.summary = "emulated hosts: build, up, run, shell, down, clean",
	.usage = rig_usage,
	.run = rig_main,
};

REGISTER(command, command_rig);
