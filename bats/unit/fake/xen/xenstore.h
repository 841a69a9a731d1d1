/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_FAKE_XENSTORE_H
#define BRINELL_UNIT_FAKE_XENSTORE_H

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t xs_transaction_t;
#define XBT_NULL 0

/* xenstore_lib.h */
#define XS_PERM_NONE 0
struct xs_permissions {
	unsigned int id, perms;
};

struct xs_handle *xs_open(unsigned long flags);
void xs_close(struct xs_handle *store);
bool xs_watch(struct xs_handle *store, const char *path, const char *token);
char **xs_check_watch(struct xs_handle *store);
int xs_fileno(struct xs_handle *store);
void *xs_read(struct xs_handle *store, xs_transaction_t transaction, const char *path,
	      unsigned int *length);
bool xs_write(struct xs_handle *store, xs_transaction_t transaction, const char *path,
	      const void *data, unsigned int length);
struct xs_permissions *xs_get_permissions(struct xs_handle *store, xs_transaction_t transaction,
					  const char *path, unsigned int *count);
bool xs_set_permissions(struct xs_handle *store, xs_transaction_t transaction, const char *path,
			struct xs_permissions *permissions, unsigned int count);

#endif
