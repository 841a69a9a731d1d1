// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts: rates of failure, and many tests at once.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "harness/stats/stats.h"

static double log_choose(double n, double k)
{
	return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

/* P(X <= hits) of a binomial distribution, 0 < p < 1. */
static double binomial_upto(size_t hits, size_t count, double p)
{
	double sum = 0;

	for (size_t i = 0; i <= hits; i++)
		sum += exp(log_choose((double)count, (double)i) + (double)i * log(p) +
			   (double)(count - i) * log1p(-p));
	return sum;
}

/* The p at which P(X <= hits) is @tail: it falls as p grows. */
static double solve(size_t hits, size_t count, double tail)
{
	double low = 0, high = 1;

	for (int i = 0; i < 60; i++) {
		double middle = (low + high) / 2;

		if (binomial_upto(hits, count, middle) > tail)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/**
 * stats_rate - a rate with the interval of Clopper and Pearson
 * @hits:       of @count
 * @count:      at least 1
 * @confidence: that the interval has at least, such as 0.95
 * @rate:       receives them
 *
 * Return: 0 or -EINVAL.
 */
int stats_rate(size_t hits, size_t count, double confidence, struct estimate *rate)
{
	double tail = (1 - confidence) / 2;

	if (!count || hits > count)
		return -EINVAL;
	rate->value = (double)hits / (double)count;
	rate->low = hits ? solve(hits - 1, count, 1 - tail) : 0;
	rate->high = hits < count ? solve(hits, count, tail) : 1;
	return 0;
}

/**
 * stats_fisher - Fisher's exact test of two rates, two-sided
 * @a_hits, @b_hits:   of the counts
 * @a_count, @b_count: at least 1 for a test; else nothing is known, and p is 1
 *
 * Return: p, the probability of all tables with the same sums that are no likelier than this one.
 */
double stats_fisher(size_t a_hits, size_t a_count, size_t b_hits, size_t b_count)
{
	size_t hits = a_hits + b_hits, first = hits > b_count ? hits - b_count : 0;
	double total = log_choose((double)(a_count + b_count), (double)hits);
	double seen = log_choose((double)a_count, (double)a_hits) +
		      log_choose((double)b_count, (double)b_hits) - total;
	double sum = 0;

	for (size_t i = first; i <= hits && i <= a_count; i++) {
		double chance = log_choose((double)a_count, (double)i) +
				log_choose((double)b_count, (double)(hits - i)) - total;

		/* Tables of the same probability differ by rounding. */
		if (chance <= seen + 1e-7)
			sum += exp(chance);
	}
	return fmin(1, sum);
}

static int by_value(const void *left, const void *right)
{
	double a = **(double *const *)left, b = **(double *const *)right;

	return (a > b) - (a < b);
}

/**
 * stats_holm - adjust the p of several tests so that a false alarm in any is no likelier than in one
 * @p:     of the tests; replaced by the adjusted ones (Holm 1979)
 * @count: of them
 *
 * Return: 0 or -ENOMEM.
 */
int stats_holm(double *p, size_t count)
{
	double **order = calloc(count ? count : 1, sizeof(*order));
	double largest = 0;

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		order[i] = &p[i];
	qsort(order, count, sizeof(*order), by_value);
	for (size_t i = 0; i < count; i++) {
		largest = fmax(largest, fmin(1, *order[i] * (double)(count - i)));
		*order[i] = largest;
	}
	free(order);
	return 0;
}
