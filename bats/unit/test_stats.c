// SPDX-License-Identifier: GPL-2.0-only
/*
 * The statistics against values of R 4.2.2, whose calls stand beside them, and against cases that can be counted out.
 * `make coverage` shows that every branch is taken.
 *
 * wraps: calloc
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/stats/order.h"
#include "harness/stats/stats.h"

#include <cmocka.h>

#define LIST(...) (const double[]){__VA_ARGS__}, sizeof((double[]){__VA_ARGS__}) / sizeof(double)

/* Permeability of placental membranes: Hollander and Wolfe (1973), p. 69, in R's help page of wilcox.test(). */
#define TERM LIST(0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46)
#define EARLY LIST(1.15, 0.88, 0.90, 0.74, 1.21)

/* Of the allocations to come, the one of this number fails; 0: none. */
static unsigned int failing;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
	return failing && --failing == 0 ? NULL : __real_calloc(count, size);
}

/* Each allocation of a call fails in turn, until it has none left. */
#define FAILS_WITHOUT_MEMORY(call)                                                                 \
	do {                                                                                       \
		int error_ = -ENOMEM;                                                              \
                                                                                                   \
		for (unsigned int which_ = 1; error_; which_++) {                                  \
			failing = which_;                                                          \
			error_ = call;                                                             \
			assert_int_equal(error_, failing ? 0 : -ENOMEM);                           \
		}                                                                                  \
		failing = 0;                                                                       \
	} while (0)

static void near(double value, double expected)
{
	if (!(fabs(value - expected) <= 1e-9 * fmax(1, fabs(expected))))
		fail_msg("%.12g is not %.12g", value, expected);
}

static void near_estimate(struct estimate estimate, double value, double low, double high)
{
	near(estimate.value, value);
	if (estimate.low != low)
		near(estimate.low, low);
	if (estimate.high != high)
		near(estimate.high, high);
}

static void test_median(void **state)
{
	struct estimate median;

	(void)state;
	/* qbinom(0.025, 10, 0.5) is 2: the limits are the second and the ninth. */
	assert_int_equal(stats_median(LIST(10, 9, 8, 7, 6, 5, 4, 3, 2, 1), 0.95, &median), 0);
	near_estimate(median, 5.5, 2, 9);
	/* 2 / 2^6 = 0.031 lets the extremes of 6 be the limits, 2 / 2^5 = 0.0625 not those of 5. */
	assert_int_equal(stats_median(LIST(3, 1, 2, 6, 5, 4), 0.95, &median), 0);
	near_estimate(median, 3.5, 1, 6);
	assert_int_equal(stats_median(LIST(3, 1, 2, 5, 4), 0.95, &median), 0);
	near_estimate(median, 3, -INFINITY, INFINITY);
	assert_int_equal(stats_median(LIST(-7), 0.95, &median), 0);
	near_estimate(median, -7, -INFINITY, INFINITY);
	assert_int_equal(stats_median(LIST(1e308, 1e308), 0.95, &median), 0);
	near(median.value, 1e308);
}

static void test_bad_samples(void **state)
{
	struct block one = {(const double[]){1}, 1}, none = {NULL, 0}, huge;
	struct blocks ones = {&one, 1};
	struct rank_test test;
	struct estimate estimate;
	double shift;

	(void)state;
	assert_int_equal(stats_median(NULL, 0, 0.95, &estimate), -EINVAL);
	assert_int_equal(stats_median(LIST(1, NAN), 0.95, &estimate), -EDOM);
	assert_int_equal(stats_median(LIST(1, -INFINITY), 0.95, &estimate), -EDOM);
	assert_int_equal(stats_mann_whitney(LIST(1), NULL, 0, &test), -EINVAL);
	assert_int_equal(stats_mann_whitney(LIST(INFINITY), LIST(1), &test), -EDOM);
	assert_int_equal(stats_shift(NULL, 0, LIST(1), 0.95, &estimate), -EINVAL);
	assert_int_equal(stats_shift(LIST(1), LIST(NAN), 0.95, &estimate), -EDOM);
	assert_int_equal(stats_shift(LIST(-1e308), LIST(1e308), 0.95, &estimate), -ERANGE);
	assert_int_equal(stats_detectable(NULL, 0, LIST(1), 0.05, 0.8, &shift), -EINVAL);
	assert_int_equal(stats_detectable(LIST(1), LIST(NAN), 0.05, 0.8, &shift), -EDOM);
	assert_int_equal(stats_bootstrap((struct blocks){NULL, 0}, ones, 9, 1, 0.95, &estimate),
			 -EINVAL);
	assert_int_equal(stats_bootstrap(ones, (struct blocks){&none, 1}, 9, 1, 0.95, &estimate),
			 -EINVAL);
	assert_int_equal(stats_bootstrap(ones, ones, 1, 1, 0.95, &estimate), -EINVAL);
	one.samples = (const double[]){-1e308};
	huge = (struct block){(const double[]){1e308}, 1};
	assert_int_equal(stats_bootstrap(ones, (struct blocks){&huge, 1}, 9, 1, 0.95, &estimate),
			 -ERANGE);
	assert_int_equal(stats_rate(0, 0, 0.95, &estimate), -EINVAL);
	assert_int_equal(stats_rate(2, 1, 0.95, &estimate), -EINVAL);
}

