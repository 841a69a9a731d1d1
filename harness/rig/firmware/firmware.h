/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_RIG_FIRMWARE_H
#define BRINELL_RIG_FIRMWARE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct qmp;
struct firmware;

/**
 * struct firmware_config - configuration of the firmware model of one emulated host
 * @ram_path:      file that backs the RAM of the host (share=on); mapped by the model
 * @ram_size:      its size in bytes; the RAM of a rig host is contiguous below 4 GiB, gpa == offset
 * @region:        guest physical address of the megabyte that the kernel does not use (memmap=)
 * @region_size:   its size in bytes; 0: the host has neither tables nor registers of the model, only its machine checks
 * @processors:    number of virtual processors
 * @single:        a machine check reaches one processor, as with AMD; otherwise all of them, as with Intel
 * @einj_revision: 1, or 2 for a table with EINJv2
 * @doorbell_path: Unix socket that the model listens on before QEMU starts; QEMU's isa-debugcon connects to it. QEMU creates
 *                 another one with the suffix ".irq"
 * @poison_path:   file shared with the TCG plugin, created by the model, with a socket with the suffix ".notify"
 */
struct firmware_config {
	const char *ram_path;
	size_t ram_size;
	uint64_t region;
	size_t region_size;
	unsigned int processors;
	bool single;
	unsigned int einj_revision;
	const char *doorbell_path;
	const char *poison_path;
};

/* Receives an event of the model, for the console log and clients of the rig; owns @event. */
typedef void (*firmware_event_fn)(void *context, json_t *event);

int firmware_write_tables(const struct firmware_config *config, const char *directory);
char **firmware_qemu_arguments(const struct firmware_config *config, const char *directory,
			       const char *plugin_path);
int firmware_open(const struct firmware_config *config, firmware_event_fn event, void *context,
		  struct firmware **firmware);
int firmware_attach(struct firmware *firmware, struct qmp *qmp);
void firmware_detach(struct firmware *firmware);
int firmware_control(struct firmware *firmware, const json_t *request, json_t **reply);
void firmware_close(struct firmware *firmware);

#endif
