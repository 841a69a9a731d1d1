// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever a host or a guest sends, in whatever pieces: the channel neither crashes nor keeps more than one line, and a
 * good line after any rubbish still arrives.
 */
#include <stdlib.h>

#include "harness/lib/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct channel *channel = channel_new(-1, -1);
	size_t step = size ? data[0] % 61 + 1 : 1;
	struct reason why;
	json_t *message;
	int got, good = 0;

	for (size_t at = 0; at < size; at += step) {
		size_t length = size - at < step ? size - at : step;

		channel_feed(channel, (const char *)data + at, length);
		while ((got = channel_next(channel, &message, &why)) != 0)
			if (got > 0)
				json_decref(message);
	}
	channel_feed(channel, "\n{\"last\":1}\n", 12);
	while ((got = channel_next(channel, &message, &why)) != 0) {
		if (got < 0)
			continue;
		good = json_object_get(message, "last") != NULL;
		json_decref(message);
	}
	if (!good)
		abort();
	channel_free(channel);
	return 0;
}
