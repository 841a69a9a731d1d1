/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_FAKE_XENSTORE_H
#define BRINELL_UNIT_FAKE_XENSTORE_H

#include <stdbool.h>

struct xs_handle *xs_open(unsigned long flags);
void xs_close(struct xs_handle *store);
bool xs_watch(struct xs_handle *store, const char *path, const char *token);

#endif
