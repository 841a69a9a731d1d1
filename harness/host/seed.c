// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random numbers of an emulated host that goes on from a snapshot: all such hosts have the same state, so that their kernels
 * would draw the same boot_id and the same addresses. QEMU's fw_cfg device has a seed for each of them. It is read by its ports
 * (docs/specs/fw_cfg.rst of QEMU), because not every kernel has its driver.
 */
#include <endian.h>
#include <fcntl.h>
#include <linux/random.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>

#include "harness/host/machine.h"
#include "harness/lib/seed.h"

#define SELECTOR_PORT 0x510
#define DATA_PORT 0x511
#define ITEM_SIGNATURE 0x0000
#define ITEM_DIRECTORY 0x0019
#define ENTRIES_MAX 256

struct entry {
	uint32_t size;
	uint16_t select, reserved;
	char name[56];
};

/* struct rand_pool_info of linux/random.h, with its buffer. */
struct seed {
	int entropy_count, buf_size;
	unsigned char bytes[SEED_BYTES];
};

static void select_item(uint16_t item)
{
	outw(item, SELECTOR_PORT);
}

static void read_item(void *data, size_t length)
{
	for (unsigned char *byte = data; length--; byte++)
		*byte = inb(DATA_PORT);
}

/* @text: receives the digits. Return: whether the device and the item are there. */
static bool read_seed(char *text)
{
	struct entry entry;
	char signature[4];
	uint32_t count;

	select_item(ITEM_SIGNATURE);
	read_item(signature, sizeof(signature));
	if (memcmp(signature, "QEMU", sizeof(signature)) != 0)
		return false;
	select_item(ITEM_DIRECTORY);
	read_item(&count, sizeof(count));
	count = be32toh(count);
	for (uint32_t i = 0; i < count && i < ENTRIES_MAX; i++) {
		read_item(&entry, sizeof(entry));
		if (strncmp(entry.name, SEED_ITEM, sizeof(entry.name)) != 0)
			continue;
		select_item(be16toh(entry.select));
		read_item(text, 2 * SEED_BYTES);
		return true;
	}
	return false;
}

static bool from_hexadecimal(const char *text, unsigned char *bytes)
{
	for (size_t i = 0; i < SEED_BYTES; i++)
		if (sscanf(text + 2 * i, "%2hhx", &bytes[i]) != 1)
			return false;
	return true;
}

/**
 * machine_take_seed - mix the seed of an emulated host into the random numbers of its kernel
 *
 * No effect on any other machine. The reseed is complete at the return.
 */
void machine_take_seed(void)
{
	struct seed seed = {.entropy_count = 8 * SEED_BYTES, .buf_size = SEED_BYTES};
	char text[2 * SEED_BYTES + 1] = "";
	__cleanup_close int fd = -1;
	char path[4096];
	bool found;

	/* The ports of real machines are left alone. */
	if (access(system_path(path, "/etc/brinell/rig"), F_OK) < 0 ||
	    ioperm(SELECTOR_PORT, 2, 1) < 0)
		return;
	found = read_seed(text) && from_hexadecimal(text, seed.bytes);
	ioperm(SELECTOR_PORT, 2, 0);
	if (!found)
		return;
	fd = open("/dev/random", O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &seed) < 0 || ioctl(fd, RNDRESEEDCRNG) < 0)
		log_warning("the seed of this host is not used: %m");
}
