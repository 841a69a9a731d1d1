// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files and the memory of a micro guest: the same on the host that starts it, and on the target of its migration.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/utsname.h>

#include "harness/hypervisor/service.h"
#include "harness/link/guest_service.h"
#include "harness/host/machine.h"

#define MEMORY_LEAST_MIB 64
#define MEMORY_MOST_MIB (1 << 20)
#define PROCESSORS_MOST 256

static char *find_program(const char *program, struct reason *why)
{
	static const char *const places[] = {".", "../lib/brinell"};
	char self[PATH_MAX] = "/", place[4096];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length > 0)
		self[length] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		__cleanup_free char *path = format_text("%s/%s/%s", self, places[i], program);

		if (access(system_path(place, path), R_OK) == 0)
			return xstrdup(place);
	}
	fail(why, -ENOENT, "no %s beside this agent, in %s: copy it there, micro guests need it",
	     program, self);
	return NULL;
}

static char *find_kernel(const char *release, struct reason *why)
{
	char *kernel = machine_find_kernel(release);

	if (!kernel)
		fail(why, -ENOENT,
		     "neither /boot/vmlinuz-%s nor /boot/vmlinuz is there: name a kernel by "
		     "'kernel'",
		     release);
	return kernel;
}

static int take_size(const json_t *arguments, const char *key, int64_t usual, int64_t least,
		     int64_t most, unsigned int *size, struct reason *why)
{
	int64_t number = json_number(arguments, key, usual);

	if (number < least || number > most)
		return fail(why, -EINVAL, "'%s' is %lld, it must be %lld to %lld", key,
			    (long long)number, (long long)least, (long long)most);
	*size = (unsigned int)number;
	return 0;
}

static int check_programs(const json_t *programs, struct reason *why)
{
	const json_t *program;
	size_t index;

	if (programs && !json_is_array(programs))
		return fail(why, -EINVAL, "'programs' must be an array of names");
	json_array_foreach (programs, index, program)
		if (!json_is_string(program) || !domain_name_is_valid(json_string_value(program)))
			return fail(why, -EINVAL, "programs[%zu] is no name of a program", index);
	return 0;
}

static int write_initramfs(const char *path, const char *program, const char *release,
			   const json_t *programs, struct reason *why)
{
	__cleanup_free char *modules = format_text("/lib/modules/%s", release);
	char place[4096];
	const struct initramfs_source source = {
		.program = program, .modules = system_path(place, modules), .programs = programs};

	return initramfs_write(path, &source, why);
}

/* Reserve the pages of a guest's memory before the hypervisor allocates them. */
static int take_backing(struct domain_guest *guest, const json_t *arguments,
			struct domain_plan *plan, struct reason *why)
{
	const char *backing = json_text(arguments, "backing", "anonymous");
	int error;

	snprintf(guest->backing, sizeof(guest->backing), "%s", backing);
	plan->huge_pages = strcmp(backing, "hugetlb") == 0;
	if (plan->huge_pages) {
		error = machine_is_expendable(why);
		return error ?: huge_pages_reserve(plan->memory_mib, &guest->huge_pages, why);
	}
	if (strcmp(backing, "thp") == 0) {
		__cleanup_free char *policy = transparent_pages_policy();

		if (!policy || strcmp(policy, "never") == 0)
			return fail(why, -EOPNOTSUPP,
				    "'backing' is thp, and this host has transparent huge pages "
				    "disabled: echo madvise "
				    ">/sys/kernel/mm/transparent_hugepage/enabled");
		return 0;
	}
	if (strcmp(backing, "anonymous") != 0)
		return fail(why, -EINVAL, "'backing' must be anonymous, thp or hugetlb");
	return 0;
}

static int take_machine(struct domain_plan *plan, const json_t *arguments, struct reason *why)
{
	const char *const *machines = hypervisor_here()->machines;
	const char *machine = json_text(arguments, "machine", machines ? machines[0] : NULL);

	plan->machine = machine;
	if (!machine || (machines && text_among(machine, machines)))
		return 0;
	return fail(why, -EOPNOTSUPP, "%s has no virtual machines of the kind '%s'",
		    hypervisor_here()->name, machine);
}

/** domain_open_console - create and open the pipes of a guest's console, if it is not its stream. Return: 0 or -errno */
int domain_open_console(struct domain_guest *guest, struct reason *why)
{
	__cleanup_free char *path = format_text("%s/console", guest->directory);

	if (hypervisor_here()->single_console)
		return 0;
	console_free(guest->console);
	guest->console = console_open(path, why);
	return guest->console ? 0 : -EIO;
}

/* Whether the micro guest is the unikernel of the hypervisor. */
static int take_system(const json_t *arguments, const char **unikernel, struct reason *why)
{
	const char *mine = hypervisor_here()->unikernel;
	const char *system = json_text(arguments, "system", mine ? "unikernel" : "linux");

	*unikernel = NULL;
	if (strcmp(system, "linux") == 0)
		return 0;
	if (strcmp(system, "unikernel") != 0)
		return fail(why, -EINVAL, "'system' must be linux or unikernel");
	*unikernel = mine;
	return mine ? 0
		    : fail(why, -EOPNOTSUPP, "%s has no unikernel: 'system' must be linux",
			   hypervisor_here()->name);
}

