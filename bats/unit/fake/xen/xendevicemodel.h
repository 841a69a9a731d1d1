/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_FAKE_XENDEVICEMODEL_H
#define BRINELL_UNIT_FAKE_XENDEVICEMODEL_H

typedef struct xendevicemodel_handle xendevicemodel_handle;

xendevicemodel_handle *xendevicemodel_open(void *logger, unsigned int flags);
int xendevicemodel_close(xendevicemodel_handle *handle);

#endif