static void test_mann_whitney(void **state)
{
	double low[60], high[60];
	struct rank_test test;

	(void)state;
	/* wilcox.test(early, term): W = 15, p-value = 0.254412254412 */
	assert_int_equal(stats_mann_whitney(TERM, EARLY, &test), 0);
	near(test.u, 15);
	near(test.p, 0.254412254412254);
	assert_true(test.exact);
	/* wilcox.test(c(2,4,5,5,6,6,7,8), c(1,2,2,3,4,4,5)): W = 48, p-value = 0.0224100406228 */
	assert_int_equal(stats_mann_whitney(LIST(1, 2, 2, 3, 4, 4, 5), LIST(2, 4, 5, 5, 6, 6, 7, 8),
					    &test),
			 0);
	near(test.u, 48);
	near(test.p, 0.0224100406228);
	assert_false(test.exact);
	for (int i = 0; i < 60; i++) {
		low[i] = i + 1;
		high[i] = i + 11.5;
	}
	/* wilcox.test(1:30, 1:30 + 10.5): p-value = 7.2150177562e-05 */
	assert_int_equal(stats_mann_whitney(low, 30, high, 30, &test), 0);
	near(test.p * 1e5, 7.2150177562);
	assert_true(test.exact);
	/* wilcox.test(1:60, 1:60 + 10.5): p-value = 0.00256688794352 */
	assert_int_equal(stats_mann_whitney(low, 60, high, 60, &test), 0);
	near(test.p, 0.00256688794352);
	assert_false(test.exact);
	/* All equal: there is no order at all. One against one: both orders are alike. */
	assert_int_equal(stats_mann_whitney(LIST(3, 3, 3), LIST(3, 3, 3), &test), 0);
	near(test.p, 1);
	assert_int_equal(stats_mann_whitney(LIST(-1e308), LIST(1e308), &test), 0);
	near(test.p, 1);
	/* 4 against 4: 2 of C(8, 4) = 70 orders. */
	assert_int_equal(stats_mann_whitney(LIST(1, 2, 3, 4), LIST(5, 6, 7, 8), &test), 0);
	near(test.p, 2.0 / 70);
	near(stats_least_p(4, 4), 2.0 / 70);
	near(stats_least_p(1, 1), 1);
}

static void test_shift(void **state)
{
	double low[60], high[60];
	struct estimate shift;

	(void)state;
	/* wilcox.test(early, term, conf.int = TRUE): -0.305, -0.76 to 0.15 */
	assert_int_equal(stats_shift(TERM, EARLY, 0.95, &shift), 0);
	near_estimate(shift, -0.305, -0.76, 0.15);
	for (int i = 0; i < 60; i++) {
		low[i] = i + 1;
		high[i] = i + 11.5;
	}
	/* wilcox.test(1:60 + 10.5, 1:60, conf.int = TRUE): 3.50003 to 17.49997, found by a root finder. */
	assert_int_equal(stats_shift(low, 60, high, 60, 0.95, &shift), 0);
	near_estimate(shift, 10.5, 3.5, 17.5);
	/* 1/C(6, 3) = 0.05 is more than 0.025. */
	assert_int_equal(stats_shift(LIST(1, 2, 3), LIST(11, 12, 13), 0.95, &shift), 0);
	near_estimate(shift, 10, -INFINITY, INFINITY);
	/* At 0.9 it is just not more: the least and the largest difference. */
	assert_int_equal(stats_shift(LIST(1, 2, 3), LIST(11, 12, 13), 0.89, &shift), 0);
	near_estimate(shift, 10, 8, 12);
	assert_int_equal(stats_shift(LIST(7, 7, 7, 7), LIST(7, 7, 7, 7), 0.95, &shift), 0);
	near_estimate(shift, 0, 0, 0);
}

