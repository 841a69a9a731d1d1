/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_FAKE_XENDEVICEMODEL_H
#define BRINELL_UNIT_FAKE_XENDEVICEMODEL_H

#include <stdint.h>

typedef struct xendevicemodel_handle xendevicemodel_handle;

xendevicemodel_handle *xendevicemodel_open(void *logger, unsigned int flags);
int xendevicemodel_close(xendevicemodel_handle *handle);
int xendevicemodel_track_dirty_vram(xendevicemodel_handle *handle, uint16_t domain, uint64_t first,
				    uint32_t pages, unsigned long *written);

#endif
