// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command lines of QEMU and of the kernel.
 */
#include <errno.h>
#include <string.h>

#include "harness/lib/seed.h"
#include "harness/rig/image/image.h"
#include "harness/rig/host/qemu.h"

/* Hosts with a counted clock: 16 ns an instruction, about the speed of the emulation. */
#define COUNTED_CLOCK "shift=4,sleep=off"
#define COUNTED_RTC "base=2026-01-01T00:00:00,clock=vm"
#define COUNTED_ARGUMENTS " nokaslr norandmaps"

struct argument_list {
	char **items;
	size_t count;
};

__attribute__((format(printf, 2, 3))) static void add(struct argument_list *list,
						      const char *format, ...)
{
	va_list arguments;

	list->items = xreallocarray(list->items, list->count + 2, sizeof(*list->items));
	va_start(arguments, format);
	list->items[list->count++] = format_text_list(format, arguments);
	va_end(arguments);
	list->items[list->count] = NULL;
}

static void add_all(struct argument_list *list, const char *const *items)
{
	for (; items && *items; items++)
		add(list, "%s", *items);
}

/**
 * qemu_firmware_region - address of the region of the firmware model, one megabyte
 * @memory_mib: RAM of the host
 *
 * 256 MiB below the end of RAM: SeaBIOS uses the very end, and the kernel's early allocations begin there.
 *
 * Return: guest physical address.
 */
uint64_t qemu_firmware_region(unsigned int memory_mib)
{
	return (uint64_t)(memory_mib - 256) << 20;
}

/**
 * qemu_kernel_arguments - build the kernel's command line
 * @profile:    kind of host
 * @memory_mib: RAM, which determines the firmware's region
 * @host_number: of a pair, or 0
 * @shell:      "once", "again" or NULL: a root shell on the console
 * @verbose:    the whole boot on the console
 * @counted:    its time is the number of executed instructions; address randomization is turned off
 * @more:       appended, or NULL
 *
 * A panic (also by an oops) restarts at once, which ends QEMU with -no-reboot, so that the host counts as dead, and the console
 * shows the reason. no_timer_check: the check of the timer interrupt compares ticks with time. On a busy machine the emulated
 * timer is late, and the kernel would panic during the boot ("IO-APIC + timer doesn't work!").
 *
 * Return: the text, owned by the caller.
 */
char *qemu_kernel_arguments(const struct rig_profile *profile, unsigned int memory_mib,
			    unsigned int host_number, const char *shell, bool verbose, bool counted,
			    const char *more)
{
	__cleanup_free char *host =
		host_number ? format_text(" brinell.host=%u", host_number) : xstrdup("");
	__cleanup_free char *machine =
		format_text("console=ttyS0,115200 no_timer_check memmap=%uM$0x%llx",
			    QEMU_FIRMWARE_REGION_SIZE >> 20,
			    (unsigned long long)qemu_firmware_region(memory_mib));

	/* On a hypervisor: its console, and neither timer nor firmware. */
	return format_text("%s panic=-1 oops=panic %s%s%s%s%s%s%s%s",
			   profile->hypervisor_arguments ? "console=hvc0" : machine,
			   profile->arguments, host, verbose ? "" : " loglevel=4",
			   counted ? COUNTED_ARGUMENTS : "", shell ? " brinell.shell=" : "",
			   shell ?: "", more ? " " : "", more ? more : "");
}

/* In the first domain of a hypervisor, virtio drivers must use machine addresses, which they do only behind an IOMMU. */
static const char *virtio_addresses(const struct qemu_config *config)
{
	return config->hypervisor ? ",disable-legacy=on,iommu_platform=on" : "";
}

/*
 * Datagrams, as with a cable: each side may be off or restart without any action of the other one.
 */
static void add_link(struct argument_list *list, const struct qemu_config *config)
{
	add(list, "-netdev");
	add(list,
	    "dgram,id=link,local.type=unix,local.path=%s.%u,remote.type=unix,remote.path=%s.%u",
	    config->link, config->host_number, config->link, 3 - config->host_number);
	add(list, "-device");
	add(list, "virtio-net-pci,netdev=link,romfile=,mac=52:54:00:00:00:%02x%s",
	    config->host_number, virtio_addresses(config));
}

static void add_system(struct argument_list *list, const struct qemu_config *config)
{
	add(list, "-blockdev");
	add(list, "driver=file,node-name=system,filename=%s,read-only=on", config->system);
	add(list, "-device");
	add(list, "virtio-blk-pci,drive=system%s", virtio_addresses(config));
}

/* The kernel, or the hypervisor with the kernel and the archive as its modules (hw/i386/multiboot.c of QEMU). */
static void add_boot(struct argument_list *list, const struct qemu_config *config)
{
	__cleanup_free char *module = qemu_quote(config->arguments);

	add(list, "-kernel");
	add(list, "%s", config->hypervisor ?: config->kernel);
	add(list, "-initrd");
	if (config->hypervisor)
		add(list, "%s %s,%s", config->kernel, module, config->initramfs);
	else
		add(list, "%s", config->initramfs);
	add(list, "-append");
	add(list, "%s",
	    config->hypervisor ? config->profile->hypervisor_arguments : config->arguments);
}