static void test_cliff_delta(void **state)
{
	(void)state;
	near(stats_cliff_delta(LIST(1, 2), LIST(3, 4)), 1);
	near(stats_cliff_delta(LIST(3, 4), LIST(1, 2)), -1);
	near(stats_cliff_delta(LIST(5, 5), LIST(5)), 0);
	near(stats_cliff_delta(NULL, 0, LIST(5)), 0);
	/* 2 * 15 / 50 - 1: from U of the membranes. */
	near(stats_cliff_delta(TERM, EARLY), -0.4);
}

static void test_detectable(void **state)
{
	double shift;

	(void)state;
	/* (qnorm(0.975) + qnorm(0.8)) * sqrt(3.5) * sqrt(1/6 + 1/6) * sqrt(pi/3): 3.09664585915494 */
	assert_int_equal(stats_detectable(LIST(10, 11, 12, 13, 14, 15),
					  LIST(11, 12, 13, 14, 15, 16), 0.05, 0.8, &shift),
			 0);
	near(shift, 3.09664585915494);
	/* 2 / C(6, 3) = 0.1: three against three find nothing at 0.05, though they are all equal. */
	assert_int_equal(stats_detectable(LIST(1, 1, 1), LIST(1, 1, 1), 0.05, 0.8, &shift), 0);
	assert_true(isinf(shift));
	assert_int_equal(stats_detectable(LIST(1), LIST(1), 1, 0.8, &shift), 0);
	assert_true(isinf(shift));
	assert_int_equal(stats_detectable(LIST(0, 0, 0, 0), LIST(0, 0, 0, 0), 0.05, 0.8, &shift),
			 0);
	near(shift, 0);
	assert_int_equal(stats_detectable(LIST(1e308, 1e308, 1e308, 1e308),
					  LIST(1e308, 1e308, 1e308, 1e308), 0.05, 0.8, &shift),
			 0);
	assert_true(shift < 1e293);
	/* qnorm(0.975), qnorm(0.8), qnorm(1e-6) */
	near(stats_normal_quantile(0.975), 1.95996398454005);
	near(stats_normal_quantile(0.8), 0.841621233572914);
	near(stats_normal_quantile(1e-6), -4.7534243088229);
}

/*
 * Three boots with nine equal samples each. A draw of three boots has the median 0 when two or more are the first: 7 of 27.
 * So the quantile 0.2 is 0, and 0.8 is 2. Were the samples independent, 14 or more of 27 would have to be 0: p = 0.03.
 */
