// SPDX-License-Identifier: GPL-2.0-only
/*
 * What injectors ask of this machine: what an address is, what a page is, which modules there are.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "harness/host/machine.h"
#include "harness/lib/spawn.h"

#define MODPROBE_MS 60000

static bool starts_with(const char *text, const char *begin)
{
	return strncmp(text, begin, strlen(begin)) == 0;
}

/**
 * machine_memory_kind - what is at an address
 * @address: physical, in bytes
 *
 * The names are those that the kernel gives its resources (kernel/resource.c, arch/x86/kernel/e820.c); the list of
 * what EINJ may have is that of einj_error_inject() (drivers/acpi/apei/einj-core.c).
 */
enum memory_kind machine_memory_kind(uint64_t address)
{
	static const char *const others[] = {"Persistent Memory", "Soft Reserved",
					     "Reserved",	  "ACPI Tables",
					     "ACPI Non-volatile", "Crash kernel"};
	enum memory_kind kind = MEMORY_DEVICE;
	__cleanup_free char *text = NULL;
	uint64_t highest = 0;
	char path[4096];
	char *rest, *line;

	if (read_small_file(system_path(path, "/proc/iomem"), &text, NULL))
		return MEMORY_UNKNOWN;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		uint64_t first, last;
		int name = 0;

		if (sscanf(line, " %" SCNx64 "-%" SCNx64 " : %n", &first, &last, &name) < 2 ||
		    !name)
			continue;
		if (last > highest)
			highest = last;
		if (address < first || address > last)
			continue;
		if (starts_with(line + name, "System RAM"))
			return MEMORY_RAM;
		for (size_t i = 0; i < ARRAY_SIZE(others); i++)
			if (starts_with(line + name, others[i]))
				kind = MEMORY_OTHER;
	}
	/* Without CAP_SYS_ADMIN every address reads as zero. */
	return highest ? kind : MEMORY_UNKNOWN;
}

/**
 * machine_page_flags - the flags of a page frame
 * @pfn:   page frame number
 * @flags: receives the bits of include/uapi/linux/kernel-page-flags.h
 *
 * Return: 0, -ENXIO for a frame that does not exist, or -errno of /proc/kpageflags.
 */
int machine_page_flags(uint64_t pfn, uint64_t *flags)
{
	char path[4096];
	__cleanup_close int fd = open(system_path(path, "/proc/kpageflags"), O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -errno;
	if (pfn > INT64_MAX / sizeof(*flags))
		return -ENXIO;
	got = pread(fd, flags, sizeof(*flags), (off_t)(pfn * sizeof(*flags)));
	if (got < 0)
		return -errno;
	return got == sizeof(*flags) ? 0 : -ENXIO;
}

/** machine_has_file - whether a file of the kernel's interface is there */
bool machine_has_file(const char *path)
{
	char buffer[4096];

	return access(system_path(buffer, path), F_OK) == 0;
}

/** machine_find_kernel - the path of the file of a kernel that guests can boot, owned by the caller; NULL where there is none */
char *machine_find_kernel(const char *release)
{
	__cleanup_free char *path = format_text("/boot/vmlinuz-%s", release);
	char place[4096];

	if (access(system_path(place, path), R_OK) == 0 ||
	    access(system_path(place, "/boot/vmlinuz"), R_OK) == 0)
		return xstrdup(place);
	return NULL;
}

/** machine_find_program - the path of a program, owned by the caller; NULL where there is none. An agent need not have a PATH */
char *machine_find_program(const char *name)
{
	static const char *const places[] = {"/usr/local/bin", "/usr/bin", "/bin"};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		__cleanup_free char *program = format_text("%s/%s", places[i], name);
		char path[4096];

		if (access(system_path(path, program), X_OK) == 0)
			return xstrdup(path);
	}
	return NULL;
}

static bool lists_module(const char *list, const char *module)
{
	__cleanup_free char *needle = format_text("/%s.ko", module);
	__cleanup_free char *text = NULL;
	struct utsname name;
	char path[4096], file[512];

	uname(&name);
	snprintf(file, sizeof(file), "/lib/modules/%s/%s", name.release, list);
	return read_small_file(system_path(path, file), &text, NULL) == 0 &&
	       strstr(text, needle) != NULL;
}

