// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two samples compared by their ranks: Mann and Whitney's test, Hodges and Lehmann's shift, Cliff's delta.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "harness/stats/order.h"
#include "harness/stats/stats.h"

/* The exact distribution is used below this many samples on each side, as R's wilcox.test() does. */
#define EXACT_LIMIT 50

static bool is_small(size_t a_count, size_t b_count)
{
	return a_count < EXACT_LIMIT && b_count < EXACT_LIMIT;
}

/*
 * The probabilities of U = 0 up to half of its range. Their generating function is the Gaussian binomial coefficient:
 * the product over i = 1..m of (1 - q^(n+i)) / (1 - q^i) (Mann and Whitney 1947; Andrews, The Theory of Partitions, 3.2).
 */
static int distribution(size_t m, size_t n, double **probability)
{
	size_t half = m * n / 2;
	double *ways = calloc(half + 1, sizeof(*ways));
	double total = 1;

	if (!ways)
		return -ENOMEM;
	ways[0] = 1;
	for (size_t i = 1; i <= m; i++) {
		for (size_t u = half; u >= n + i; u--)
			ways[u] -= ways[u - n - i];
		for (size_t u = i; u <= half; u++)
			ways[u] += ways[u - i];
		total *= (double)(n + i) / (double)i;
	}
	for (size_t u = 0; u <= half; u++)
		ways[u] /= total;
	*probability = ways;
	return 0;
}

static int exact_p(size_t m, size_t n, double u, double *p)
{
	double low = fmin(u, (double)(m * n) - u), sum = 0;
	double *probability;
	int error = distribution(m, n, &probability);

	if (error)
		return error;
	for (size_t i = 0; i <= (size_t)low; i++)
		sum += probability[i];
	free(probability);
	*p = fmin(1, 2 * sum);
	return 0;
}

/* Sum of t^3 - t over the groups of t equal samples. */
static double tie_term(const double *a, size_t a_count, const double *b, size_t b_count)
{
	double sum = 0;

	for (size_t i = 0, j = 0; i < a_count || j < b_count;) {
		double value = j == b_count || (i < a_count && a[i] < b[j]) ? a[i] : b[j];
		double equal = 0;

		for (; i < a_count && a[i] == value; i++)
			equal++;
		for (; j < b_count && b[j] == value; j++)
			equal++;
		sum += equal * equal * equal - equal;
	}
	return sum;
}

static double normal_p(double m, double n, double u, double ties)
{
	double total = m + n;
	double variance = m * n / 12 * (total + 1 - ties / (total * (total - 1)));
	double distance = fmax(0, fabs(u - m * n / 2) - 0.5);

	return variance > 0 ? erfc(distance / sqrt(2 * variance)) : 1;
}

/**
 * stats_mann_whitney - test whether one sample tends to be larger than the other
 * @a, @b:             the samples, in any order
 * @a_count, @b_count: of them
 * @test:              receives the result
 *
 * Exact below 50 samples on each side without ties, else the normal approximation, corrected for
 * ties and for continuity: the rules of R's wilcox.test().
 *
 * Return: 0, -EINVAL, -EDOM or -ENOMEM.
 */
int stats_mann_whitney(const double *a, size_t a_count, const double *b, size_t b_count,
		       struct rank_test *test)
{
	double *left = NULL, *right = NULL;
	double u = 0, ties;
	int error = order_copy(a, a_count, &left);

	if (!error)
		error = order_copy(b, b_count, &right);
	if (error)
		goto out;
	for (size_t i = 0, below = 0, upto = 0; i < b_count; i++) {
		while (below < a_count && left[below] < right[i])
			below++;
		while (upto < a_count && left[upto] <= right[i])
			upto++;
		u += ((double)below + (double)upto) / 2;
	}
	ties = tie_term(left, a_count, right, b_count);
	test->u = u;
	test->exact = ties == 0 && is_small(a_count, b_count);
	if (test->exact)
		error = exact_p(a_count, b_count, u, &test->p);
	else
		test->p = normal_p((double)a_count, (double)b_count, u, ties);
out:
	free(left);
	free(right);
	return error;
}

