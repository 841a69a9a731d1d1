// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pattern itself. Every line of 64 bytes contains its page, line, generation and seed:
 *
 *	word 0  0x6272 (16 bits), page (40 bits), line (8 bits)
 *	word 1  generation (32 bits), seed (32 bits)
 *	word 2..7  hashes of page, generation and seed, advanced by a constant for each line
 *
 * From one line to the next each word grows by a constant, so that checking costs a load, an addition and a comparison of
 * wide registers per line, which is close to the cost of a read. The kind of a mismatch is determined only if there is one.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "workloads/pattern.h"

#define MAGIC 0x6272ull
/* Up to so many wrong bytes in a line are damage to it; more are other content. */
#define WRONG_BYTES_MAX 8

/* Two wide registers per line; the compiler uses narrower ones if the processor has none of 32 bytes. */
typedef uint64_t wide __attribute__((vector_size(32), may_alias));

static const uint64_t steps[PATTERN_WORDS] = {
	1,
	0,
	0x9e3779b97f4a7c15,
	0xbf58476d1ce4e5b9,
	0x94d049bb133111eb,
	0xd6e8feb86659fd93,
	0xa0761d6478bd642f,
	0xe7037ed1a0b428db,
};

const char *const pattern_fault_names[PATTERN_FAULTS] = {
	[PATTERN_INTACT] = "intact",   [PATTERN_WRONG_BYTE] = "wrong-byte",
	[PATTERN_STALE] = "stale",     [PATTERN_NEWER] = "newer",
	[PATTERN_FOREIGN] = "foreign", [PATTERN_ZERO] = "zero",
	[PATTERN_GARBAGE] = "garbage", [PATTERN_BOOKKEEPING] = "bookkeeping",
};

/* The finalizer of splitmix64: each bit of the result depends on each bit of the value. */
static uint64_t mix(uint64_t value)
{
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}

/** pattern_seed - the 32 bits of a seed that every line carries */
uint32_t pattern_seed(uint64_t seed)
{
	return (uint32_t)(mix(seed + 1) >> 32);
}

static void first_line(uint64_t words[static PATTERN_WORDS], uint32_t seed, uint64_t page,
		       uint32_t generation)
{
	uint64_t key = mix(page << 32 ^ page ^ seed) ^ mix((uint64_t)generation << 32 | seed);

	words[0] = MAGIC << 48 | page << 8;
	words[1] = (uint64_t)generation << 32 | seed;
	for (size_t i = 2; i < PATTERN_WORDS; i++)
		words[i] = mix(key + steps[i]);
}

/** pattern_line - content of line @line of a page */
void pattern_line(uint64_t words[static PATTERN_WORDS], uint32_t seed, uint64_t page,
		  uint32_t generation, unsigned int line)
{
	first_line(words, seed, page, generation);
	for (size_t i = 0; i < PATTERN_WORDS; i++)
		words[i] += line * steps[i];
}

/** pattern_fill - write one page of 4096 bytes, aligned to 32 */
void pattern_fill(void *bytes, uint32_t seed, uint64_t page, uint32_t generation)
{
	uint64_t words[PATTERN_WORDS];
	uint64_t *out = bytes;

	first_line(words, seed, page, generation);
	for (size_t line = 0; line < PATTERN_LINES; line++, out += PATTERN_WORDS)
		for (size_t i = 0; i < PATTERN_WORDS; i++) {
			out[i] = words[i];
			words[i] += steps[i];
		}
}

/* The same code twice: the inner loop is compiled for registers of 32 bytes where the processor has them. */
#define DEFINE_SAME(name, attribute)                                                               \
	attribute static bool name(const unsigned char *bytes,                                     \
				   const uint64_t first[static PATTERN_WORDS])                     \
	{                                                                                          \
		const wide *at = (const wide *)bytes;                                              \
		wide low, high, low_step, high_step, differ = {0};                                 \
                                                                                                   \
		memcpy(&low, first, sizeof(low));                                                  \
		memcpy(&high, first + 4, sizeof(high));                                            \
		memcpy(&low_step, steps, sizeof(low_step));                                        \
		memcpy(&high_step, steps + 4, sizeof(high_step));                                  \
		for (size_t line = 0; line < PATTERN_LINES; line++) {                              \
			differ |= (at[2 * line] ^ low) | (at[2 * line + 1] ^ high);                \
			low += low_step;                                                           \
			high += high_step;                                                         \
		}                                                                                  \
		return (differ[0] | differ[1] | differ[2] | differ[3]) == 0;                       \
	}

DEFINE_SAME(same_plain, )
DEFINE_SAME(same_avx2, __attribute__((target("avx2"))))

static bool (*choose_same(void))(const unsigned char *, const uint64_t *)
{
	return __builtin_cpu_supports("avx2") ? same_avx2 : same_plain;
}

static void *map_table(size_t bytes)
{
	void *table = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return table == MAP_FAILED ? NULL : table;
}

/**
 * pattern_open - write the pattern for the first time: every page has generation 1 then
 * @base: aligned to a page; of the caller
 * @size: bytes, whole pages
 * @seed: any number
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int pattern_open(struct pattern *pattern, void *base, size_t size, uint64_t seed)
{
	*pattern = (struct pattern){
		.base = base, .pages = size / PATTERN_PAGE, .seed = pattern_seed(seed)};
	if (!pattern->pages || size % PATTERN_PAGE || (uintptr_t)base % PATTERN_PAGE ||
	    pattern->pages >= PATTERN_PAGES_MAX)
		return -EINVAL;
	pattern->written = map_table(pattern->pages * sizeof(*pattern->written));
	pattern->guard = map_table(pattern->pages * sizeof(*pattern->guard));
	if (!pattern->written || !pattern->guard) {
		pattern_close(pattern);
		return -ENOMEM;
	}
	for (size_t i = 0; i < pattern->pages; i++)
		pattern_write(pattern, i);
	return 0;
}

/** pattern_close - free the tables; the memory belongs to the caller */
void pattern_close(struct pattern *pattern)
{
	if (pattern->written)
		munmap(pattern->written, pattern->pages * sizeof(*pattern->written));
	if (pattern->guard)
		munmap(pattern->guard, pattern->pages * sizeof(*pattern->guard));
	pattern->written = pattern->guard = NULL;
}

