// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the parser of Xen's migration streams against streams that are made field by field from the specification:
 * whole, in pieces of every size, with a stop behind a page, and broken in every way.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "bats/unit/xen_stream_made.h"

#include <cmocka.h>

#define NORMAL 0x0
#define BROKEN 0xd
#define ABSENT 0xf

struct seen {
	struct xen_stream stream;
	size_t pages, records;
	uint64_t stop_at, type, iteration, data_at;
	size_t emulators, emulator_bytes;
};

static struct made made;

static bool on_page(void *context, uint64_t pfn, unsigned int type)
{
	struct seen *seen = context;

	seen->pages++;
	if (pfn != seen->stop_at)
		return false;
	seen->type = type;
	seen->iteration = seen->stream.iteration;
	seen->data_at = xen_stream_page_at(&seen->stream);
	return true;
}

static void on_record(void *context, enum xen_layer layer, uint32_t type, uint32_t length)
{
	struct seen *seen = context;

	(void)layer;
	(void)type;
	(void)length;
	seen->records++;
}

static void on_emulator(void *context, uint32_t type, uint32_t length)
{
	struct seen *seen = context;

	assert_string_equal(xen_record_name(XEN_LAYER_LIBXL, type),
			    seen->emulators ? "EMULATOR_CONTEXT" : "EMULATOR_XENSTORE_DATA");
	seen->emulators++;
	seen->emulator_bytes += length;
}

static void begin(struct seen *seen, uint64_t stop_at)
{
	*seen = (struct seen){.stop_at = stop_at};
	xen_stream_begin(&seen->stream, &(struct xen_stream_reader){.record = on_record,
								    .emulator = on_emulator,
								    .page = on_page,
								    .context = seen});
}

static int feed_all(struct seen *seen, size_t step, struct reason *why)
{
	int error = 0;

	for (size_t at = 0; !error && at < made.length;) {
		size_t length = made.length - at < step ? made.length - at : step, taken;

		error = xen_stream_feed(&seen->stream, made.bytes + at, length, &taken, why);
		at += taken;
	}
	return error;
}

static void make_whole(void)
{
	static const uint64_t first[] = {ENTRY(NORMAL, 0), ENTRY(NORMAL, 1), ENTRY(BROKEN, 2),
					 ENTRY(ABSENT, 0xfffff)};
	static const uint64_t second[] = {ENTRY(NORMAL, 1), ENTRY(ABSENT, 7)};

	put_head(&made);
	put_pages(&made, first, 4);
	put_pages(&made, second, 2);
	put_tail(&made);
}

static void test_whole(void **state)
{
	static const size_t steps[] = {1, 3, 7, 8, 4096, sizeof(made.bytes)};
	struct reason why;
	struct seen seen;

	(void)state;
	make_whole();
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		begin(&seen, UINT64_MAX);
		assert_int_equal(feed_all(&seen, steps[i], &why), 0);
		assert_int_equal(xen_stream_end(&seen.stream, &why), 0);
		assert_int_equal(seen.pages, 6);
		assert_int_equal(seen.records, 10);
		assert_int_equal(seen.stream.iteration, 2);
		assert_int_equal(seen.stream.version, 3);
		assert_int_equal(seen.stream.offset, made.length);
	}
}

/* Whether the entries come one by one or together. */
static void test_place_of_data(void **state)
{
	static const uint64_t entries[] = {ENTRY(NORMAL, 4), ENTRY(BROKEN, 5), ENTRY(NORMAL, 6),
					   ENTRY(ABSENT, 7)};
	static const size_t steps[] = {5, sizeof(made.bytes)};
	struct reason why;
	struct seen seen;
	size_t record;

	(void)state;
	put_head(&made);
	record = made.length;
	put_pages(&made, entries, ARRAY_SIZE(entries));
	put_tail(&made);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		begin(&seen, 6);
		assert_int_equal(feed_all(&seen, steps[i], &why), 0);
		assert_int_equal(seen.data_at,
				 record + 16 + 8 * ARRAY_SIZE(entries) + XEN_PAGE_BYTES);
	}
}

static void test_checkpoints(void **state)
{
	static const uint64_t entries[] = {ENTRY(NORMAL, 4)};
	struct reason why;
	struct seen seen;

	(void)state;
	put_head(&made);
	put_pages(&made, entries, 1);
	put_record(&made, 14, 0);
	put_record(&made, 4, 0);
	put_pages(&made, entries, 1);
	put_tail(&made);
	begin(&seen, UINT64_MAX);
	assert_int_equal(feed_all(&seen, 5, &why), 0);
	assert_int_equal(xen_stream_end(&seen.stream, &why), 0);
	assert_int_equal(seen.stream.iteration, 2);
}

