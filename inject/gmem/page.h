/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_GMEM_PAGE_H
#define BRINELL_GMEM_PAGE_H

/*
 * The model: the expected state of each page, in two bytes, and the pattern of its content. The guest payload includes this
 * file too, so it uses no library.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GMEM_PAGE_SIZE 4096u

/**
 * typedef gmem_page - state of a page
 *
 * Bits 0 to 6: generation of the shared content, 7 to 13: of the private content, 14: lost (the page is poisoned), 15: the
 * page is private. Generation 0 is a page of zeros: never written, or discarded.
 */
typedef uint16_t gmem_page;

#define GMEM_GENERATIONS 0x7fu
#define GMEM_LOST 0x4000u
#define GMEM_PRIVATE 0x8000u

/* Eight words of a page hold the pattern: one in each 512 bytes, at an offset that depends on the page. */
#define GMEM_WORDS 8u

static inline bool gmem_is_private(gmem_page page)
{
	return page & GMEM_PRIVATE;
}

static inline unsigned int gmem_generation(gmem_page page, bool private)
{
	return page >> (private ? 7 : 0) & GMEM_GENERATIONS;
}

/* The bits that hold the generation of a side. */
static inline gmem_page gmem_generation_bits(bool private)
{
	return (gmem_page)(GMEM_GENERATIONS << (private ? 7 : 0));
}

static inline gmem_page gmem_with_generation(gmem_page page, bool private, unsigned int generation)
{
	unsigned int shift = private ? 7 : 0;

	return (gmem_page)((page & ~(GMEM_GENERATIONS << shift)) | generation << shift);
}

static inline uint64_t gmem_mix(uint64_t value)
{
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	return value ^ value >> 31;
}

static inline uint64_t *gmem_word(void *page, uint64_t number, unsigned int word)
{
	return (uint64_t *)((uint8_t *)page + word * 512u + (number & 63) * 8);
}

/* The content of a word: a function of seed, page, side, generation and position; 0 for generation 0. */
static inline uint64_t gmem_pattern(uint64_t seed, uint64_t number, bool private,
				    unsigned int generation, unsigned int word)
{
	if (!generation)
		return 0;
	return gmem_mix(seed + (number << 16 | (uint64_t) private << 15 | generation << 8 | word));
}

static inline void gmem_fill(void *page, uint64_t seed, uint64_t number, bool private,
			     unsigned int generation)
{
	for (unsigned int i = 0; i < GMEM_WORDS; i++)
		*(volatile uint64_t *)gmem_word(page, number, i) =
			gmem_pattern(seed, number, private, generation, i);
}

/* Return: the first word that differs, with its content in @found; GMEM_WORDS: none. */
static inline unsigned int gmem_differs(void *page, uint64_t seed, uint64_t number, bool private,
					unsigned int generation, uint64_t *found)
{
	for (unsigned int i = 0; i < GMEM_WORDS; i++) {
		*found = *(volatile uint64_t *)gmem_word(page, number, i);
		if (*found != gmem_pattern(seed, number, private, generation, i))
			return i;
	}
	return GMEM_WORDS;
}

#endif