/** pattern_write - rewrite a page with its next generation */
void pattern_write(struct pattern *pattern, size_t page)
{
	uint32_t generation = pattern->written[page] + 1;

	pattern_fill(pattern->base + page * PATTERN_PAGE, pattern->seed, page, generation);
	pattern->written[page] = generation;
	pattern->guard[page] = ~generation;
}

/**
 * pattern_verify - read pages at full speed
 * @first: number of the first one
 * @count: how many
 *
 * Return: number of the first page that differs from its content written last, or @first + @count.
 */
size_t pattern_verify(const struct pattern *pattern, size_t first, size_t count)
{
	bool (*same)(const unsigned char *, const uint64_t *) = choose_same();

	for (size_t page = first; page < first + count; page++) {
		uint64_t words[PATTERN_WORDS];

		first_line(words, pattern->seed, page, pattern->written[page]);
		if (!same(pattern->base + page * PATTERN_PAGE, words))
			return page;
	}
	return first + count;
}

static bool is_zero(const uint64_t *words)
{
	uint64_t any = 0;

	for (size_t i = 0; i < PATTERN_WORDS; i++)
		any |= words[i];
	return any == 0;
}

static unsigned int count_wrong_bytes(const uint64_t *found, const uint64_t *expected)
{
	const unsigned char *one = (const unsigned char *)found;
	const unsigned char *other = (const unsigned char *)expected;
	unsigned int wrong = 0;

	for (size_t i = 0; i < PATTERN_LINE; i++)
		wrong += one[i] != other[i];
	return wrong;
}

/* Whether this code has written the line, for any page. */
static bool reads_as_line(const uint64_t *found, struct pattern_mismatch *mismatch)
{
	uint64_t words[PATTERN_WORDS];

	if (found[0] >> 48 != MAGIC || (found[0] & 0xff) >= PATTERN_LINES)
		return false;
	mismatch->found_page = found[0] >> 8 & (PATTERN_PAGES_MAX - 1);
	mismatch->found_generation = (uint32_t)(found[1] >> 32);
	mismatch->found_seed = (uint32_t)found[1];
	pattern_line(words, mismatch->found_seed, mismatch->found_page, mismatch->found_generation,
		     found[0] & 0xff);
	return memcmp(words, found, sizeof(words)) == 0;
}

static enum pattern_fault classify(const uint64_t *found, const uint64_t *expected, uint32_t seed,
				   struct pattern_mismatch *mismatch)
{
	if (is_zero(found))
		return PATTERN_ZERO;
	if (reads_as_line(found, mismatch)) {
		if (mismatch->found_page != mismatch->page || mismatch->found_seed != seed ||
		    (found[0] & 0xff) != (expected[0] & 0xff))
			return PATTERN_FOREIGN;
		return mismatch->found_generation < mismatch->expected_generation ? PATTERN_STALE
										  : PATTERN_NEWER;
	}
	mismatch->found_page = mismatch->found_generation = mismatch->found_seed = 0;
	return count_wrong_bytes(found, expected) <= WRONG_BYTES_MAX ? PATTERN_WRONG_BYTE
								     : PATTERN_GARBAGE;
}

static void note_first(struct pattern_mismatch *mismatch, const uint64_t *found,
		       const uint64_t *expected, unsigned int line)
{
	const unsigned char *one = (const unsigned char *)found;
	const unsigned char *other = (const unsigned char *)expected;
	uint32_t byte = 0;

	while (byte < PATTERN_LINE - 1 && one[byte] == other[byte])
		byte++;
	mismatch->offset = line * PATTERN_LINE + byte;
	mismatch->expected = expected[byte / 8];
	mismatch->found = found[byte / 8];
	for (size_t i = 0; i < PATTERN_WORDS; i++)
		mismatch->bits += (uint32_t)__builtin_popcountll(found[i] ^ expected[i]);
}

/**
 * pattern_examine - classify the mismatch of a page
 * @mismatch: receives it
 *
 * Return: @mismatch->fault; PATTERN_INTACT if there is none, or no longer.
 */
enum pattern_fault pattern_examine(const struct pattern *pattern, size_t page,
				   struct pattern_mismatch *mismatch)
{
	*mismatch = (struct pattern_mismatch){.page = page,
					      .expected_generation = pattern->written[page]};
	if (pattern->guard[page] != ~pattern->written[page]) {
		mismatch->found_generation = ~pattern->guard[page];
		return mismatch->fault = PATTERN_BOOKKEEPING;
	}
	for (unsigned int line = 0; line < PATTERN_LINES; line++) {
		uint64_t found[PATTERN_WORDS], expected[PATTERN_WORDS];

		/* A copy, because the memory may change between two reads. */
		memcpy(found, pattern->base + page * PATTERN_PAGE + line * PATTERN_LINE,
		       sizeof(found));
		pattern_line(expected, pattern->seed, page, pattern->written[page], line);
		if (memcmp(found, expected, sizeof(found)) == 0)
			continue;
		if (mismatch->lines++)
			continue;
		mismatch->fault = classify(found, expected, pattern->seed, mismatch);
		note_first(mismatch, found, expected, line);
	}
	return mismatch->fault;
}