/* The state of a device model is passed over by its length, whatever it holds and however it is cut. */
static void test_emulator(void **state)
{
	static const uint64_t entries[] = {ENTRY(NORMAL, 4)};
	static const size_t steps[] = {1, 3, 8, 4096, sizeof(made.bytes)};
	struct reason why;
	struct seen seen;

	(void)state;
	put_head(&made);
	put_pages(&made, entries, 1);
	put_tail_with_devices(&made);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		begin(&seen, UINT64_MAX);
		assert_int_equal(feed_all(&seen, steps[i], &why), 0);
		assert_int_equal(xen_stream_end(&seen.stream, &why), 0);
		assert_int_equal(seen.emulators, 2);
		assert_int_equal(seen.emulator_bytes, 21 + 1003);
		assert_int_equal(seen.stream.offset, made.length);
	}
}

/* It stops behind the record that has the page, not behind the page, and goes on from there. */
static void test_stop(void **state)
{
	struct reason why;
	struct seen seen;
	size_t taken, rest;

	(void)state;
	make_whole();
	begin(&seen, 2);
	assert_int_equal(xen_stream_feed(&seen.stream, made.bytes, made.length, &taken, &why), 0);
	assert_true(xen_stream_stopped(&seen.stream));
	assert_int_equal(seen.pages, 4);
	assert_int_equal(seen.type, BROKEN);
	assert_int_equal(seen.iteration, 1);
	assert_true(taken < made.length);
	assert_int_equal(xen_stream_feed(&seen.stream, made.bytes + taken, made.length - taken,
					 &rest, &why),
			 0);
	assert_false(xen_stream_stopped(&seen.stream));
	assert_int_equal(taken + rest, made.length);
	assert_int_equal(xen_stream_end(&seen.stream, &why), 0);
}

/* Bodies that pass unread, as far as they may, leave what follows as it is; it still stops behind the record of the page. */
static void test_unread_bodies(void **state)
{
	uint64_t stop_at[] = {UINT64_MAX, 2}, passed = 0;
	struct reason why;
	struct seen seen;

	(void)state;
	make_whole();
	for (size_t i = 0; i < ARRAY_SIZE(stop_at); i++) {
		bool stopped = false;

		begin(&seen, stop_at[i]);
		for (size_t at = 0, taken; at < made.length; at += taken) {
			taken = xen_stream_ahead(&seen.stream);
			if (taken) {
				xen_stream_pass(&seen.stream, taken);
				passed += taken;
				continue;
			}
			assert_int_equal(
				xen_stream_feed(&seen.stream, made.bytes + at, 1, &taken, &why), 0);
			stopped |= xen_stream_stopped(&seen.stream);
		}
		assert_int_equal(xen_stream_end(&seen.stream, &why), 0);
		assert_int_equal(seen.pages, 6);
		assert_int_equal(seen.stream.iteration, 2);
		assert_int_equal(seen.stream.offset, made.length);
		assert_int_equal(stopped, i);
	}
	assert_true(passed > 6 * (XEN_PAGE_BYTES - 1));
}

static void test_next_iteration(void **state)
{
	static const uint64_t early[] = {ENTRY(NORMAL, 1)}, late[] = {ENTRY(NORMAL, 9)};
	struct reason why;
	struct seen seen;
	size_t taken;

	(void)state;
	put_head(&made);
	put_pages(&made, early, 1);
	begin(&seen, UINT64_MAX);
	assert_int_equal(feed_all(&seen, 64, &why), 0);
	xen_stream_next_iteration(&seen.stream);
	made.length = 0;
	put_pages(&made, late, 1);
	assert_int_equal(xen_stream_feed(&seen.stream, made.bytes, made.length, &taken, &why), 0);
	assert_int_equal(seen.stream.iteration, 2);
}

static void test_truncated(void **state)
{
	struct reason why;
	struct seen seen;
	size_t whole;

	(void)state;
	make_whole();
	whole = made.length;
	for (made.length = 0; made.length < whole; made.length += 4) {
		begin(&seen, UINT64_MAX);
		assert_int_equal(feed_all(&seen, 512, &why), 0);
		assert_int_equal(xen_stream_end(&seen.stream, &why), -EPIPE);
	}
	assert_non_null(strstr(why.text, "ends at byte"));
}

static void expect_refused(int error, const char *text)
{
	struct reason why = {0};
	struct seen seen;

	begin(&seen, UINT64_MAX);
	assert_int_equal(feed_all(&seen, 4096, &why), error);
	if (!strstr(why.text, text))
		fail_msg("'%s' does not say '%s'", why.text, text);
}

