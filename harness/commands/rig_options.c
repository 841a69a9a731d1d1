// SPDX-License-Identifier: GPL-2.0-only
/*
 * The options of brinell rig, and its messages.
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/commands/rig_command.h"
#include "harness/lib/param.h"

/** rig_bad_usage - log an error of the command line. Return: EXIT_USAGE */
int rig_bad_usage(const char *format, ...)
{
	__cleanup_free char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = format_text_list(format, arguments);
	va_end(arguments);
	log_error("%s; see brinell rig --help", text);
	return EXIT_USAGE;
}

/** rig_failed - log an error. Return: its exit code */
int rig_failed(int error, const struct reason *why)
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

	if (!started)
		started = now;
	seconds = (double)(now - started) / NSEC_PER_SEC;
	/* No line for steps that the cache makes instant. */
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
		return rig_bad_usage("--%s is a number from %u to %u, not '%s'", option, least,
				     most, text);
	*number = (unsigned int)value;
	return 0;
}

static int take_time(const char *option, const char *text, unsigned int *seconds)
{
	int64_t time_ns;

	if (parse_duration(text, &time_ns) || time_ns < NSEC_PER_SEC ||
	    time_ns > 30 * 24 * 3600 * NSEC_PER_SEC)
		return rig_bad_usage("--%s is a time such as 90s or 30min, not '%s'", option, text);
	*seconds = (unsigned int)(time_ns / NSEC_PER_SEC);
	return 0;
}

static const struct option rig_options[] = {
	{"kernel", required_argument, NULL, OPTION_KERNEL},
	{"modules", required_argument, NULL, OPTION_MODULES},
	{"append", required_argument, NULL, OPTION_APPEND},
	{"memory", required_argument, NULL, OPTION_MEMORY},
	{"processors", required_argument, NULL, OPTION_PROCESSORS},
	{"einj", required_argument, NULL, OPTION_EINJ},
	{"count-instructions", no_argument, NULL, OPTION_COUNT},
	{"artifacts", required_argument, NULL, OPTION_ARTIFACTS},
	{"deadline", required_argument, NULL, OPTION_DEADLINE},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"verbose-boot", no_argument, NULL, OPTION_VERBOSE_BOOT},
	{"refresh", no_argument, NULL, OPTION_REFRESH},
	{"file", required_argument, NULL, OPTION_FILE},
	{"all", no_argument, NULL, OPTION_ALL},
	{NULL, 0, NULL, 0},
};

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
			return rig_bad_usage("--memory is %dM to %dM, not '%s'", RIG_MEMORY_MIN_MIB,
					     RIG_MEMORY_MAX_MIB, argument);
		options->memory_mib = (unsigned int)(bytes >> 20);
		return 0;
	case OPTION_PROCESSORS:
		return take_number("processors", argument, 1, 64, &options->processors);
	case OPTION_EINJ:
		return take_number("einj", argument, 1, 2, &options->einj_revision);
	case OPTION_COUNT:
		options->counts_instructions = true;
		return 0;
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

/**
 * rig_parse - parse the command line of a subcommand
 * @allowed:       BIT() of each option of the subcommand
 * @takes_command: the subcommand has a COMMAND
 * @line:          receives the result; the caller frees @line->files
 *
 * Return: 0 or EXIT_USAGE after a message.
 */
int rig_parse(int argc, char **argv, unsigned int allowed, bool takes_command,
	      struct rig_command_line *line)
{
	int option, error;

	*line = (struct rig_command_line){.timeout_ms = 600000};
	line->options.progress = show_progress;
	line->files = xcalloc((size_t)argc + 1, sizeof(*line->files));
	optind = 1;
	opterr = 0;
	/*
	 * '+': stop at the first word without dashes, so that "--" keeps its meaning. The rest is
	 * parsed below.
	 */
	while (optind < argc) {
		if (strcmp(argv[optind], "--") == 0) {
			optind++;
			break;
		}
		if (argv[optind][0] != '-') {
			if (line->target)
				return rig_bad_usage(
					"one PROFILE or NAME is enough: '%s' and '%s'%s",
					line->target, argv[optind],
					takes_command ? " (the command follows --)" : "");
			line->target = argv[optind++];
			continue;
		}
		option = getopt_long(argc, argv, "+", rig_options, NULL);
		if (option == '?')
			return rig_bad_usage("rig %s: bad option or missing argument: %s", argv[0],
					     argv[optind - 1]);
		if (!(allowed & BIT(option)))
			return rig_bad_usage("rig %s takes no %s", argv[0], argv[optind - 1]);
		error = take_option(line, option, optarg);
		if (error)
			return error;
	}
	if (takes_command && optind < argc)
		line->command = argv + optind;
	else if (optind < argc)
		return rig_bad_usage("rig %s takes no command", argv[0]);
	return 0;
}

/**
 * rig_check_files - check the files of the command line before anything is started
 *
 * Return: 0 or EXIT_USAGE after a message.
 */
int rig_check_files(const struct rig_command_line *line)
{
	__cleanup_free char *release = NULL;
	struct reason why = {""};

	if (line->options.kernel && image_kernel_check(line->options.kernel, &release, &why))
		return rig_bad_usage("%s", why.text);
	if (line->options.modules && !line->options.kernel)
		return rig_bad_usage("--modules needs --kernel");
	if (line->options.modules && access(line->options.modules, R_OK | X_OK) < 0)
		return rig_bad_usage("--modules %s: %s", line->options.modules, strerror(errno));
	for (size_t i = 0; i < line->file_count; i++) {
		__cleanup_free char *local = xstrndup(line->files[i], strcspn(line->files[i], ":"));
		struct stat status;

		if (stat(local, &status) < 0)
			return rig_bad_usage("--file %s: %s", local, strerror(errno));
		if (!S_ISREG(status.st_mode))
			return rig_bad_usage("--file %s: not a regular file", local);
	}
	return 0;
}

/** rig_want_profile - use the target as the profile to boot. Return: 0 or EXIT_USAGE */
int rig_want_profile(struct rig_command_line *line)
{
	if (!rig_profile_find(line->target))
		return rig_bad_usage("there is no rig profile '%s', and no rig of that name is up",
				     line->target);
	line->options.profile = line->target;
	return 0;
}