static void test_bootstrap(void **state)
{
	static const double zero[9], one[] = {1, 1, 1, 1, 1, 1, 1, 1, 1},
				     two[] = {2, 2, 2, 2, 2, 2, 2, 2, 2};
	const struct block boots[] = {{zero, 9}, {one, 9}, {two, 9}};
	const struct block apart[] = {{(const double[]){1, 2, 3, 4}, 4},
				      {(const double[]){5, 6, 7}, 3}};
	const struct blocks varied = {boots, 3}, constant = {boots, 1}, uneven = {apart, 2};
	struct estimate shift, again, other;

	(void)state;
	assert_int_equal(stats_bootstrap(constant, varied, 4000, 42, 0.6, &shift), 0);
	near_estimate(shift, 1, 0, 2);
	/* The quantiles 0.3 and 0.7 are within the 13 of 27 in the middle. */
	assert_int_equal(stats_bootstrap(constant, varied, 4000, 42, 0.4, &shift), 0);
	near_estimate(shift, 1, 1, 1);
	assert_int_equal(stats_bootstrap(varied, constant, 4000, 42, 0.6, &shift), 0);
	near_estimate(shift, -1, -2, 0);
	assert_int_equal(stats_bootstrap(constant, constant, 10, 42, 0.95, &shift), 0);
	near_estimate(shift, 0, 0, 0);
	/* No draw can leave the range of the samples: 1 - 0 to 7 - 0. */
	assert_int_equal(stats_bootstrap(constant, uneven, 2000, 1, 0.999, &shift), 0);
	near(shift.value, 4);
	assert_true(shift.low >= 1 && shift.low < 2.5 && shift.high > 5.5 && shift.high <= 7);
	assert_int_equal(stats_bootstrap(constant, uneven, 20, 7, 0.5, &shift), 0);
	assert_int_equal(stats_bootstrap(constant, uneven, 20, 7, 0.5, &again), 0);
	assert_memory_equal(&shift, &again, sizeof(shift));
	assert_int_equal(stats_bootstrap(constant, uneven, 20, 8, 0.5, &other), 0);
	assert_true(shift.low != other.low || shift.high != other.high);
}

static void test_holm(void **state)
{
	double p[] = {0.04, 0.001, 0.03, 0.005};
	double q[] = {0.01, 0.02, 0.03, 0.04, 0.9};

	(void)state;
	/* p.adjust(c(0.04, 0.001, 0.03, 0.005), "holm"): 0.060 0.004 0.060 0.015 */
	assert_int_equal(stats_holm(p, 4), 0);
	near(p[0], 0.06);
	near(p[1], 0.004);
	near(p[2], 0.06);
	near(p[3], 0.015);
	/* p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.9), "holm"): 0.05 0.08 0.09 0.09 0.90 */
	assert_int_equal(stats_holm(q, 5), 0);
	near(q[0], 0.05);
	near(q[1], 0.08);
	near(q[2], 0.09);
	near(q[3], 0.09);
	near(q[4], 0.9);
	assert_int_equal(stats_holm(NULL, 0), 0);
}

static void test_rates(void **state)
{
	struct estimate rate;

	(void)state;
	/* binom.test(0, 59), binom.test(7, 20), binom.test(20, 20): $conf.int */
	assert_int_equal(stats_rate(0, 59, 0.95, &rate), 0);
	near_estimate(rate, 0, 0, 0.0606089009503);
	assert_int_equal(stats_rate(7, 20, 0.95, &rate), 0);
	near_estimate(rate, 0.35, 0.153909204785, 0.592188534533);
	assert_int_equal(stats_rate(20, 20, 0.95, &rate), 0);
	near_estimate(rate, 1, 0.831566529017, 1);
	/* The lady and the tea: fisher.test(matrix(c(3,1,1,3),2)), 34 of 70 */
	near(stats_fisher(3, 4, 1, 4), 34.0 / 70);
	/* fisher.test(matrix(c(1,9,11,3),2)), fisher.test(matrix(c(0,100,10,90),2)) */
	near(stats_fisher(1, 10, 11, 14), 0.00275945618522);
	near(stats_fisher(0, 100, 10, 100), 0.00154205212544);
	near(stats_fisher(10, 100, 0, 100), 0.00154205212544);
	near(stats_fisher(0, 5, 0, 5), 1);
	near(stats_fisher(0, 0, 3, 5), 1);
}

static void test_two_humps(void **state)
{
	(void)state;
	assert_true(stats_two_humps(LIST(1, 1.1, 1.2, 1.3, 1.4, 9, 9.1, 9.2, 9.3, 9.4)));
	assert_true(stats_two_humps(
		LIST(1e308, 1e308, 1e308, 1e308, 1e308, -1e308, -1e308, -1e308, -1e308, -1e308)));
	/* Uniform: a cut in the middle takes 1 - (2 * 10) / 82.5 = 76 %. */
	assert_false(stats_two_humps(LIST(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)));
	/* One that is far off is no group; nine are too few; equal ones have no shape. */
	assert_false(stats_two_humps(LIST(1, 1, 1, 1, 1, 1, 1, 1, 1, 99)));
	assert_false(stats_two_humps(LIST(1, 1, 1, 1, 9, 9, 9, 9, 9)));
	assert_false(stats_two_humps(LIST(0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1)));
	assert_false(stats_two_humps(LIST(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)));
	assert_false(stats_two_humps(LIST(1, 1, 1, 1, 1, 9, 9, 9, 9, NAN)));
}

