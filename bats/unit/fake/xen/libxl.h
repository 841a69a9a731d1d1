/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_FAKE_LIBXL_H
#define BRINELL_UNIT_FAKE_LIBXL_H

/* What migrations use of libxl, for tests that make up the functions. */
#include <stdint.h>

typedef struct libxl_ctx libxl_ctx;
typedef struct xentoollog_logger xentoollog_logger;

typedef int libxl_defbool;

typedef struct {
	int kept;
	struct {
		char *name;
	} c_info;
} libxl_domain_config;

typedef struct {
	int interval;
	libxl_defbool allow_unsafe, netbuf, diskbuf, compression, colo;
} libxl_domain_remus_info;

typedef struct {
	unsigned int stream_version;
	int checkpointed_stream;
} libxl_domain_restore_params;

typedef struct {
	int domain_type;
} libxl_dominfo;

#define LIBXL_SUSPEND_LIVE 2
#define LIBXL_CHECKPOINTED_STREAM_REMUS 1
#define LIBXL_DOMAIN_TYPE_HVM 1

void libxl_defbool_set(libxl_defbool *value, int is);
void libxl_dominfo_init(libxl_dominfo *info);
void libxl_dominfo_dispose(libxl_dominfo *info);
int libxl_domain_info(libxl_ctx *libxl, libxl_dominfo *info, uint32_t domain);
void libxl_domain_remus_info_init(libxl_domain_remus_info *info);
int libxl_domain_remus_start(libxl_ctx *libxl, libxl_domain_remus_info *info, uint32_t domain,
			     int fd, int back, const void *how);
void libxl_domain_restore_params_init(libxl_domain_restore_params *params);
void libxl_domain_restore_params_dispose(libxl_domain_restore_params *params);
int libxl_domain_create_restore(libxl_ctx *libxl, libxl_domain_config *config, uint32_t *domain,
				int fd, int back, const libxl_domain_restore_params *params,
				const void *how, const void *console);
int libxl_domain_suspend(libxl_ctx *libxl, uint32_t domain, int fd, int flags, const void *how);
int libxl_domain_resume(libxl_ctx *libxl, uint32_t domain, int cancel, const void *how);
int libxl_domain_rename(libxl_ctx *libxl, uint32_t domain, const char *from, const char *to);

void libxl_domain_config_init(libxl_domain_config *config);
void libxl_domain_config_dispose(libxl_domain_config *config);
int libxl_retrieve_domain_configuration(libxl_ctx *libxl, uint32_t domain,
					libxl_domain_config *config, const void *how);
char *libxl_domain_config_to_json(libxl_ctx *libxl, libxl_domain_config *config);

#endif
