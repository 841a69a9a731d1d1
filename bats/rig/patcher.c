// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lets the kernel patch its scheduler again and again, by a static key, while threads on all processors execute what it patches.
 *
 * Usage: patcher TURNS
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS 4

static void *yield(void *unused)
{
	for (;;)
		sched_yield();
	return unused;
}

int main(int argc, char **argv)
{
	int turns = argc > 1 ? atoi(argv[1]) : 0;
	int key = open("/proc/sys/kernel/sched_schedstats", O_WRONLY);
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	for (int i = 0; i < THREADS; i++) {
		pthread_t thread;
		cpu_set_t one;

		CPU_ZERO(&one);
		CPU_SET((size_t)(i % processors), &one);
		if (pthread_create(&thread, NULL, yield, NULL) ||
		    pthread_setaffinity_np(thread, sizeof(one), &one))
			return 2;
	}
	for (int i = 0; i < turns; i++)
		if (pwrite(key, "1", 1, 0) != 1 || pwrite(key, "0", 1, 0) != 1)
			return 2;
	printf("patched %d times\n", 2 * turns);
	return 0;
}
