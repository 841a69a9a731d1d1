/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_FAKE_LIBXL_H
#define BRINELL_UNIT_FAKE_LIBXL_H

/* What the way to another host uses of libxl, for a test that makes up the functions. */
#include <stdint.h>

typedef struct libxl_ctx libxl_ctx;
typedef struct xentoollog_logger xentoollog_logger;

typedef struct {
	int kept;
} libxl_domain_config;

void libxl_domain_config_init(libxl_domain_config *config);
void libxl_domain_config_dispose(libxl_domain_config *config);
int libxl_retrieve_domain_configuration(libxl_ctx *libxl, uint32_t domain,
					libxl_domain_config *config, const void *how);
char *libxl_domain_config_to_json(libxl_ctx *libxl, libxl_domain_config *config);

#endif
