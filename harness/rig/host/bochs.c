// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator Bochs: its configuration, its command line, and the disk that its BIOS boots.
 *
 * Bochs does not load a kernel. GRUB is at the start of the disk (make-system), its menu in a sector of the disk. Hypervisor,
 * kernel and archive follow without a file system: GRUB reads them by sector number.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "harness/rig/host/bochs.h"
#include "harness/rig/image/image.h"

#define SECTOR 512
/* "configfile (hd0)1024+8" of make-system */
#define MENU_SECTOR 1024
#define MENU_SECTORS 8
#define FIRST_SECTOR 2048
/* 16 heads of 63 sectors: the geometry that the BIOS of Bochs expects */
#define CYLINDER (16 * 63)
#define PARTS 3

/*
 * The machine check registers, which Bochs lacks: 10 banks, recovery of the processor (SER_P), thresholds and CMCI, as storage
 * that only the hypervisor writes (Intel's manual, volume 3, 17.3; Bochs's msrs.def explains the columns).
 */
#define MCG_CAP 0x01000c0aull
#define MC_BANKS 10

static int64_t sectors(int64_t bytes)
{
	return (bytes + SECTOR - 1) / SECTOR;
}

/* Escape characters that are special for GRUB's lexer. */
static void add_words(FILE *menu, const char *words)
{
	for (; *words; words++) {
		if (*words != ' ' && !isalnum((unsigned char)*words))
			putc('\\', menu);
		putc(*words, menu);
	}
}

/**
 * bochs_menu - build the commands for GRUB
 * @sizes: bytes of hypervisor, kernel and archive
 *
 * Return: the text, owned by the caller.
 */
char *bochs_menu(const struct bochs_config *config, const int64_t *sizes)
{
	const char *const commands[PARTS] = {"multiboot", "module", "module"};
	const char *const words[PARTS] = {config->profile->hypervisor_arguments, config->arguments,
					  ""};
	int64_t sector = FIRST_SECTOR;
	char *text = NULL;
	size_t length;
	FILE *menu = open_memstream(&text, &length);

	fputs("set gfxpayload=text\n", menu);
	for (size_t i = 0; i < PARTS; i++) {
		fprintf(menu, "%s (hd0)%lld+%lld ", commands[i], (long long)sector,
			(long long)sectors(sizes[i]));
		add_words(menu, words[i]);
		putc('\n', menu);
		sector += sectors(sizes[i]);
	}
	fputs("boot\n", menu);
	fclose(menu);
	return text;
}

static int copy_to(int disk, int64_t sector, int from, int64_t size)
{
	off_t at = 0;

	if (lseek(disk, (off_t)(sector * SECTOR), SEEK_SET) < 0)
		return -errno;
	while (at < size) {
		ssize_t put = sendfile(disk, from, &at, (size_t)(size - at));

		if (put <= 0)
			return put ? -errno : -EIO;
	}
	return 0;
}

static int write_menu(const struct bochs_config *config, int disk, const int64_t *sizes,
		      struct reason *why)
{
	__cleanup_free char *menu = bochs_menu(config, sizes);
	char padded[MENU_SECTORS * SECTOR];
	size_t length = strlen(menu);

	if (length > sizeof(padded))
		return fail(why, -E2BIG,
			    "the command line of the host's kernel is too long by %zu characters",
			    length - sizeof(padded));
	memset(padded, '\n', sizeof(padded));
	memcpy(padded, menu, length);
	return pwrite(disk, padded, sizeof(padded), MENU_SECTOR * SECTOR) == sizeof(padded)
		       ? 0
		       : fail_errno(why, -errno, "cannot write the disk of the host");
}

/* @cylinders: receives the size of the disk */
static int make_disk(const struct bochs_config *config, const char *path, int64_t *cylinders,
		     struct reason *why)
{
	__cleanup_free char *loader_path = format_text("%s/loader", config->emulator);
	__cleanup_close int loader = open(loader_path, O_RDONLY | O_CLOEXEC);
	__cleanup_close int disk = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	const int parts[PARTS] = {config->hypervisor, config->kernel, config->initramfs};
	int64_t sizes[PARTS], sector = FIRST_SECTOR;
	struct stat status;
	int error = 0;

	if (loader < 0 || fstat(loader, &status) < 0)
		return fail_errno(why, -errno, "cannot open %s", loader_path);
	if (disk < 0)
		return fail_errno(why, -errno, "cannot make %s", path);
	error = copy_to(disk, 0, loader, status.st_size);
	for (size_t i = 0; !error && i < PARTS; i++) {
		error = fstat(parts[i], &status) < 0 ? -errno : 0;
		sizes[i] = status.st_size;
		error = error ?: copy_to(disk, sector, parts[i], sizes[i]);
		sector += sectors(sizes[i]);
	}
	*cylinders = (sector + CYLINDER - 1) / CYLINDER;
	if (!error && ftruncate(disk, (off_t)(*cylinders * CYLINDER * SECTOR)) < 0)
		error = -errno;
	if (error)
		return fail_errno(why, error, "cannot write %s", path);
	return write_menu(config, disk, sizes, why);
}

