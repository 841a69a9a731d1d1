/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of the benchmarks print of many values of one thing.
 */
#ifndef BRINELL_BENCH_FIGURES_H
#define BRINELL_BENCH_FIGURES_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static inline int figures_compare(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return a < b ? -1 : a > b;
}

/* Sorts @values. */
static inline double figures_median(double *values, size_t count)
{
	qsort(values, count, sizeof(double), figures_compare);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Median and range; sorts @values. Return: the median. */
static inline double figures_print_spread(const char *what, double *values, size_t count,
					  const char *unit)
{
	double median = figures_median(values, count);

	printf("%s: median %.2f%s (min %.2f, max %.2f, %zu rounds)\n", what, median, unit,
	       values[0], values[count - 1], count);
	return median;
}

/*
 * The mean of @values with the interval that has the true one in 95 of 100 such measurements, if they are independent:
 * Student's, whose quantile is that of the normal distribution and the first terms of its expansion in 1 / n.
 */
static inline void figures_print_mean(const char *what, const double *values, size_t count,
				      const char *unit)
{
	const double normal = 1.959964;
	double mean = 0, squares = 0, freedom = (double)count - 1, quantile, half, deviation;

	if (count < 3) {
		printf("%s: %zu rounds are too few\n", what, count);
		return;
	}
	for (size_t i = 0; i < count; i++)
		mean += values[i] / (double)count;
	for (size_t i = 0; i < count; i++)
		squares += (values[i] - mean) * (values[i] - mean);
	deviation = sqrt(squares / freedom);
	quantile =
		normal + (pow(normal, 3) + normal) / (4 * freedom) +
		(5 * pow(normal, 5) + 16 * pow(normal, 3) + 3 * normal) / (96 * freedom * freedom);
	half = quantile * deviation / sqrt((double)count);
	printf("%s: %.3f%s, 95 %% interval %.3f to %.3f (%zu rounds, standard deviation %.3f)\n",
	       what, mean, unit, mean - half, mean + half, count, deviation);
}

#endif
