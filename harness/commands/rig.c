// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell rig: start and use emulated hosts.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "harness/commands/rig_command.h"
#include "harness/lib/param.h"
#include "harness/lib/registry.h"

static const char rig_usage[] =
	"usage: brinell rig [status]                     the rigs that are up, and the profiles\n"
	"       brinell rig build [PROFILE] [--refresh]  fetch the kernel and make the image\n"
	"       brinell rig up [PROFILE] [OPTIONS]       start a host, until its deadline or "
	"`down`\n"
	"       brinell rig run [PROFILE|NAME] [OPTIONS] [--file LOCAL[:REMOTE]]... -- COMMAND...\n"
	"       brinell rig shell [PROFILE|NAME] [OPTIONS]\n"
	"                                                a root shell; `exit` or Ctrl-] ends it\n"
	"       brinell rig down [NAME] [--all]          end hosts that are up\n"
	"       brinell rig clean                        remove the cache and remains of killed "
	"rigs\n"
	"\n"
	"The rig is an emulated host: a real kernel on an emulated machine, where faults are safe. "
	"`run`\n"
	"and `shell` use a host of that name or profile that is up, or boot one. Files are copied "
	"to /root\n"
	"or to REMOTE; the exit status is that of COMMAND.\n"
	"\n"
	"  --kernel FILE      boot this bzImage instead of Debian's newest kernel\n"
	"  --modules DIR      with modules of that kernel: a /lib/modules/RELEASE or a build tree\n"
	"  --append TEXT      append TEXT to the kernel's command line\n"
	"  --memory SIZE      512M to 2560M (default: that of the profile)\n"
	"  --processors N     1 to 64\n"
	"  --einj REVISION    1, or 2 for firmware that offers EINJv2\n"
	"  --count-instructions  the host's time is its number of instructions "
	"(docs/performance.md)\n"
	"  --artifacts DIR    receives console.log\n"
	"  --deadline TIME    end the host after this time (default 60min)\n"
	"  --timeout TIME     run: limit of COMMAND (default 10min)\n"
	"  --verbose-boot     print the whole boot on the console\n"
	"  --refresh          look for a newer kernel now; without it, once a week\n";

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

/* Start one detached host. Return: 0, or an exit code after its message; then no host is left. */
static int up_host(struct rig_options *options, struct rig **rig)
{
	__cleanup_json json_t *state = NULL;
	struct channel *agent = NULL;
	struct reason why = {""};
	char until[32] = "";
	int64_t started = now_monotonic_ns();
	double spoke = 0;
	int error = rig_start(options, rig, &why), id = 1;

	if (error)
		return rig_failed(error, &why);
	agent = rig_open_agent(*rig, &why);
	spoke = since(started);
	error = agent ? rig_await_ready(*rig, agent, &id, &why) : -ETIMEDOUT;
	if (!error)
		error = rig_call(*rig, "status", NULL, 5000, &state, &why);
	channel_free(agent);
	if (error) {
		rig_stop(*rig);
		return rig_failed(error, &why);
	}
	print_deadline(json_number(state, "deadline_ns", 0), until, sizeof(until));
	printf("%s\n", rig_name(*rig));
	log_info("rig %s is up after %.1f s (its agent answered after %.1f s), kernel %s, and ends "
		 "at "
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
	int status = rig_parse(argc, argv, HOST_OPTIONS, false, &line)
		?: rig_check_files(&line)
		?: rig_want_profile(&line);

	profile = rig_profile_find(line.target);
	line.options.detached = true;
	line.options.shell = "again";
	while (!status && up < profile->hosts) {
		if (profile->hosts > 1)
			line.options.host_number = up + 1;
		if (up) {
			line.options.link = rig_link_path(rigs[0]);
			/* The image exists. */
			line.options.progress = NULL;
		}
		status = up_host(&line.options, &rigs[up]);
		if (!status)
			up++;
	}
	/* End the first host of a pair if the second one fails. */
	for (unsigned int i = 0; i < up; i++)
		if (status)
			rig_stop(rigs[i]);
		else
			rig_disconnect(rigs[i]);
	free(line.files);
	return status;
}

static int rig_build(int argc, char **argv)
{
	struct rig_command_line line;
	struct rig_image image = {0};
	struct reason why = {""};
	int64_t started = now_monotonic_ns();
	int status = rig_parse(argc, argv,
			       BIT(OPTION_KERNEL) | BIT(OPTION_MODULES) | BIT(OPTION_REFRESH),
			       false, &line);
	int error;

	if (!status)
		status = rig_check_files(&line);
	if (!status && !rig_profile_find(line.target))
		status = rig_bad_usage("there is no rig profile '%s'", line.target);
	if (!status) {
		line.options.profile = line.target;
		error = rig_image_ensure(&line.options, &image, &why);
		if (error)
			status = rig_failed(error, &why);
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
		return rig_bad_usage("%s", why.text);
	if (error)
		return rig_failed(error, &why);
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
	int status = rig_parse(argc, argv, BIT(OPTION_ALL), false, &line);

	free(line.files);
	if (status)
		return status;
	if (line.all && line.target)
		return rig_bad_usage("rig down: NAME or --all, not both");
	if (!line.all)
		return stop_named(line.target);
	if (rig_state_list(&states, &count, &why))
		return rig_failed(-EIO, &why);
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
	int status = rig_parse(argc, argv, 0, false, &line);

	free(line.files);
	if (status)
		return status;
	if (line.target)
		return rig_bad_usage("there is no `rig %s`", line.target);
	if (rig_state_list(&states, &count, &why))
		return rig_failed(-EIO, &why);
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
	int status = rig_parse(argc, argv, 0, false, &line);
	int error;

	free(line.files);
	if (status)
		return status;
	if (line.target)
		return rig_bad_usage("rig clean takes no '%s'", line.target);
	error = rig_state_clean(&removed, &why) ?: rig_image_clean(&bytes, &why);
	if (error)
		return rig_failed(error, &why);
	log_info("removed %llu MB of cache and the remains of %u killed rigs", bytes / 1000000,
		 removed);
	return EXIT_PASSED;
}

/* Internal: the supervisor process of rig_start(). */
static int rig_keep(int argc, char **argv)
{
	uint64_t control;

	if (argc != 2 || parse_number(argv[1], &control) || control > 1 << 20 ||
	    fcntl((int)control, F_GETFD) < 0)
		return rig_bad_usage("rig keep is internal: other rig commands start it");
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
	return rig_bad_usage("there is no `rig %s`", argv[1]);
}

REGISTERED(command, command_rig) = {
	.name = "rig",
	.summary = "emulated hosts: build, up, run, shell, down, clean",
	.usage = rig_usage,
	.run = rig_main,
};