static int write_registers(const struct bochs_config *config)
{
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);
	int error;

	/* Writes to the capabilities are ignored. */
	fprintf(file, "179 0 %08llx %08llx 0 0 ffffffff ffffffff\n17a 0 0 0 0 0 0 0\n",
		MCG_CAP >> 32, MCG_CAP & 0xffffffff);
	for (unsigned int bank = 0; bank < MC_BANKS; bank++) {
		fprintf(file, "%x 0 0 0 0 0 0 0\n", 0x280 + bank);
		for (unsigned int i = 0; i < 4; i++)
			fprintf(file, "%x 0 0 0 0 0 0 0\n", 0x400 + 4 * bank + i);
	}
	fclose(file);
	error = write_file_atomically(config->directory, "msrs", text, length);
	free(text);
	return error;
}

/*
 * Bochs counts instructions: @INSTRUCTIONS of them are a second of the host. That is more than it executes in a second, so that
 * the time of the host is slower than ours, and no timeout inside the host expires too early. "slowdown" limits the speed while
 * the processor is idle.
 */
#define INSTRUCTIONS 100000000

static int write_configuration(const struct bochs_config *config, int64_t cylinders)
{
	__cleanup_free char *text = format_text(
		"config_interface: textconfig\n"
		/* The only display that needs neither a server nor a port. It writes to /dev/null. */
		"display_library: term\n"
		"log: /proc/self/fd/2\n"
		"panic: action=fatal\n"
		"error: action=ignore\n"
		"info: action=ignore\n"
		"debug: action=ignore\n"
		"memory: guest=%u, host=%u, block_size=512\n"
		"cpu: model=%s, count=1, ips=%d, reset_on_triple_fault=0, ignore_bad_msrs=1, "
		"msrs=\"%s/msrs\"\n"
		"romimage: file=\"%s/BIOS-bochs-latest\", options=fastboot\n"
		"vgaromimage: file=\"%s/vgabios.bin\"\n"
		"vga: extension=vbe, update_freq=1\n"
		"pci: enabled=1, chipset=i440fx\n"
		"ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14\n"
		"ata0-master: type=disk, path=\"%s/disk\", mode=flat, cylinders=%lld, heads=16, "
		"spt=63\n"
		"boot: disk\n"
		"clock: sync=slowdown, time0=utc\n"
		"com1: enabled=1, mode=socket-client, dev=\"127.0.0.1:%u\"\n"
		"com2: enabled=1, mode=socket-client, dev=\"127.0.0.1:%u\"\n",
		config->memory_mib, config->memory_mib, config->profile->processor, INSTRUCTIONS,
		config->directory, config->emulator, config->emulator, config->directory,
		(long long)cylinders, config->console_port, config->agent_port);

	return write_file_atomically(config->directory, "bochsrc", text, strlen(text));
}

/**
 * bochs_prepare - write the configuration and the disk of Bochs, and build its command line
 *
 * Bochs runs with the C library of its own packages, which may be newer than that of this machine.
 *
 * Return: NULL-terminated vector for qemu_arguments_free(), or NULL with a reason.
 */
char **bochs_prepare(const struct bochs_config *config, struct reason *why)
{
	__cleanup_free char *disk = format_text("%s/disk", config->directory);
	__cleanup_free char *lock = format_text("%s/disk.lock", config->directory);
	int64_t cylinders = 0;
	char **words;
	int error = make_disk(config, disk, &cylinders, why);

	if (error)
		return NULL;
	/* Left by a killed Bochs. */
	unlink(lock);
	error = write_registers(config) ?: write_configuration(config, cylinders);
	if (error) {
		fail_errno(why, error, "cannot write to %s", config->directory);
		return NULL;
	}
	words = xcalloc(11, sizeof(*words));
	words[0] = xstrdup("env");
	words[1] = xstrdup("TERM=dumb");
	words[2] = format_text("LTDL_LIBRARY_PATH=%s", config->emulator);
	words[3] = format_text("%s/ld-linux-x86-64.so.2", config->emulator);
	words[4] = xstrdup("--library-path");
	words[5] = xstrdup(config->emulator);
	words[6] = format_text("%s/bochs-bin", config->emulator);
	words[7] = xstrdup("-q");
	words[8] = xstrdup("-f");
	words[9] = format_text("%s/bochsrc", config->directory);
	return words;
}
