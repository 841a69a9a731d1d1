/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_STATS_ORDER_H
#define BRINELL_STATS_ORDER_H

#include <stddef.h>
#include <stdint.h>

int order_check(const double *samples, size_t count);
int order_copy(const double *samples, size_t count, double **sorted);
void order_sort(double *samples, size_t count);
size_t order_draw(uint64_t *state, size_t below);
double order_median(const double *sorted, size_t count);

#endif