/**
 * machine_module_available - whether a module is built into the kernel, loaded, or can be loaded
 * @module: name with '-' as in its file's name
 */
bool machine_module_available(const char *module)
{
	__cleanup_free char *path = format_text("/sys/module/%s", module);

	for (char *letter = path; *letter; letter++)
		if (*letter == '-')
			*letter = '_';
	return machine_has_file(path) || lists_module("modules.builtin", module) ||
	       lists_module("modules.dep", module);
}

/** machine_is_locked_down - whether kernel_lockdown(7) forbids writes to debugfs */
bool machine_is_locked_down(void)
{
	__cleanup_free char *text = NULL;
	char path[4096];

	return read_small_file(system_path(path, "/sys/kernel/security/lockdown"), &text, NULL) ==
		       0 &&
	       (strstr(text, "[integrity]") || strstr(text, "[confidentiality]"));
}

static int run_modprobe(const char *module, int *status)
{
	static const char *const places[] = {"/sbin/modprobe", "/usr/sbin/modprobe",
					     "/bin/modprobe"};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		char path[4096];
		const char *const argv[] = {system_path(path, places[i]), "-q", module, NULL};
		struct spawn spawn = {.argv = argv,
				      .streams = {SPAWN_NULL, SPAWN_NULL, SPAWN_NULL}};
		int error;

		if (access(path, X_OK) < 0)
			continue;
		error = spawn_start(&spawn, NULL) ?: spawn_wait(&spawn, MODPROBE_MS, status);
		if (error == -ETIMEDOUT)
			kill(spawn.pid, SIGKILL);
		return error;
	}
	return -ENOENT;
}

/**
 * machine_load_module - load an injector's module on a machine that may be broken
 * @module: name with '-' as in its file's name
 * @proof:  file that is there when the module works
 * @why:    reason of a failure
 *
 * Return: 0 when @proof is there, -EPERM on a machine that is not expendable, -ENOENT without such a module,
 * -ENODEV when it loads but finds nothing to drive.
 */
int machine_load_module(const char *module, const char *proof, struct reason *why)
{
	int status = 0;
	int error;

	if (machine_has_file(proof))
		return 0;
	error = machine_is_expendable(why);
	if (error)
		return error;
	error = run_modprobe(module, &status);
	if (error == -ETIMEDOUT)
		return fail(why, error, "modprobe %s does not end; see the kernel log", module);
	if (error)
		return fail(why, error,
			    "modprobe %s can not be run: %s; install kmod or load the module",
			    module, strerror(-error));
	if (machine_has_file(proof))
		return 0;
	if (!machine_module_available(module))
		return fail(why, -ENOENT, "this kernel has no module %s", module);
	return fail(why, -ENODEV,
		    "the module %s was loaded (modprobe ended with %d), but %s does not exist; "
		    "see the kernel log",
		    module, WIFEXITED(status) ? WEXITSTATUS(status) : -1, proof);
}

/**
 * probe_debugfs - the findings that every injector with files in debugfs shares
 * @findings: receives "debugfs" and "lockdown", once
 */
void probe_debugfs(json_t *findings)
{
	__cleanup_free char *mounts = NULL;
	char path[4096];
	bool mounted = read_small_file(system_path(path, "/proc/mounts"), &mounts, NULL) == 0 &&
		       strstr(mounts, " /sys/kernel/debug debugfs ") != NULL;

	finding_add(findings, "debugfs", mounted, "debugfs is not mounted on /sys/kernel/debug",
		    "mount -t debugfs debugfs /sys/kernel/debug (needs CONFIG_DEBUG_FS, and no "
		    "debugfs=off on the kernel's command line)");
	finding_add(findings, "lockdown", !machine_is_locked_down(),
		    "the kernel is locked down: it refuses every write to debugfs with EPERM",
		    "turn Secure Boot off in the BIOS, or remove lockdown= from the kernel's "
		    "command line");
}
