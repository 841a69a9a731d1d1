// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program without any part of brinell: it injects through the kernel's EINJ files, loads what it
 * poisoned, and reports what the kernel did to it. Shows that the rig works by itself.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define EINJ "/sys/kernel/debug/apei/einj/"

static sigjmp_buf back;
static siginfo_t seen;

static void on_bus_error(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	seen = *info;
	siglongjmp(back, 1);
}

static void set(const char *file, uint64_t value)
{
	char path[128], text[32];
	int fd, length;

	snprintf(path, sizeof(path), EINJ "%s", file);
	fd = open(path, O_WRONLY);
	length = snprintf(text, sizeof(text), "0x%" PRIx64, value);
	if (fd < 0 || write(fd, text, (size_t)length) != length) {
		perror(path);
		exit(1);
	}
	close(fd);
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
	volatile uint64_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	int pagemap = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry, physical;

	page[8] = 42;
	if (pread(pagemap, &entry, 8, (off_t)((uintptr_t)page / 4096 * 8)) != 8)
		return 1;
	physical = (entry & ((1ull << 55) - 1)) * 4096 + 64;
	sigaction(SIGBUS, &action, NULL);
	set("error_type", 0x10);
	set("flags", 2);
	set("param1", physical);
	set("param2", 0xffffffffffffffc0);
	set("notrigger", 1);
	set("error_inject", 1);
	printf("other line: %" PRIu64 "\n", page[0]);
	if (sigsetjmp(back, 1) == 0) {
		printf("loaded %" PRIu64 " and nothing happened\n", page[8]);
		return 2;
	}
	printf("SIGBUS code %d at line %td lsb %d\n", seen.si_code,
	       ((char *)seen.si_addr - (char *)page) / 64, seen.si_addr_lsb);
	return 0;
}
