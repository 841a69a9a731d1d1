// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which shift a comparison could have found, and how sure the one is that it found.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/stats/order.h"
#include "harness/stats/stats.h"

/**
 * stats_normal_quantile - quantile of the standard normal distribution
 * @probability: between 0 and 1, both excluded
 */
double stats_normal_quantile(double probability)
{
	double low = -40, high = 40;

	for (int i = 0; i < 100; i++) {
		double middle = (low + high) / 2;

		if (erfc(-middle * M_SQRT1_2) / 2 < probability)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The sum of squares around the mean, of the samples divided by @scale. */
static double squares(const double *samples, size_t count, double scale)
{
	double mean = 0, sum = 0;

	for (size_t i = 0; i < count; i++)
		mean += samples[i] / scale / (double)count;
	for (size_t i = 0; i < count; i++)
		sum += pow(samples[i] / scale - mean, 2);
	return sum;
}

static double largest(const double *samples, size_t count, double scale)
{
	for (size_t i = 0; i < count; i++)
		scale = fmax(scale, fabs(samples[i]));
	return scale;
}

/**
 * stats_deviation - standard deviation of a sample
 * @samples:   in any order
 * @count:     of them; the deviation of one alone is 0
 * @deviation: receives it
 *
 * Return: 0, -EINVAL or -EDOM.
 */
int stats_deviation(const double *samples, size_t count, double *deviation)
{
	double scale = largest(samples, count, 0);
	int error = order_check(samples, count);

	if (error)
		return error;
	*deviation = count > 1 && scale > 0
			     ? sqrt(squares(samples, count, scale) / (double)(count - 1)) * scale
			     : 0;
	return 0;
}

/**
 * stats_shift_seen - the smallest shift that a Mann-Whitney test of so many samples finds
 * @deviation:         standard deviation of each side
 * @a_count, @b_count: numbers of samples
 * @alpha:             level of the test
 * @power:             probability to find a shift of this size, such as 0.8
 *
 * The formula of the two-sample test of normal samples, (z(1 - alpha/2) + z(power)) * s *
 * sqrt(1/a + 1/b), where s is the standard deviation; times sqrt(pi/3), because the
 * Mann-Whitney test has the efficiency 3/pi (Lehmann, Nonparametrics, 2.4).
 *
 * Return: the shift; INFINITY when so few samples can find none.
 */
double stats_shift_seen(double deviation, size_t a_count, size_t b_count, double alpha,
			double power)
{
	if (stats_least_p(a_count, b_count) > alpha)
		return INFINITY;
	return (stats_normal_quantile(1 - alpha / 2) + stats_normal_quantile(power)) *
	       sqrt((1 / (double)a_count + 1 / (double)b_count) * M_PI / 3) * deviation;
}

/**
 * stats_samples_needed - how many samples a test needs to find a shift
 * @shift:                        to be found
 * @deviation, @alpha, @power:    as for stats_shift_seen()
 * @most:                         that are wanted at all
 *
 * Return: samples on each side; @most + 1 when @most do not find it.
 */
size_t stats_samples_needed(double shift, double deviation, double alpha, double power, size_t most)
{
	size_t low = 1, high = most + 1;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (stats_shift_seen(deviation, middle, middle, alpha, power) <= shift)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/**
 * stats_detectable - the smallest shift that a Mann-Whitney test would have found
 * @a, @b:             the samples
 * @a_count, @b_count: of them
 * @alpha, @power:     as for stats_shift_seen(), with the pooled standard deviation
 * @shift:             receives it; INFINITY when so few samples can find none
 *
 * Return: 0, -EINVAL or -EDOM.
 */
int stats_detectable(const double *a, size_t a_count, const double *b, size_t b_count, double alpha,
		     double power, double *shift)
{
	double scale, variance;
	int error = order_check(a, a_count) ?: order_check(b, b_count);

	if (error)
		return error;
	*shift = INFINITY;
	if (a_count + b_count < 3)
		return 0;
	scale = largest(b, b_count, largest(a, a_count, 0));
	if (scale == 0)
		scale = 1;
	variance = (squares(a, a_count, scale) + squares(b, b_count, scale)) /
		   (double)(a_count + b_count - 2);
	*shift = stats_shift_seen(sqrt(variance), a_count, b_count, alpha, power) * scale;
	return 0;
}

/*
 * A side whose samples are drawn again and again: all samples in order, the place of each of the side in it, block by block,
 * and how often each place was drawn. So a median needs no sorting.
 */
struct urn {
	struct blocks blocks;
	double *sorted;
	size_t *places, *starts, *drawn, count;
};

static void urn_free(struct urn *urn)
{
	free(urn->sorted);
	free(urn->places);
	free(urn->starts);
	free(urn->drawn);
}

static size_t place_of(const struct urn *urn, double sample)
{
	size_t low = 0, high = urn->count - 1;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (urn->sorted[middle] < sample)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int urn_fill(struct urn *urn, struct blocks blocks)
{
	size_t filled = 0;

	if (!blocks.count)
		return -EINVAL;
	urn->blocks = blocks;
	for (size_t i = 0; i < blocks.count; i++) {
		int error = order_check(blocks.all[i].samples, blocks.all[i].count);

		if (error)
			return error;
		urn->count += blocks.all[i].count;
	}
	urn->sorted = calloc(urn->count, sizeof(*urn->sorted));
	urn->places = calloc(urn->count, sizeof(*urn->places));
	urn->starts = calloc(blocks.count, sizeof(*urn->starts));
	urn->drawn = calloc(urn->count, sizeof(*urn->drawn));
	if (!urn->sorted || !urn->places || !urn->starts || !urn->drawn)
		return -ENOMEM;
	for (size_t i = 0; i < blocks.count; i++) {
		urn->starts[i] = filled;
		for (size_t j = 0; j < blocks.all[i].count; j++)
			urn->sorted[filled++] = blocks.all[i].samples[j];
	}
	order_sort(urn->sorted, urn->count);
	for (size_t i = 0; i < blocks.count; i++)
		for (size_t j = 0; j < blocks.all[i].count; j++)
			urn->places[urn->starts[i] + j] = place_of(urn, blocks.all[i].samples[j]);
	return 0;
}

/* First blocks are drawn, then samples within each that was drawn. */
static double median_of_draw(struct urn *urn, uint64_t *state)
{
	size_t filled = 0, seen = 0, lower = 0, upper;

	memset(urn->drawn, 0, urn->count * sizeof(*urn->drawn));
	for (size_t i = 0; i < urn->blocks.count; i++) {
		size_t block = order_draw(state, urn->blocks.count);
		size_t count = urn->blocks.all[block].count;

		for (size_t j = 0; j < count; j++)
			urn->drawn[urn->places[urn->starts[block] + order_draw(state, count)]]++;
		filled += count;
	}
	while ((seen += urn->drawn[lower]) <= (filled - 1) / 2)
		lower++;
	upper = lower;
	while (seen <= filled / 2)
		seen += urn->drawn[++upper];
	return lower == upper ? urn->sorted[lower]
			      : urn->sorted[lower] / 2 + urn->sorted[upper] / 2;
}

/**
 * stats_bootstrap - interval of the difference of two medians when samples come in blocks
 * @a, @b:      the sides
 * @resamples:  how often to draw anew, at least 2
 * @seed:       the same seed gives the same interval
 * @confidence: of the interval, such as 0.95
 * @shift:      receives the median of @b less that of @a, with the percentile interval
 *
 * Return: 0, -EINVAL, -EDOM, -ERANGE or -ENOMEM.
 */
int stats_bootstrap(struct blocks a, struct blocks b, size_t resamples, uint64_t seed,
		    double confidence, struct estimate *shift)
{
	struct urn left = {0}, right = {0};
	double *shifts = NULL;
	uint64_t state = seed;
	size_t skipped;
	int error = resamples < 2 ? -EINVAL : urn_fill(&left, a);

	if (!error)
		error = urn_fill(&right, b);
	if (!error && !(shifts = calloc(resamples, sizeof(*shifts))))
		error = -ENOMEM;
	if (error)
		goto out;
	for (size_t i = 0; i < resamples; i++)
		shifts[i] = median_of_draw(&right, &state) - median_of_draw(&left, &state);
	shift->value =
		order_median(right.sorted, right.count) - order_median(left.sorted, left.count);
	if (order_check(shifts, resamples) || !isfinite(shift->value)) {
		error = -ERANGE;
		goto out;
	}
	order_sort(shifts, resamples);
	skipped = (size_t)((1 - confidence) / 2 * (double)resamples);
	shift->low = shifts[skipped];
	shift->high = shifts[resamples - 1 - skipped];
out:
	free(shifts);
	urn_free(&left);
	urn_free(&right);
	return error;
}
