// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell inject: inject one fault on this machine.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>

#include "inject/injector.h"
#include "reports/text.h"

static const char usage[] =
	"usage: brinell inject NAME [--OPTION VALUE]... [--dry-run]\n"
	"       brinell inject NAME --help\n"
	"\n"
	"Injects one fault on this machine, whose /etc/brinell/expendable must contain its own\n"
	"hostname. Kernel files that keep their value are saved, set, and restored. Ctrl-C stops\n"
	"a long fault.\n"
	"\n"
	"  --dry-run   print every write, in order, without executing it; needs no permission\n"
	"  --help      options of the injector NAME (see brinell list injectors)\n";

static void print_injectors(FILE *out)
{
	for (size_t i = 0; i < injector_count(); i++)
		fprintf(out, "  %-12s %s\n", injector_at(i)->name, injector_at(i)->summary);
}

static void print_help(const struct injector *injector)
{
	printf("usage: brinell inject %s [--OPTION VALUE]... [--dry-run]\n\n%s\n\n", injector->name,
	       injector->summary);
	param_print_help(stdout, injector->params);
	printf("  --%-16s %-10s %s\n", "dry-run", "", "print every write without executing it");
}

/* Parse --NAME VALUE and --NAME=VALUE; a boolean needs no value. Return: number of words, or -errno. */
static int take_option(const struct injector *injector, char **words, int count, json_t *arguments,
		       struct reason *why)
{
	const char *option = words[0] + 2, *equals = strchr(option, '=');
	__cleanup_free char *name =
		equals ? xstrndup(option, (size_t)(equals - option)) : xstrdup(option);
	const struct param *param = param_find(injector->params, name);
	const char *value = equals ? equals + 1 : NULL;
	__cleanup_free char *list = NULL;
	char *rest, *item;
	int error = 0, used = 1;

	if (!value && param && param->kind == PARAM_BOOL &&
	    (count < 2 || strncmp(words[1], "--", 2) == 0))
		value = "true";
	if (!value && param) {
		if (count < 2)
			return fail(why, -EINVAL, "'--%s' needs a value", name);
		value = words[1];
		used = 2;
	}
	if (!param || param->kind != PARAM_LIST) {
		error = param_set(injector->params, arguments, name, value ?: "", why);
		return error ?: used;
	}
	list = xstrdup(value);
	for (item = strtok_r(list, ",", &rest); item && !error; item = strtok_r(NULL, ",", &rest))
		error = param_set(injector->params, arguments, name, item, why);
	return error ?: used;
}

static void print_writes(const struct injection *injection)
{
	const json_t *entry;
	size_t index;

	json_array_foreach (injection->change.writes, index, entry)
		text_line(stdout, "write %-24s to %s", json_text(entry, "text", ""),
			  json_text(entry, "path", ""));
}

static void print_result(const struct injection *injection)
{
	const char *key;
	json_t *value;

	json_object_foreach (injection->result, key, value) {
		__cleanup_free char *text = json_dumps(value, JSON_ENCODE_ANY);

		text_line(stdout, "%s: %s", key, text);
	}
}

static void print_event(void *context, json_t *event)
{
	text_line(stdout, "%s", json_text(event, "text", ""));
	json_decref(event);
}

/* Wait for the end of a running fault; a signal stops it. */
static int await_end(struct injection *injection, const sigset_t *ending, struct reason *why)
{
	__cleanup_close int signals = signalfd(-1, ending, SFD_CLOEXEC);

	while (injection->running) {
		struct pollfd fds[] = {{.fd = injection->run.fd, .events = POLLIN},
				       {.fd = signals, .events = POLLIN}};

		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 || fds[1].revents)
			(void)injection_stop(injection);
		else
			injection->injector->dispatch(injection);
	}
	*why = injection->reason;
	return injection->error;
}

static int inject(const struct injector *injector, const json_t *arguments, bool dry_run)
{
	struct reason why = {0}, restore_why = {0};
	struct injection injection;
	sigset_t ending, before;
	int error = dry_run ? 0 : machine_is_expendable(&why);

	if (!error)
		error = injection_open(&injection, injector, arguments, dry_run, &why);
	if (error) {
		log_error("inject %s: %s", injector->name, why.text);
		return error == -EPERM ? EXIT_INFRA : EXIT_USAGE;
	}
	/* Signals are blocked between the first write and the restore. */
	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGHUP);
	sigprocmask(SIG_BLOCK, &ending, &before);
	injection.run.emit = print_event;
	error = injector->prepare(&injection, &why);
	if (!error) {
		error = injection_fire(&injection, &why) ?: await_end(&injection, &ending, &why);
		if (injector->restore(&injection, &restore_why))
			log_warning("inject %s: not everything was restored: %s", injector->name,
				    restore_why.text);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (dry_run && !error) {
		print_writes(&injection);
	} else if (!error) {
		printf("%s: the fault was injected; the kernel log shows its effect\n",
		       injector->name);
		print_result(&injection);
	} else {
		log_error("inject %s: %s (%s)", injector->name, why.text, error_name(error));
	}
	injection_close(&injection);
	return error ? EXIT_FAILED : EXIT_PASSED;
}

static int run(int argc, char **argv)
{
	const struct injector *injector = argc > 1 ? injector_find(argv[1]) : NULL;
	__cleanup_json json_t *arguments = json_object();
	struct reason why = {0};
	bool dry_run = false;
	int error = 0;

	if (!injector) {
		if (argc > 1)
			log_error("there is no injector '%s'; there are:", argv[1]);
		else
			fputs(usage, stderr);
		print_injectors(stderr);
		return EXIT_USAGE;
	}
	for (int i = 2; i < argc;) {
		int taken = 1;

		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help(injector);
			return EXIT_PASSED;
		}
		if (strcmp(argv[i], "--dry-run") == 0)
			dry_run = true;
		else if (strncmp(argv[i], "--", 2) == 0)
			taken = take_option(injector, argv + i, argc - i, arguments, &why);
		else
			taken = fail(&why, -EINVAL, "'%s' is not an option", argv[i]);
		if (taken < 0) {
			log_error("inject %s: %s", injector->name, why.text);
			return EXIT_USAGE;
		}
		i += taken;
	}
	error = param_finish(injector->params, arguments, &why);
	if (!error && injector->check)
		error = injector->check(arguments, TARGET_NONE, &why);
	if (error) {
		log_error("inject %s: %s", injector->name, why.text);
		return EXIT_USAGE;
	}
	return inject(injector, arguments, dry_run);
}

REGISTERED(command, inject_command) = {
	.name = "inject",
	.summary = "inject one fault on this machine",
	.usage = usage,
	.run = run,
};
