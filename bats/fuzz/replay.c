// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gives each file of a corpus to the target that this is linked with. The sanitizers of the tests report what is wrong; the fuzzers
 * themselves are another build, by clang.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "harness/lib/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);

/* Of libFuzzer, for targets with a mutator of their own; a replay changes nothing. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max)
{
	abort();
}

static bool replay(const char *path)
{
	__cleanup_free char *text = NULL;
	__cleanup_free char *input = NULL;
	size_t length;
	int error = read_small_file(path, &text, &length);

	if (error) {
		fprintf(stderr, "%s: %s\n", path, strerror(-error));
		return false;
	}
	/* In a block of its very size, so that each byte beyond it is an error. */
	input = xzalloc(length ?: 1);
	memcpy(input, text, length);
	fprintf(stderr, "%s\n", path);
	(void)LLVMFuzzerTestOneInput((const uint8_t *)input, length);
	return true;
}

int main(int argc, char **argv)
{
	struct dirent **entries;
	int count = argc == 2 ? scandir(argv[1], &entries, NULL, alphasort) : -1, replayed = 0;

	if (count < 0) {
		fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
		return 2;
	}
	for (int i = 0; i < count; i++) {
		__cleanup_free char *path = format_text("%s/%s", argv[1], entries[i]->d_name);

		if (entries[i]->d_type == DT_REG && !replay(path))
			return 1;
		replayed += entries[i]->d_type == DT_REG;
		free(entries[i]);
	}
	free(entries);
	if (!replayed)
		fprintf(stderr, "%s is empty\n", argv[1]);
	return replayed ? 0 : 1;
}
