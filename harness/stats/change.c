// SPDX-License-Identifier: GPL-2.0-only
/*
 * Change points of a series by E-divisive (Matteson and James, A Nonparametric Approach for Multiple Change Point Analysis
 * of Multivariate Data, JASA 109, 2014), with exponent 1 and a permutation test.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/stats/order.h"
#include "harness/stats/stats.h"

#define PERMUTATIONS 499
/* A shorter segment is too short to estimate its distribution. */
#define SEGMENT_LEAST 3

struct cut {
	size_t place;
	double divergence;
};

/* Sum of the distances of a value to others. */
static double distances(double value, const double *others, size_t count)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += fabs(value - others[i]);
	return sum;
}

/*
 * The cut of a segment whose sides differ most: n m / (n + m) times the energy distance of the sides. The sums are carried on
 * from one cut to the next.
 */
static struct cut best_cut(const double *values, size_t count)
{
	double left = 0, across = 0, right = 0;
	struct cut best = {0};

	for (size_t i = 0; i < count; i++)
		right += distances(values[i], values + i + 1, count - i - 1);
	for (size_t n = 1; n < count; n++) {
		double to_left = distances(values[n - 1], values, n - 1);
		double to_right = distances(values[n - 1], values + n, count - n);
		double a = (double)n, b = (double)(count - n), divergence;

		left += to_left;
		right -= to_right;
		across += to_right - to_left;
		if (n < SEGMENT_LEAST || count - n < SEGMENT_LEAST)
			continue;
		divergence = a * b / (a + b) *
			     (2 / (a * b) * across - 2 / (a * (a - 1)) * left -
			      2 / (b * (b - 1)) * right);
		if (divergence > best.divergence)
			best = (struct cut){n, divergence};
	}
	return best;
}

static void shuffle(double *values, size_t count, uint64_t *state)
{
	for (size_t i = count; i > 1; i--) {
		size_t other = order_draw(state, i);
		double value = values[i - 1];

		values[i - 1] = values[other];
		values[other] = value;
	}
}

/* How often a random order of the values has a cut as good. */
static double chance(const double *values, double *scratch, size_t count, double divergence,
		     uint64_t *state)
{
	size_t as_good = 1;

	memcpy(scratch, values, count * sizeof(*values));
	for (size_t i = 0; i < PERMUTATIONS; i++) {
		shuffle(scratch, count, state);
		as_good += best_cut(scratch, count).divergence >= divergence;
	}
	return (double)as_good / (PERMUTATIONS + 1);
}

/* Cuts the segment [@from, @to), then its parts; appends the cuts in order. */
static void divide(const double *values, double *scratch, size_t from, size_t to, double level,
		   uint64_t *state, size_t *points, size_t *count)
{
	struct cut cut;

	if (to - from < 2 * SEGMENT_LEAST)
		return;
	cut = best_cut(values + from, to - from);
	if (!cut.place || chance(values + from, scratch, to - from, cut.divergence, state) > level)
		return;
	divide(values, scratch, from, from + cut.place, level, state, points, count);
	points[(*count)++] = from + cut.place;
	divide(values, scratch, from + cut.place, to, level, state, points, count);
}

/**
 * stats_change_points - where the distribution of a series changes
 * @values: in the order of time
 * @count:  of them
 * @level:  of each test, such as 0.01. There are 499 permutations, so 0.002 is the least p
 * @seed:   the same seed gives the same points
 * @points: room for @count; receives the first place of each new regime, in order
 * @found:  receives how many there are
 *
 * The cost is that of 500 times the square of @count: give it a window of a long series.
 *
 * Return: 0, -EINVAL without a value, -EDOM for one that is not finite, -ENOMEM.
 */
int stats_change_points(const double *values, size_t count, double level, uint64_t seed,
			size_t *points, size_t *found)
{
	double *scratch;
	int error = order_check(values, count);

	*found = 0;
	if (error)
		return error;
	scratch = calloc(count, sizeof(*scratch));
	if (!scratch)
		return -ENOMEM;
	divide(values, scratch, 0, count, level, &seed, points, found);
	free(scratch);
	return 0;
}
