// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz: everything that a hostile guest can put in front of the firmware model: its registers and parameters, the error
 * status block, bytes of the doorbell, and, should QEMU itself be lost, the page of the plugin. No QEMU is attached.
 *
 * Input: records of one byte of kind, two of offset, one of length, and that many bytes to write there.
 */
#include <assert.h>
#include <fcntl.h>
#include <string.h>

#include "harness/rig/firmware/internal.h"

#define RAM_SIZE (1u << 20)
#define REGION 0x80000u

static struct firmware *make(void)
{
	struct firmware *firmware = calloc(1, sizeof(*firmware));

	assert(firmware);
	firmware->config = (struct firmware_config){.ram_size = RAM_SIZE,
						    .region = REGION,
						    .region_size = FIRMWARE_REGION_MINIMUM,
						    .processors = 2,
						    .einj_revision = 2,
						    .doorbell_path = "",
						    .poison_path = ""};
	/* Of exactly the sizes that the model may use, so that a byte outside is seen. */
	firmware->ram = malloc(RAM_SIZE);
	firmware->page = calloc(1, sizeof(*firmware->page));
	assert(firmware->ram && firmware->page);
	firmware->available = EINJ_TYPES_OFFERED;
	firmware->available_v2 = EINJV2_TYPES_OFFERED;
	firmware->retire_ms = 1;
	firmware->interrupt_fd = firmware->notify_fd = -1;
	pthread_mutex_init(&firmware->mutex, NULL);
	pthread_mutex_init(&firmware->bell.mutex, NULL);
	firmware->wake_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return firmware;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct firmware *firmware;

	if (!firmware)
		firmware = make();
	memset(firmware->page, 0, sizeof(*firmware->page));
	poison_disarm_all(firmware);
	firmware->record_count = firmware->check_count = 0;
	einj_reset_registers(firmware);
	while (size >= 4) {
		size_t offset = (size_t)(data[1] | data[2] << 8);
		size_t length = data[3];
		unsigned int kind = data[0] % 4;

		data += 4;
		size -= 4;
		if (length > size)
			length = size;
		switch (kind) {
		case 0:
			offset %= FIRMWARE_REGION_MINIMUM - 256;
			memcpy(firmware->ram + REGION + offset, data, length);
			break;
		case 1:
			bell_ring(&firmware->bell, data, length);
			firmware_step(firmware);
			break;
		case 2:
			offset %= sizeof(*firmware->page) - 256;
			memcpy((uint8_t *)firmware->page + offset, data, length);
			/* A present plugin would be waited for. */
			atomic_store(&firmware->page->present, 0);
			atomic_store(&firmware->page->raising, 0);
			firmware_step(firmware);
			break;
		case 3: {
			struct einj_request request;

			(void)einj_read_request(firmware, &request);
			assert(request.components <= EINJV2_COMPONENTS);
			(void)poison_scrub(firmware);
			json_decref(poison_list(firmware));
			break;
		}
		}
		data += length;
		size -= length;
	}
	return 0;
}
