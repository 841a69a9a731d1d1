// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: pattern [MIB [ROUNDS]]
 * How fast the pattern is verified, beside a plain read of the same memory by loads of the same width: alternately, in one
 * run, so that whatever else the machine does strikes both. Ends with 1 when it is below 60 % of the read.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "workloads/pattern.h"

#define LEAST_RATIO 0.6

typedef uint64_t wide __attribute__((vector_size(32), may_alias));

#define DEFINE_READ(name, attribute)                                                               \
	attribute static uint64_t name(const unsigned char *memory, size_t size)                   \
	{                                                                                          \
		const wide *at = (const wide *)memory;                                             \
		wide one = {0}, two = {0}, three = {0}, four = {0};                                \
                                                                                                   \
		for (size_t i = 0; i < size / sizeof(wide); i += 4) {                              \
			one |= at[i];                                                              \
			two |= at[i + 1];                                                          \
			three |= at[i + 2];                                                        \
			four |= at[i + 3];                                                         \
		}                                                                                  \
		one |= two | three | four;                                                         \
		return one[0] | one[1] | one[2] | one[3];                                          \
	}

DEFINE_READ(read_plain, )
DEFINE_READ(read_avx2, __attribute__((target("avx2"))))

static int compare(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return a < b ? -1 : a > b;
}

static double gigabytes_per_second(size_t size, int64_t since)
{
	return (double)size / (double)(now_monotonic_ns() - since);
}

int main(int argc, char **argv)
{
	size_t size = (argc > 1 ? strtoul(argv[1], NULL, 10) : 256) << 20;
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 15;
	unsigned char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	double *reads = calloc(rounds + 1, sizeof(double));
	double *checks = calloc(rounds + 1, sizeof(double));
	bool avx2 = __builtin_cpu_supports("avx2");
	struct pattern pattern;
	double ratio;

	if (!rounds || !reads || !checks || memory == MAP_FAILED ||
	    pattern_open(&pattern, memory, size, 1)) {
		fprintf(stderr, "usage: pattern [MIB [ROUNDS]]; memory for it is needed\n");
		return 2;
	}
	for (size_t i = 0; i < rounds; i++) {
		int64_t since = now_monotonic_ns();
		volatile uint64_t seen = avx2 ? read_avx2(memory, size) : read_plain(memory, size);

		(void)seen;
		reads[i] = gigabytes_per_second(size, since);
		since = now_monotonic_ns();
		if (pattern_verify(&pattern, 0, pattern.pages) != pattern.pages) {
			fprintf(stderr, "pattern: this machine's memory is broken\n");
			return 1;
		}
		checks[i] = gigabytes_per_second(size, since);
	}
	qsort(reads, rounds, sizeof(double), compare);
	qsort(checks, rounds, sizeof(double), compare);
	ratio = checks[rounds / 2] / reads[rounds / 2];
	printf("%-20s read %.2f GB/s, verified %.2f GB/s: %.0f %% (median of %zu, %zu MiB, %s)\n",
	       "pattern", reads[rounds / 2], checks[rounds / 2], ratio * 100, rounds, size >> 20,
	       avx2 ? "32-byte registers" : "16-byte registers");
	return ratio < LEAST_RATIO;
}