/* A series of two, three or no regimes: noise of a generator with a known seed around the level of each. */
static size_t change_points(const double *levels, size_t regimes, size_t length, double noise,
			    size_t *points)
{
	double values[64];
	uint64_t state = 7;
	size_t count = 0, found;

	for (size_t i = 0; i < regimes; i++)
		for (size_t j = 0; j < length; j++)
			values[count++] =
				levels[i] + noise * ((double)order_draw(&state, 1000) / 1000 - 0.5);
	assert_int_equal(stats_change_points(values, count, 0.01, 1, points, &found), 0);
	return found;
}

static void test_change_points(void **state)
{
	size_t points[64], found, alarms = 0;

	(void)state;
	assert_int_equal(change_points((double[]){100, 110}, 2, 15, 4, points), 1);
	assert_int_equal(points[0], 15);
	assert_int_equal(change_points((double[]){100, 110, 95}, 3, 12, 4, points), 2);
	assert_int_equal(points[0], 12);
	assert_int_equal(points[1], 24);
	assert_int_equal(change_points((double[]){100}, 1, 40, 4, points), 0);
	/* All equal, too few for a change to show, one that is far off alone. */
	assert_int_equal(change_points((double[]){7}, 1, 20, 0, points), 0);
	assert_int_equal(change_points((double[]){100, 110}, 2, 3, 1, points), 0);
	assert_int_equal(stats_change_points(LIST(1, 1.1, 0.9, 1, 1.1, 0.9, 9, 1, 1.1, 1, 0.9, 1.1),
					     0.01, 1, points, &found),
			 0);
	assert_int_equal(found, 0);
	assert_int_equal(stats_change_points(LIST(1, NAN), 0.01, 1, points, &found), -EDOM);
	assert_int_equal(stats_change_points(NULL, 0, 0.01, 1, points, &found), -EINVAL);
	/* Of 100 series without a change, the test at 0.01 lets one or so through. */
	for (uint64_t seed = 0; seed < 100; seed++) {
		double values[30];
		uint64_t random = seed;

		for (size_t i = 0; i < 30; i++)
			values[i] = (double)order_draw(&random, 1000);
		assert_int_equal(stats_change_points(values, 30, 0.01, seed, points, &found), 0);
		alarms += found > 0;
	}
	assert_in_range(alarms, 0, 4);
}

static void test_no_memory(void **state)
{
	const struct block two[] = {{(const double[]){1, 2, 3}, 3}, {(const double[]){4}, 1}};
	const struct blocks blocks = {two, 2};
	struct estimate estimate;
	struct rank_test test;
	double p[] = {0.1, 0.2};
	size_t points[8], found;

	(void)state;
	FAILS_WITHOUT_MEMORY(stats_median(LIST(1, 2), 0.95, &estimate));
	FAILS_WITHOUT_MEMORY(stats_mann_whitney(LIST(1, 2), LIST(3, 4), &test));
	FAILS_WITHOUT_MEMORY(stats_shift(LIST(1, 2), LIST(3, 4), 0.95, &estimate));
	FAILS_WITHOUT_MEMORY(stats_bootstrap(blocks, blocks, 2, 1, 0.95, &estimate));
	FAILS_WITHOUT_MEMORY(
		stats_change_points(LIST(1, 2, 3, 4, 5, 6, 7), 0.01, 1, points, &found));
	FAILS_WITHOUT_MEMORY(stats_holm(p, 2));
	/* Without an answer there are no humps. */
	failing = 1;
	assert_false(stats_two_humps(LIST(1, 1, 1, 1, 1, 9, 9, 9, 9, 9)));
	failing = 0;
	assert_true(stats_two_humps(LIST(1, 1, 1, 1, 1, 9, 9, 9, 9, 9)));
}

