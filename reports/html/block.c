// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trials of a large page: neighbours are much alike, so that some of them together take a tenth when they are compressed. The
 * script of the page decompresses the block of the trial that is looked at.
 */
#include <zlib.h>

#include "reports/html/block.h"

/**
 * struct block - trials that wait to be compressed
 * @number: of the block, from 0
 * @stream: collects them in @text
 */
struct block {
	size_t number, length;
	FILE *stream;
	char *text;
};

static void write_base64(FILE *out, const unsigned char *bytes, size_t length)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < length; i += 3) {
		unsigned int group = (unsigned int)bytes[i] << 16;
		char text[4] = "====";

		group |= i + 1 < length ? (unsigned int)bytes[i + 1] << 8 : 0;
		group |= i + 2 < length ? bytes[i + 2] : 0;
		for (size_t digit = 0; digit < 4 && i + digit <= length; digit++)
			text[digit] = digits[group >> (18 - 6 * digit) & 63];
		fwrite(text, 1, sizeof(text), out);
	}
}

static void write_block(struct block *block, FILE *out)
{
	uLongf length;
	__cleanup_free unsigned char *compressed = NULL;

	if (fclose(block->stream) != 0)
		abort();
	length = compressBound(block->length);
	compressed = malloc(length);
	if (!compressed || compress2(compressed, &length, (unsigned char *)block->text,
				     block->length, Z_DEFAULT_COMPRESSION) != Z_OK)
		abort();
	fprintf(out, "<script type=\"text/plain\" id=\"block%zu\">", block->number);
	write_base64(out, compressed, length);
	fputs("</script>\n", out);
	free(block->text);
	*block = (struct block){0};
}

/**
 * block_of - where a trial is written to
 * @state:  of the report; holds the block that is open
 * @out:    gets the block before it
 * @number: of the trial, from 1, in rising order
 *
 * Return: a stream, borrowed until the next call.
 */
FILE *block_of(void **state, FILE *out, size_t number)
{
	size_t wanted = (number - 1) / BLOCK_TRIALS;
	struct block *block = *state;

	if (!block)
		*state = block = xzalloc(sizeof(*block));
	if (block->stream && block->number != wanted)
		write_block(block, out);
	if (!block->stream) {
		block->number = wanted;
		block->stream = open_memstream(&block->text, &block->length);
		if (!block->stream)
			abort();
	}
	return block->stream;
}

/** block_end - write the last block, and free @state */
void block_end(void **state, FILE *out)
{
	struct block *block = *state;

	if (block && block->stream)
		write_block(block, out);
	free(block);
	*state = NULL;
}