/**
 * stats_least_p - the smallest p that a Mann-Whitney test of so many samples can have
 * @a_count, @b_count: numbers of samples
 *
 * All of one side above all of the other is one of C(a + b, a) orders, and so is its mirror image.
 */
double stats_least_p(size_t a_count, size_t b_count)
{
	double a = (double)a_count, b = (double)b_count;

	return fmin(1, 2 * exp(lgamma(a + 1) + lgamma(b + 1) - lgamma(a + b + 1)));
}

/*
 * How many of the sorted differences lie outside of the interval at each end; one fewer than the rank of the limit, -1 when
 * no rank has the confidence.
 */
static int outside(size_t m, size_t n, double confidence, double *ranks)
{
	double tail = (1 - confidence) / 2, sum = 0, pairs = (double)m * (double)n;
	double *probability;
	size_t rank = 0;
	int error;

	if (!is_small(m, n)) {
		double deviation = sqrt(pairs * (double)(m + n + 1) / 12);

		*ranks = floor(pairs / 2 + stats_normal_quantile(tail) * deviation) - 1;
		return 0;
	}
	error = distribution(m, n, &probability);
	if (error)
		return error;
	while (rank <= m * n / 2 && (sum += probability[rank]) <= tail)
		rank++;
	free(probability);
	*ranks = (double)rank - 1;
	return 0;
}

/**
 * stats_shift - Hodges and Lehmann's estimate of by how much @b is larger than @a
 * @a, @b:             the samples, in any order
 * @a_count, @b_count: of them
 * @confidence:        of the interval, such as 0.95
 * @shift:             receives the median of all differences b - a, with its interval
 *
 * The limits are those differences that the Mann-Whitney test would just not refuse: from the
 * exact distribution below 50 samples on each side, else from the normal approximation (Hollander
 * and Wolfe, Nonparametric Statistical Methods, 4.3). With ties the interval is wider than needed.
 *
 * Return: 0, -EINVAL, -EDOM, -ERANGE or -ENOMEM.
 */
int stats_shift(const double *a, size_t a_count, const double *b, size_t b_count, double confidence,
		struct estimate *shift)
{
	size_t pairs = a_count * b_count;
	double *differences;
	double ranks = -1;
	int error = order_check(a, a_count) ?: order_check(b, b_count);

	if (error)
		return error;
	differences = calloc(pairs, sizeof(*differences));
	if (!differences)
		return -ENOMEM;
	for (size_t i = 0; i < pairs; i++)
		differences[i] = b[i % b_count] - a[i / b_count];
	error = order_check(differences, pairs) ? -ERANGE
						: outside(a_count, b_count, confidence, &ranks);
	if (!error) {
		size_t rank = ranks < 0 ? 0 : (size_t)ranks;

		order_sort(differences, pairs);
		*shift = (struct estimate){
			order_median(differences, pairs),
			ranks < 0 ? -INFINITY : differences[rank],
			ranks < 0 ? INFINITY : differences[pairs - 1 - rank],
		};
	}
	free(differences);
	return error;
}

/**
 * stats_cliff_delta - how far two samples are apart, without a unit
 * @a, @b:             the samples, all finite
 * @a_count, @b_count: of them
 *
 * Return: the share of pairs in which @b is larger less the share in which it is smaller: 1 when all
 * of @b is above all of @a, -1 when it is below, 0 when they overlap evenly or one is empty.
 */
double stats_cliff_delta(const double *a, size_t a_count, const double *b, size_t b_count)
{
	double sum = 0;

	for (size_t i = 0; i < a_count; i++)
		for (size_t j = 0; j < b_count; j++)
			sum += (b[j] > a[i]) - (b[j] < a[i]);
	return a_count && b_count ? sum / ((double)a_count * (double)b_count) : 0;
}