/* A unikernel has no kernel of the host and no initramfs. */
static int plan_unikernel(const struct domain_plan *plan, const json_t *programs,
			  struct reason *why)
{
	if (plan->processors == 1 && !json_array_size(programs) && !plan->huge_pages)
		return 0;
	return fail(why, -EOPNOTSUPP,
		    "a unikernel of %s has one processor, no further programs and no huge pages",
		    hypervisor_here()->name);
}

/**
 * domain_make_files - create the directory of a micro guest with its initramfs and its console, and reserve its memory
 * @description: receives the description of its domain, owned by the caller
 *
 * Return: 0 or -errno. Call domain_remove_files() in both cases.
 */
int domain_make_files(struct domain_guest *guest, const json_t *arguments, char **description,
		      struct reason *why)
{
	const json_t *programs = json_object_get(arguments, "programs");
	const char *unikernel;
	__cleanup_free char *initramfs = format_text("%s/initramfs", guest->directory);
	__cleanup_free char *console = format_text("%s/console", guest->directory);
	__cleanup_free char *owner = domain_owner(getpid());
	__cleanup_free char *program = NULL;
	__cleanup_free char *kernel = NULL;
	struct domain_plan plan = {.guest = guest->name,
				   .uuid = guest->uuid,
				   .port = guest->port,
				   .console = console,
				   .owner = owner ?: "brinell-agent",
				   .arguments = json_text(arguments, "arguments", "")};
	struct utsname system;
	int error;

	uname(&system);
	error = take_size(arguments, "memory_mib", 256, MEMORY_LEAST_MIB, MEMORY_MOST_MIB,
			  &plan.memory_mib, why)
		?: take_size(arguments, "processors", 1, 1, PROCESSORS_MOST, &plan.processors, why)
		?: check_programs(programs, why)
		?: take_machine(&plan, arguments, why)
		?: take_system(arguments, &unikernel, why);
	if (error)
		return error;
	program = find_program(unikernel ?: "brinell-guest", why);
	if (json_object_get(arguments, "kernel"))
		kernel = xstrdup(json_text(arguments, "kernel", ""));
	else if (program)
		kernel = unikernel ? xstrdup(program) : find_kernel(system.release, why);
	if (!program || !kernel)
		return -ENOENT;
	plan.kernel = kernel;
	error = make_directories(guest->directory);
	if (error)
		return fail_errno(why, error, "make %s", guest->directory);
	if (!unikernel) {
		plan.initramfs = initramfs;
		error = write_initramfs(initramfs, program, system.release, programs, why);
	}
	error = error
			?: domain_open_console(guest, why)
			?: take_backing(guest, arguments, &plan, why);
	if (!error && unikernel)
		error = plan_unikernel(&plan, programs, why);
	if (!error)
		*description = hypervisor_here()->plan(&plan);
	return error;
}

/** domain_remove_files - undo domain_make_files() */
void domain_remove_files(struct domain_guest *guest)
{
	__cleanup_free char *initramfs = format_text("%s/initramfs", guest->directory);
	__cleanup_free char *kernel = format_text("%s/kernel", guest->directory);

	console_free(steal(guest->console));
	if (!guest->ours)
		return;
	huge_pages_release(guest->huge_pages);
	guest->huge_pages = 0;
	domain_disclaim(guest->name);
	unlink(initramfs);
	unlink(kernel);
	rmdir(guest->directory);
}

/** domain_take_name - check "name", "kind" and "domain" of a call that starts a guest. @ours receives whether it is micro */
int domain_take_name(const char *call, const json_t *arguments, bool *ours, struct reason *why)
{
	const char *kind = json_text(arguments, "kind", "micro");

	*ours = strcmp(kind, "micro") == 0;
	if (!domain_name_is_valid(json_text(arguments, "name", "")))
		return fail(why, -EINVAL,
			    "%s: 'name' must be 1 to 48 letters, digits, '.', '_' or '-'", call);
	if (!*ours && (strcmp(kind, "domain") != 0 || !*json_text(arguments, "domain", "")))
		return fail(why, -EINVAL,
			    "%s: 'kind' must be \"micro\", or \"domain\" with the name of one in "
			    "'domain'",
			    call);
	return 0;
}

/**
 * domain_listen - listen for guests on the vsock, until the last guest of this agent is removed
 * @ours: a micro guest, whose kernel command line names the port; a domain of the user dials the default port
 * @port: to listen on; receives the port in use
 *
 * Return: 0, also if it listens already, or -errno.
 */
int domain_listen(struct agent *agent, bool ours, unsigned int *port, struct reason *why)
{
	int error;

	if (!hypervisor_here()->vsock)
		return 0;
	error = guest_link_listen(guest_service_link(agent), port, why);
	/* An earlier guest.listen stays in effect. */
	if (!error)
		*domain_listens(agent) = true;
	return error == -EALREADY || !ours ? 0 : error;
}

/** domain_listen_end - stop listening, if domain_listen() started it */
void domain_listen_end(struct agent *agent)
{
	if (*domain_listens(agent))
		guest_link_listen_no_more(guest_service_link(agent));
	*domain_listens(agent) = false;
}