/* Cases at the edge of a rule, which real samples rarely reach. */
static void test_edges(void **state)
{
	static const double far[] = {-1.7e308, -1.7e308, -1.7e308, -1.7e308, -1.7e308}, zero = 0;
	const struct block left[] = {{far, 5}, {&zero, 1}, {&zero, 1}};
	const struct block right = {(const double[]){1e308}, 1};
	struct estimate estimate;
	struct rank_test test;
	size_t points[8], found;
	double many[50];

	(void)state;
	/* Too short for two regimes of three. */
	assert_int_equal(stats_change_points(LIST(1, 1, 9, 9, 9), 0.5, 1, points, &found), 0);
	assert_int_equal(found, 0);
	/* wilcox.test(0, 0:49 + 0.5): 1 of 51 places, exact = FALSE from 50 on: p = 0.09246..., by hand from z. */
	for (size_t i = 0; i < 50; i++)
		many[i] = (double)i + 0.5;
	assert_int_equal(stats_mann_whitney(LIST(0), many, 50, &test), 0);
	assert_false(test.exact);
	near(test.p, erfc((25 - 0.5) / sqrt(2 * 50.0 * 52 / 12)));
	/* An interval of no confidence is the estimate. */
	assert_int_equal(stats_shift(LIST(1), LIST(3), 0, &estimate), 0);
	near_estimate(estimate, 2, 2, 2);
	near(stats_cliff_delta(LIST(1), NULL, 0), 0);
	/* More failures than B has trials. fisher.test(matrix(c(5, 1, 0, 1), 2)): all tables of these sums are as likely or more. */
	near(stats_fisher(5, 6, 1, 1), 1);
	/* The medians of all draws may be finite although that of all samples is not. */
	for (uint64_t seed = 0; seed < 100; seed++)
		assert_int_equal(stats_bootstrap((struct blocks){left, 3},
						 (struct blocks){&right, 1}, 2, seed, 0.95,
						 &estimate),
				 -ERANGE);
}

static void test_samples_needed(void **state)
{
	double deviation;

	(void)state;
	/* sd(c(2, 4, 4, 4, 5, 5, 7, 9)) */
	assert_int_equal(stats_deviation(LIST(2, 4, 4, 4, 5, 5, 7, 9), &deviation), 0);
	near(deviation, 2.13808993529939);
	assert_int_equal(stats_deviation(LIST(1e308, -1e308), &deviation), 0);
	near(deviation, 1.4142135623730951e308);
	assert_int_equal(stats_deviation(LIST(7), &deviation), 0);
	near(deviation, 0);
	assert_int_equal(stats_deviation(LIST(0, 0), &deviation), 0);
	near(deviation, 0);
	assert_int_equal(stats_deviation(NULL, 0, &deviation), -EINVAL);
	assert_int_equal(stats_deviation(LIST(NAN), &deviation), -EDOM);
	/* (qnorm(0.975) + qnorm(0.8)) * sqrt(2/17 * pi/3) is 0.983..., and for 16 it is 1.013... */
	near(stats_shift_seen(1, 17, 17, 0.05, 0.8), 0.9833512709365784);
	assert_int_equal(stats_samples_needed(1, 1, 0.05, 0.8, 99), 17);
	assert_int_equal(stats_samples_needed(2, 2, 0.05, 0.8, 99), 17);
	/* Without noise the test itself needs 4 on each side: 2 / choose(8, 4) is the first p below 0.05. */
	assert_int_equal(stats_samples_needed(1, 0, 0.05, 0.8, 99), 4);
	assert_true(isinf(stats_shift_seen(0, 3, 3, 0.05, 0.8)));
	assert_int_equal(stats_samples_needed(1, 10, 0.05, 0.8, 99), 100);
	assert_int_equal(stats_samples_needed(0, 1, 0.05, 0.8, 99), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_median),	       cmocka_unit_test(test_bad_samples),
		cmocka_unit_test(test_mann_whitney),   cmocka_unit_test(test_shift),
		cmocka_unit_test(test_cliff_delta),    cmocka_unit_test(test_detectable),
		cmocka_unit_test(test_samples_needed), cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_edges),	       cmocka_unit_test(test_bootstrap),
		cmocka_unit_test(test_holm),	       cmocka_unit_test(test_rates),
		cmocka_unit_test(test_two_humps),      cmocka_unit_test(test_change_points),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
