// SPDX-License-Identifier: GPL-2.0-only
/*
 * The samples in order: the median with its interval, and the shape of the distribution.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/stats/order.h"
#include "harness/stats/stats.h"

int order_check(const double *samples, size_t count)
{
	if (!count)
		return -EINVAL;
	for (size_t i = 0; i < count; i++)
		if (!isfinite(samples[i]))
			return -EDOM;
	return 0;
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

void order_sort(double *samples, size_t count)
{
	qsort(samples, count, sizeof(*samples), compare);
}

int order_copy(const double *samples, size_t count, double **sorted)
{
	int error = order_check(samples, count);

	if (error)
		return error;
	*sorted = calloc(count, sizeof(**sorted));
	if (!*sorted)
		return -ENOMEM;
	memcpy(*sorted, samples, count * sizeof(**sorted));
	order_sort(*sorted, count);
	return 0;
}

/* The halves are added, not the sum halved: the sum of two large samples overflows. */
double order_median(const double *sorted, size_t count)
{
	return count % 2 ? sorted[count / 2] : sorted[count / 2 - 1] / 2 + sorted[count / 2] / 2;
}

/*
 * The generator SplitMix64 (Steele, Lea and Flood, OOPSLA 2014); the high product of 32 bits is biased by less than 2^-20
 * for up to 4096 samples.
 */
size_t order_draw(uint64_t *state, size_t below)
{
	uint64_t mixed = *state += 0x9e3779b97f4a7c15;

	mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
	mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
	mixed ^= mixed >> 31;
	return (size_t)(((mixed >> 32) * below) >> 32);
}

/**
 * stats_median - median with the interval between two order statistics
 * @samples:    in any order
 * @count:      of them
 * @confidence: of the interval, such as 0.95
 * @median:     receives them
 *
 * The number of samples below the true median is binomial with p = 1/2, whatever the distribution
 * of the samples. The interval is the narrowest symmetric pair of order statistics with at least
 * @confidence; it has no limits below 6 samples at 0.95.
 *
 * Return: 0, -EINVAL, -EDOM or -ENOMEM.
 */
int stats_median(const double *samples, size_t count, double confidence, struct estimate *median)
{
	double tail = (1 - confidence) / 2, below = 0;
	double *sorted;
	size_t rank = 0;
	int error = order_copy(samples, count, &sorted);

	if (error)
		return error;
	for (;; rank++) {
		below += exp(lgamma((double)count + 1) - lgamma((double)rank + 1) -
			     lgamma((double)(count - rank) + 1) - (double)count * M_LN2);
		if (below > tail)
			break;
	}
	*median =
		(struct estimate){order_median(sorted, count), rank ? sorted[rank - 1] : -INFINITY,
				  rank ? sorted[count - rank] : INFINITY};
	free(sorted);
	return 0;
}

/**
 * stats_two_humps - do the samples lie in two groups?
 * @samples: in any order
 * @count:   of them; below 10 the answer is no
 *
 * They do when a cut into a lower and an upper part, each of a fifth of the samples or more, takes
 * away more than 90 % of the sum of squares. A normal distribution has 64 % without limit of the
 * number, a uniform one 75 %; two equal humps have 90 % at a distance of six of their standard
 * deviations.
 */
bool stats_two_humps(const double *samples, size_t count)
{
	size_t least = (count + 4) / 5;
	double sum = 0, lower = 0, squares = 0, gain = 0, scale;
	double *sorted;

	if (count < 10 || order_copy(samples, count, &sorted))
		return false;
	scale = fmax(fabs(sorted[0]), fabs(sorted[count - 1]));
	for (size_t i = 0; scale > 0 && i < count; i++)
		sorted[i] /= scale;
	for (size_t i = 0; i < count; i++)
		sum += sorted[i];
	for (size_t i = 0; i < count; i++) {
		sorted[i] -= sum / (double)count;
		squares += sorted[i] * sorted[i];
	}
	for (size_t cut = 1; cut <= count - least; cut++) {
		lower += sorted[cut - 1];
		if (cut >= least)
			gain = fmax(gain,
				    lower * lower * (1 / (double)cut + 1 / (double)(count - cut)));
	}
	free(sorted);
	return squares > 1e-24 * (double)count && gain > 0.9 * squares;
}