static void test_wrong_heads(void **state)
{
	(void)state;
	made.length = 0;
	put_libxl(&made, UINT64_C(0x4c6962786c466d75), 2);
	expect_refused(-EPROTO, "no libxl stream, it begins with 0x4c6962786c466d75");
	made.length = 0;
	put_libxl(&made, UINT64_C(0x4c6962786c466d74), 1);
	expect_refused(-EPROTONOSUPPORT, "version other than 2: 0x1");
	made.length = 0;
	put_libxl(&made, UINT64_C(0x4c6962786c466d74), 2);
	put_image(&made, 4);
	expect_refused(-EPROTONOSUPPORT, "byte 24: a libxc stream of a version");
	put_head(&made);
	made.bytes[24] = 0;
	expect_refused(-EPROTO, "no libxc stream");
	put_head(&made);
	made.bytes[32]++;
	expect_refused(-EPROTO, "with the id");
	put_head(&made);
	made.bytes[41] = 1;
	expect_refused(-EPROTONOSUPPORT, "big-endian");
	put_head(&made);
	made.bytes[48] = 3;
	expect_refused(-EPROTO, "unknown type 0x3");
	put_head(&made);
	made.bytes[52] = 13;
	expect_refused(-EPROTO, "shift 0xd");
}

static void test_wrong_records(void **state)
{
	static const uint64_t reserved[] = {ENTRY(6, 1)};

	(void)state;
	put_head(&made);
	put_record(&made, 0x13, 8);
	expect_refused(-EPROTONOSUPPORT, "unknown type: 0x13");
	put_head(&made);
	put_record(&made, 0, 8);
	expect_refused(-EPROTO, "must be empty");
	put_head(&made);
	put32(&made, 9);
	put32(&made, (128u << 20) + 1);
	expect_refused(-EPROTO, "too long");
	put_head(&made);
	put_pages(&made, reserved, 1);
	expect_refused(-EPROTONOSUPPORT, "reserved type");
	put_head(&made);
	put_record(&made, 1, 8);
	expect_refused(-EPROTO, "does not fit its length: 0x0");
	put_head(&made);
	put_record(&made, 1, 4);
	expect_refused(-EPROTO, "PAGE_DATA record of length 0x4");
	make_whole();
	put_zeros(&made, 1);
	expect_refused(-EPROTO, "after the end");
}

static void test_wrong_emulators(void **state)
{
	(void)state;
	put_head(&made);
	put_record(&made, 0, 0);
	put_emulator(&made, 3, 3, 64);
	expect_refused(-EPROTONOSUPPORT, "an unknown emulator: 0x3");
	put_head(&made);
	put_record(&made, 0, 0);
	put_emulator(&made, 3, 2, 7);
	expect_refused(-EPROTO, "an emulator of length 0x7");
}

/* A page whose data is missing, and one that has data although its type says that there is none. */
static void test_wrong_pages(void **state)
{
	(void)state;
	put_head(&made);
	put32(&made, 1);
	put32(&made, 16);
	put32(&made, 1);
	put32(&made, 0);
	put64(&made, ENTRY(NORMAL, 5));
	expect_refused(-EPROTO, "do not fit its length, which leaves 0x0");
	put_head(&made);
	put32(&made, 1);
	put32(&made, 16 + XEN_PAGE_BYTES);
	put32(&made, 1);
	put32(&made, 0);
	put64(&made, ENTRY(BROKEN, 5));
	expect_refused(-EPROTO, "which leaves 0x1000");
	put_head(&made);
	put32(&made, 1);
	put32(&made, 8 + 1025 * 8);
	put32(&made, 1025);
	put32(&made, 0);
	expect_refused(-EPROTO, "count does not fit");
}

static void test_optional_record(void **state)
{
	struct reason why;
	struct seen seen;

	(void)state;
	put_head(&made);
	put_record(&made, 0x80000013, 13);
	put_tail(&made);
	begin(&seen, UINT64_MAX);
	assert_int_equal(feed_all(&seen, 9, &why), 0);
	assert_int_equal(xen_stream_end(&seen.stream, &why), 0);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(xen_page_type_name(BROKEN), "broken");
	assert_string_equal(xen_page_type_name(ABSENT), "absent");
	assert_null(xen_page_type_name(8));
	assert_null(xen_page_type_name(16));
	assert_string_equal(xen_record_name(XEN_LAYER_LIBXC, 18), "X86_MSR_POLICY");
	assert_null(xen_record_name(XEN_LAYER_LIBXC, 19));
	assert_string_equal(xen_record_name(XEN_LAYER_LIBXL, 4), "CHECKPOINT_END");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_place_of_data),
		cmocka_unit_test(test_checkpoints),
		cmocka_unit_test(test_emulator),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_unread_bodies),
		cmocka_unit_test(test_next_iteration),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_wrong_heads),
		cmocka_unit_test(test_wrong_records),
		cmocka_unit_test(test_wrong_emulators),
		cmocka_unit_test(test_wrong_pages),
		cmocka_unit_test(test_optional_record),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
