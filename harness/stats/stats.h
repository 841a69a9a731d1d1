/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_STATS_STATS_H
#define BRINELL_STATS_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Statistics of small samples: pure functions, which read no file and keep no state. They return 0, -EINVAL without a
 * sample, -EDOM for a sample that is not finite, -ERANGE when a result overflows, or -ENOMEM.
 */

/**
 * struct estimate - a value with its confidence interval
 * @value: the point estimate
 * @low:   lower limit; -INFINITY when the samples are too few for one
 * @high:  upper limit; INFINITY when the samples are too few for one
 */
struct estimate {
	double value, low, high;
};

/**
 * struct rank_test - result of a Mann-Whitney test
 * @u:     pairs in which the second sample is the larger one; ties count half
 * @p:     two-sided
 * @exact: from the exact distribution, not from the normal approximation
 */
struct rank_test {
	double u, p;
	bool exact;
};

/**
 * struct block - samples that are not independent of each other, such as those of one boot
 * @samples: borrowed
 * @count:   of them
 */
struct block {
	const double *samples;
	size_t count;
};

/**
 * struct blocks - one side of a comparison
 * @all:   borrowed
 * @count: of them
 */
struct blocks {
	const struct block *all;
	size_t count;
};

int stats_median(const double *samples, size_t count, double confidence, struct estimate *median);
bool stats_two_humps(const double *samples, size_t count);

int stats_mann_whitney(const double *a, size_t a_count, const double *b, size_t b_count,
		       struct rank_test *test);
double stats_least_p(size_t a_count, size_t b_count);
int stats_shift(const double *a, size_t a_count, const double *b, size_t b_count, double confidence,
		struct estimate *shift);
double stats_cliff_delta(const double *a, size_t a_count, const double *b, size_t b_count);
int stats_detectable(const double *a, size_t a_count, const double *b, size_t b_count, double alpha,
		     double power, double *shift);
int stats_deviation(const double *samples, size_t count, double *deviation);
double stats_shift_seen(double deviation, size_t a_count, size_t b_count, double alpha,
			double power);
size_t stats_samples_needed(double shift, double deviation, double alpha, double power,
			    size_t most);
int stats_bootstrap(struct blocks a, struct blocks b, size_t resamples, uint64_t seed,
		    double confidence, struct estimate *shift);

int stats_change_points(const double *values, size_t count, double level, uint64_t seed,
			size_t *points, size_t *found);

int stats_holm(double *p, size_t count);
double stats_normal_quantile(double probability);

int stats_rate(size_t hits, size_t count, double confidence, struct estimate *rate);
double stats_fisher(size_t a_hits, size_t a_count, size_t b_hits, size_t b_count);

#endif
