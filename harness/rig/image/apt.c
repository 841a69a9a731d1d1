// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debian's packages as an ordinary user: apt with a configuration of its own, so that nothing of
 * the machine's package state is touched, and dpkg-deb to unpack, so that no script of a package is
 * ever run.
 *
 * Which mirror, which proxy: what the machine's own apt uses.
 */
#include <errno.h>
#include <string.h>

#include "harness/rig/image/image.h"

static const char *const keyrings[] = {
	"/usr/share/keyrings/debian-archive-keyring.gpg",
	"/usr/share/keyrings/debian-archive-keyring.pgp",
};

/**
 * image_apt_field - the value of a field of a Debian control paragraph
 * @paragraph: text
 * @field:     its name
 *
 * Return: the first line of the value, owned by the caller, or NULL.
 */
char *image_apt_field(const char *paragraph, const char *field)
{
	size_t length = strlen(field);

	for (const char *line = paragraph; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, field, length) == 0 && line[length] == ':') {
			const char *value = line + length + 1 + strspn(line + length + 1, " ");

			return strndup(value, strcspn(value, "\n"));
		}
	}
	return NULL;
}

static int find_mirror(struct image_apt *apt, struct reason *why)
{
	static const char *const argv[] = {"apt-get",
					   "indextargets",
					   "--format",
					   "$(SITE) $(RELEASE) $(COMPONENT)",
					   "Created-By: Packages",
					   NULL};
	__cleanup_free char *system = NULL;
	__cleanup_free char *targets = NULL;
	char *rest, *line;
	int error;

	if (read_small_file("/etc/os-release", &system, NULL) == 0)
		for (line = strtok_r(system, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
			if (strncmp(line, "VERSION_CODENAME=", 17) == 0)
				apt->release = strdup(line + 17);
	if (!apt->release)
		return fail(why, -ENOENT,
			    "this machine's /etc/os-release names no Debian release; boot a "
			    "kernel of your own with --kernel");
	error = image_run_text(argv, NULL, &targets, why);
	if (error)
		return error;
	for (line = strtok_r(targets, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char site[512], suite[128], component[128];

		if (sscanf(line, "%511s %127s %127s", site, suite, component) == 3 &&
		    strcmp(suite, apt->release) == 0 && strcmp(component, "main") == 0) {
			apt->site = strdup(site);
			return 0;
		}
	}
	return fail(why, -ENOENT,
		    "apt on this machine has no mirror of Debian %s main in its sources; add one, "
		    "or boot a "
		    "kernel of your own with --kernel",
		    apt->release);
}

/*
 * The machine's way to the network (proxies, time-outs, certificates) with directories of our own.
 */
static int write_configuration(struct image_apt *apt, struct reason *why)
{
	static const char *const argv[] = {"apt-config", "dump", "Acquire", NULL};
	static const char *const directories[] = {"state/lists/partial", "cache/archives/partial",
						  "etc/apt.conf.d", "etc/preferences.d"};
	const char *own = apt->directory;
	__cleanup_free char *acquire = NULL;
	__cleanup_free char *text = NULL;
	int error = image_run_text(argv, NULL, &acquire, why);

	if (error)
		return error;
	for (size_t i = 0; !error && i < ARRAY_SIZE(directories); i++) {
		__cleanup_free char *path = format_text("%s/%s", own, directories[i]);

		error = make_directories(path);
	}
	text = format_text("%s\n"
			   "Dir::State \"%s/state\";\n"
			   "Dir::State::status \"%s/status\";\n"
			   "Dir::Cache \"%s/cache\";\n"
			   "Dir::Etc \"%s/etc\";\n"
			   "Dir::Etc::SourceList \"%s/etc/sources.list\";\n"
			   "Dir::Etc::SourceParts \"/dev/null\";\n"
			   "Dir::Etc::netrc \"/etc/apt/auth.conf\";\n"
			   "Dir::Etc::netrcparts \"/etc/apt/auth.conf.d\";\n"
			   "APT::Architecture \"amd64\";\n"
			   "APT::Architectures { \"amd64\"; };\n"
			   /* Without this apt as root drops to a user that can not write here. */
			   "APT::Sandbox::User \"root\";\n"
			   "Acquire::Languages \"none\";\n"
			   "Acquire::http::Timeout \"20\";\n"
			   "Acquire::https::Timeout \"20\";\n"
			   "Acquire::Retries \"1\";\n",
			   acquire, own, own, own, own, own);
	if (!error)
		error = write_file_atomically(own, "status", "", 0);
	if (!error)
		error = write_file_atomically(own, "apt.conf", text, strlen(text));
	if (error)
		return fail(why, error, "cannot write apt's configuration in %s: %s", own,
			    strerror(-error));
	apt->environment = format_text("APT_CONFIG=%s/apt.conf", own);
	return 0;
}

/**
 * image_apt_open - apt with directories of its own
 * @apt:     receives it; image_apt_close()
 * @cache:   directory of the cache; borrowed
 * @name:    of its directory there: each set of sources has its own, so that lists are not fetched
 *           again and again
 * @options: for progress; borrowed
 *
 * Return: 0 or -errno.
 */
int image_apt_open(struct image_apt *apt, const char *cache, const char *name,
		   const struct rig_options *options, struct reason *why)
{
	int error;

	*apt = (struct image_apt){.options = options,
				  .directory = format_text("%s/%s", cache, name)};
	error = find_mirror(apt, why);
	return error ? error : write_configuration(apt, why);
}

/** image_apt_close - free what image_apt_open() gave; its files stay, they are the cache */
void image_apt_close(struct image_apt *apt)
{
	free(apt->directory);
	free(apt->environment);
	free(apt->site);
	free(apt->release);
	memset(apt, 0, sizeof(*apt));
}

/**
 * image_apt_update - fetch the lists of one suite
 * @suite: such as "trixie"; its component main, from the mirror that the machine uses
 *
 * Return: 0, -ENOENT without a keyring, -EIO with apt's reason, or another -errno.
 */
int image_apt_update(struct image_apt *apt, const char *suite, struct reason *why)
{
	static const char *const update[] = {"apt-get", "update", "-q", "--error-on=any", NULL};
	__cleanup_free char *etc = format_text("%s/etc", apt->directory);
	struct image_command command = {.argv = update, .environment = apt->environment};
	__cleanup_free char *source = NULL;
	const char *keyring = NULL;
	int error;

	for (size_t i = 0; i < ARRAY_SIZE(keyrings); i++)
		if (!keyring && access(keyrings[i], R_OK) == 0)
			keyring = keyrings[i];
	if (!keyring)
		return fail(why, -ENOENT,
			    "no Debian archive keyring in /usr/share/keyrings; install "
			    "debian-archive-keyring");
	source = format_text("deb [signed-by=%s] %s %s main\n", keyring, apt->site, suite);
	error = write_file_atomically(etc, "sources.list", source, strlen(source));
	if (error)
		return fail(why, error, "cannot write %s/sources.list: %s", etc, strerror(-error));
	return image_run(&command, why);
}

/**
 * struct download - where a download is
 * @apt:      whose progress is told
 * @packages: that are fetched
 * @started:  CLOCK_MONOTONIC
 */
struct download {
	const struct image_apt *apt;
	const struct image_packages *packages;
	int64_t started;
};

static void tell(const struct image_apt *apt, const struct image_packages *packages, double part,
		 const char *what)
{
	if (apt->options->progress)
		apt->options->progress(apt->options->context, what,
				       packages->from + (packages->to - packages->from) * part);
}

static void download_line(void *context, const char *text)
{
	const struct download *download = context;
	const struct image_packages *packages = download->packages;
	__cleanup_free char *what = NULL;
	double percent, seconds;
	int item;

	/* "dlstatus:ITEM:PERCENT:TEXT", README.progress-reporting of apt */
	if (sscanf(text, "dlstatus:%d:%lf:", &item, &percent) != 2)
		return;
	seconds = (double)(now_monotonic_ns() - download->started) / NSEC_PER_SEC;
	what = format_text("downloading %s, %.0f of %llu MB", packages->what,
			   percent / 100 * (double)packages->bytes / 1e6,
			   packages->bytes / 1000000);
	if (percent > 1 && seconds > 1) {
		char *longer =
			format_text("%s, %.0f s left", what, seconds * (100 - percent) / percent);

		free(what);
		what = longer;
	}
	tell(download->apt, packages, 0.85 * percent / 100, what);
}

static int download_packages(struct image_apt *apt, const struct image_packages *packages,
			     const char *work, struct reason *why)
{
	struct download download = {apt, packages, now_monotonic_ns()};
	__cleanup_free const char **argv =
		calloc(json_array_size(packages->names) + 6, sizeof(*argv));
	struct image_command command = {.argv = argv,
					.environment = apt->environment,
					.directory = work,
					.line = download_line,
					.context = &download};
	size_t used = 0;

	if (!argv)
		return -ENOMEM;
	argv[used++] = "apt-get";
	argv[used++] = "download";
	argv[used++] = "-q";
	argv[used++] = "-o";
	argv[used++] = "APT::Status-Fd=1";
	for (size_t i = 0; i < json_array_size(packages->names); i++)
		argv[used++] = json_string_value(json_array_get(packages->names, i));
	return image_run(&command, why);
}

/**
 * image_apt_fetch - download packages and unpack them, without their scripts
 * @packages: what
 * @work:     temporary directory; below it, root/ receives the files
 *
 * Return: 0 or -errno.
 */
int image_apt_fetch(struct image_apt *apt, const struct image_packages *packages, const char *work,
		    struct reason *why)
{
	__cleanup_free char *what = format_text("unpacking %s", packages->what);
	size_t count = json_array_size(packages->names);
	int error = download_packages(apt, packages, work, why);

	for (size_t i = 0; !error && i < count; i++) {
		const char *name = json_string_value(json_array_get(packages->names, i));
		__cleanup_free char *script =
			format_text("dpkg-deb -x %s_*.deb root && rm -f %s_*.deb", name, name);
		const char *const argv[] = {"sh", "-c", script, NULL};
		struct image_command command = {.argv = argv, .directory = work};

		tell(apt, packages, 0.85 + 0.15 * (double)i / (double)count, what);
		error = image_run(&command, why);
	}
	return error;
}

/**
 * image_apt_show - the control paragraph of a package
 * @package:   its name
 * @paragraph: receives it; owned by the caller
 *
 * Return: 0 or -EIO with apt's reason.
 */
int image_apt_show(const struct image_apt *apt, const char *package, char **paragraph,
		   struct reason *why)
{
	const char *const argv[] = {"apt-cache", "show", "--no-all-versions", package, NULL};

	return image_run_text(argv, apt->environment, paragraph, why);
}