/*
 * The time of a counted host is the number of its instructions (docs/devel/tcg-icount.rst of QEMU); an idle processor skips to
 * its next timer. One thread runs all processors in turn, because they share the count. Time of day and random numbers are the
 * same in each boot; the agent adds entropy so that the boot_id differs.
 */
static void add_clock(struct argument_list *list, const struct qemu_config *config)
{
	add(list, "-accel");
	add(list, "tcg,thread=%s,tb-size=512",
	    config->counted || config->profile->one_thread ? "single" : "multi");
	if (!config->counted)
		return;
	add(list, "-icount");
	add(list, COUNTED_CLOCK);
	add(list, "-rtc");
	add(list, COUNTED_RTC);
	add(list, "-seed");
	add(list, "1");
}

/**
 * qemu_arguments - build QEMU's command line
 * @config: of the host
 *
 * Return: NULL-terminated; qemu_arguments_free().
 */
char **qemu_arguments(const struct qemu_config *config)
{
	struct argument_list list = {0};
	static const char *const fixed[] = {
		"-display",
		"none",
		"-no-reboot",
		"-nodefaults",
		"-no-user-config",
		"-chardev",
		"stdio,id=console,signal=off",
		"-serial",
		"chardev:console",
		NULL,
	};

	add(&list, "%s", config->program);
	add(&list, "-chardev");
	add(&list, "socket,id=agent,path=%s,server=on,wait=off", config->agent);
	add_all(&list, fixed);
	add_clock(&list, config);
	add(&list, "-device");
	add(&list, "virtio-serial-pci,id=ports%s", virtio_addresses(config));
	add(&list, "-device");
	add(&list, "virtserialport,bus=ports.0,chardev=agent,name=brinell.agent");
	add(&list, "-machine");
	add(&list, "q35,kernel-irqchip=split,memory-backend=ram");
	add(&list, "-object");
	add(&list, "memory-backend-file,id=ram,size=%uM,mem-path=%s,share=on", config->memory_mib,
	    config->ram);
	add(&list, "-m");
	add(&list, "%u", config->memory_mib);
	add(&list, "-smp");
	add(&list, "%u", config->processors);
	add(&list, "-cpu");
	add(&list, "%s", config->profile->processor);
	add(&list, "-qmp");
	add(&list, "unix:%s,server=on,wait=off", config->qmp);
	add(&list, "-blockdev");
	add(&list, "driver=file,node-name=scratch,filename=%s", config->disk);
	add_all(&list, config->profile->devices);
	add_all(&list, (const char *const *)config->firmware);
	if (config->system)
		add_system(&list, config);
	if (config->link)
		add_link(&list, config);
	add_boot(&list, config);
	if (config->seed) {
		add(&list, "-fw_cfg");
		add(&list, "name=" SEED_ITEM ",string=%s", config->seed);
	}
	if (config->state) {
		add(&list, "-incoming");
		add(&list, "file:%s", config->state);
	}
	return list.items;
}

/** qemu_arguments_free - free a vector of qemu_arguments(); NULL is allowed */
void qemu_arguments_free(char **arguments)
{
	for (char **item = arguments; item && *item; item++)
		free(*item);
	free(arguments);
}

static void take_version(void *context, const char *line)
{
	unsigned int major, minor;

	if (sscanf(line, "QEMU emulator version %u.%u", &major, &minor) == 2)
		*(unsigned int *)context = major * 100 + minor;
}

/**
 * rig_find_qemu - find the QEMU of this machine
 * @path:    receives the program; owned by the caller
 * @version: receives major * 100 + minor
 *
 * Return: 0 or -ENOENT; the reason names the package to install.
 */
int rig_find_qemu(char **path, unsigned int *version, struct reason *why)
{
	const char *search = getenv("PATH");
	__cleanup_free char *places = xstrdup(search ?: "/usr/bin:/bin");
	char *rest, *place;
	int error;

	*path = NULL;
	for (place = strtok_r(places, ":", &rest); place && !*path;
	     place = strtok_r(NULL, ":", &rest)) {
		__cleanup_free char *candidate = format_text("%s/qemu-system-x86_64", place);

		if (access(candidate, X_OK) == 0)
			*path = steal(candidate);
	}
	if (!*path)
		return fail(why, -ENOENT,
			    "qemu-system-x86_64 is not installed, and the rig needs it: run "
			    "./setup, or "
			    "install the package qemu-system-x86");
	const char *const argv[] = {*path, "--version", NULL};

	*version = 0;
	error = image_run(
		&(struct image_command){.argv = argv, .line = take_version, .context = version},
		why);
	if (!error && !*version)
		error = fail(why, -EPROTO, "%s --version prints no version of QEMU", *path);
	if (!error && *version < 700)
		error = fail(why, -EPROTO, "%s is version %u.%u; the rig needs 7.2 or newer", *path,
			     *version / 100, *version % 100);
	if (error)
		free(steal(*path));
	return error;
}
