// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell: inject hardware faults into hosts that run virtual machines, and prove from evidence what each fault did.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "harness/lib/registry.h"
#include "harness/lib/util.h"

/* Order of commands in the help text. */
static const char *const order[] = {"run",    "check",	 "resume",    "shrink",	 "judge",   "show",
				    "report", "compare", "calibrate", "history", "nightly", "list",
				    "doctor", "inject",	 "rig",	      "agent",	 NULL};

static void print_command(FILE *out, const struct command *command)
{
	fprintf(out, "  %-9s %s\n", command->name, command->summary);
}

static void print_help(FILE *out)
{
	fputs("usage: brinell COMMAND [OPTIONS]\n"
	      "\n"
	      "Injects hardware faults into Linux hosts that run virtual machines, and proves "
	      "from\n"
	      "independent evidence what each fault did.\n"
	      "\n",
	      out);
	for (const char *const *name = order; *name; name++) {
		const struct command *command = command_find(*name);

		if (command)
			print_command(out, command);
	}
	for (size_t i = 0; i < command_count(); i++)
		if (!text_among(command_at(i)->name, order))
			print_command(out, command_at(i));
	fputs("\n"
	      "brinell COMMAND --help has more. Options of every command: --quiet, --verbose.\n"
	      "Exit: 0 all passed or skipped, 1 a failure, 2 bad usage or a bad file (nothing was\n"
	      "started), 3 inconclusive, 4 the bench failed.\n",
	      out);
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

/* Remove the options that all commands share from the arguments. */
static int take_common_options(int argc, char **argv)
{
	int kept = 0;
	bool ended = false;

	for (int i = 0; i < argc; i++) {
		ended = ended || strcmp(argv[i], "--") == 0;
		if (!ended && strcmp(argv[i], "--quiet") == 0)
			log_level_set(3);
		else if (!ended && strcmp(argv[i], "--verbose") == 0)
			log_level_set(7);
		else
			argv[kept++] = argv[i];
	}
	argv[kept] = NULL;
	return kept;
}

/* Open closed standard streams, so that no other file gets their numbers. */
static void open_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* Lost output, by a full disk or a broken pipe, is an error. */
static int end_output(int code)
{
	int error = fflush(stdout) == 0 ? 0 : errno;

	if (!error && !ferror(stdout))
		return code;
	log_error("writing to standard output: %s", strerror(error ?: EIO));
	return code == EXIT_PASSED ? EXIT_INFRA : code;
}

/* Arguments become JSON, in the journal and on the way to an agent: one that is no Unicode would be lost there. */
static bool are_utf8(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!is_utf8(argv[i])) {
			log_error("argument %d, '%s', is not UTF-8; rename the file, or go into "
				  "its directory",
				  i, mend_text(argv[i]));
			return false;
		}
	return true;
}

static int run_command(int argc, char **argv)
{
	const struct command *command;

	if (!are_utf8(argc, argv))
		return EXIT_USAGE;
	argc = take_common_options(argc, argv);
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return EXIT_PASSED;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("brinell " BRINELL_VERSION);
		return EXIT_PASSED;
	}
	command = command_find(argv[1]);
	if (!command) {
		log_error("there is no command '%s'; brinell --help lists them", argv[1]);
		return EXIT_USAGE;
	}
	/* `inject NAME --help` prints the options of the injector, so the command handles it. */
	if (asks_for_help(argc - 1, argv + 1) && (strcmp(argv[1], "inject") != 0 || argc < 4)) {
		fputs(command->usage, stdout);
		return EXIT_PASSED;
	}
	return command->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	open_standard_streams();
	signal(SIGPIPE, SIG_IGN);
	/* A file that reaches RLIMIT_FSIZE is an error like a full disk, not the end of the run. */
	signal(SIGXFSZ, SIG_IGN);
	return end_output(run_command(argc, argv));
}
