// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell-guest as the first process of a micro guest: mounts, modules, and a child that serves. It adopts and reaps what
 * the workloads leave behind, and starts the child again should it ever end.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <linux/magic.h>

#include "harness/guestd/guestd.h"

#define MODULE_LIST "/modules"
#define CHECK_INTERVAL "/sys/devices/system/machinecheck/machinecheck0/check_interval"
#ifndef MODULE_INIT_COMPRESSED_FILE
#define MODULE_INIT_COMPRESSED_FILE 4
#endif

static bool micro;

/** guest_is_micro - whether this guest was made for brinell alone, and may be switched off by it */
bool guest_is_micro(void)
{
	return micro;
}

static void mount_all(void)
{
	static const struct {
		const char *type, *place;
	} mounts[] = {
		{"proc", "/proc"},
		{"sysfs", "/sys"},
		{"devtmpfs", "/dev"},
		{"devpts", "/dev/pts"},
		{"tmpfs", "/dev/shm"},
		{"tmpfs", "/tmp"},
		{"debugfs", "/sys/kernel/debug"},
		{"tracefs", "/sys/kernel/tracing"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		(void)mkdir(mounts[i].place, 0755);
		/* EBUSY: the kernel has mounted it already. */
		if (mount(mounts[i].type, mounts[i].place, mounts[i].type, 0, NULL) < 0 &&
		    errno != EBUSY)
			log_warning("mount %s on %s: %s", mounts[i].type, mounts[i].place,
				    strerror(errno));
	}
}

static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);

	/* Without a console of the kernel, messages must not go to what is opened next. */
	if (fd < 0)
		fd = open("/dev/null", O_RDWR);
	if (fd < 0)
		return;
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

/* One line of the list: a path, and the arguments of the module. */
static void load_module(char *line)
{
	char *parameters = line + strcspn(line, " \t");
	const char *suffix;
	int fd;

	if (*parameters)
		*parameters++ = '\0';
	suffix = strrchr(line, '.');
	fd = open(line, O_RDONLY | O_CLOEXEC);
	if (fd < 0 ||
	    (syscall(SYS_finit_module, fd, parameters,
		     suffix && strcmp(suffix, ".ko") != 0 ? MODULE_INIT_COMPRESSED_FILE : 0) < 0 &&
	     errno != EEXIST))
		log_warning("load module %s: %s", line, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void load_modules(void)
{
	__cleanup_free char *list = NULL;
	char *next, *line;

	if (read_small_file(MODULE_LIST, &list, NULL))
		return;
	for (line = strtok_r(list, "\n", &next); line; line = strtok_r(NULL, "\n", &next))
		if (*line != '#')
			load_module(line);
}

/* A guest whose root is its initramfs has no data to lose. */
static void allow_everything(void)
{
	struct statfs root;

	if (statfs("/", &root) < 0 ||
	    (root.f_type != RAMFS_MAGIC && root.f_type != (__typeof__(root.f_type))TMPFS_MAGIC))
		return;
	(void)sethostname("brinell-guest", strlen("brinell-guest"));
	if (make_directories("/etc/brinell") ||
	    write_file_atomically("/etc/brinell", "expendable", "brinell-guest\n",
				  strlen("brinell-guest\n")))
		log_warning("write /etc/brinell/expendable: %s", strerror(errno));
}

static void serve_until_it_ends(int argc, char **argv)
{
	pid_t child = fork(), gone;
	int status = 0;

	if (child == 0) {
		micro = true;
		setsid();
		_exit(guest_main(argc, argv));
	}
	while ((gone = wait(&status)) != child)
		if (gone < 0 && errno != EINTR)
			break;
	log_error("the serving process ended with status 0x%x; starting it again", status);
}

/**
 * guest_init - be the first process
 *
 * It never returns: the kernel would panic. The serving child switches the machine off.
 */
_Noreturn void guest_init(int argc, char **argv)
{
	mount_all();
	open_console();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	/* The console shows all kernel messages. */
	(void)write_small_file("/proc/sys/kernel/printk", "8");
	/* Errors that a hypervisor puts into a bank raise no interrupt; usually one looks every five minutes. */
	(void)write_small_file(CHECK_INTERVAL, "1");
	allow_everything();
	load_modules();
	for (;;) {
		serve_until_it_ends(argc, argv);
		/* One that ends at once must not keep a processor busy. */
		(void)poll(NULL, 0, 200);
	}
}

/** guest_power_off - end this guest at once: nothing on it is worth a shutdown */
_Noreturn void guest_power_off(void)
{
	sync();
	if (reboot(RB_POWER_OFF) < 0)
		log_error("reboot(RB_POWER_OFF): %s", strerror(errno));
	_exit(EXIT_INFRA);
}
