// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the witnesses of Xen and its look-up of a frame, with fake libraries of Xen: its log as a ring that is read in
 * pieces and may be overwritten, a page that changes its type, tables that lead back to another page, and frames out of use.
 *
 * rooms: harness/witness inject
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

/* Compiled here, against the fake headers: this machine may have none of Xen's. */
#include <inject/xen/console_ring.c>
#include <inject/xen/frame.c>
#include <inject/xen/offline.c>
#include <inject/xen/page_type.c>

#include <cmocka.h>

#define FRAMES 0x200

/*
 * @log:     all that Xen has logged; @first: of these bytes, those before were overwritten
 * @page:    type of the page; @refused: it can not be mapped; @dies: its domain is being destroyed
 * @says:    what Xen logs of an address
 * @status:  of frame 0x123, as Xen keeps it; @marked: what the call that takes it out of use says
 */
static struct {
	char log[16384];
	uint32_t first;
	unsigned int piece;
	enum xen_page page;
	bool refused, dies;
	const char *says;
	uint64_t back;
	uint32_t status, marked;
	json_t *events;
} xen;

xc_interface *xen_open(struct reason *why)
{
	return (xc_interface *)&xen;
}

void xen_probe(json_t *findings, const char *name)
{
}

int xc_interface_close(xc_interface *xch)
{
	return 0;
}

int xc_readconsolering(xc_interface *xch, char *buffer, unsigned int *count, int clear,
		       int incremental, uint32_t *index)
{
	uint32_t from = *index < xen.first ? xen.first : *index;
	unsigned int left = (unsigned int)strlen(xen.log) - from;

	assert_int_equal(clear, 0);
	if (left > *count)
		left = *count;
	if (left > xen.piece)
		left = xen.piece;
	memcpy(buffer, xen.log + from, left);
	*count = left;
	*index = from + left;
	return 0;
}

bool xen_is_alive(xc_interface *xch, uint32_t domain)
{
	assert_int_equal(domain, 7);
	return !xen.dies;
}

int xen_page_type(xc_interface *xch, uint32_t domain, uint64_t pfn, enum xen_page *page,
		  struct reason *why)
{
	assert_int_equal(domain, 7);
	assert_int_equal(pfn, 0x1001);
	*page = xen.page;
	return 0;
}

xenforeignmemory_handle *xenforeignmemory_open(void *logger, unsigned int flags)
{
	return (xenforeignmemory_handle *)&xen;
}

int xenforeignmemory_close(xenforeignmemory_handle *handle)
{
	return 0;
}

void *xenforeignmemory_map(xenforeignmemory_handle *handle, uint32_t domain, int protection,
			   size_t pages, const xen_pfn_t *pfns, int *errors)
{
	*errors = xen.refused ? -EINVAL : 0;
	return &xen;
}

int xenforeignmemory_unmap(xenforeignmemory_handle *handle, void *address, size_t pages)
{
	return 0;
}

int xen_write_address(void *handle, unsigned int processor, uint32_t number, uint32_t domain,
		      uint64_t gpa, struct reason *why)
{
	assert_int_equal(gpa, 0x1001000);
	strcat(xen.log, xen.says);
	return 0;
}

int xc_maximum_ram_page(xc_interface *xch, unsigned long *most)
{
	*most = FRAMES;
	return 0;
}

xen_pfn_t *xc_map_m2p(xc_interface *xch, unsigned long most, int protection, unsigned long *first)
{
	xen_pfn_t *table =
		mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* No domain has the frames 0 to 0xf, and 0x180 to 0x1df. */
	for (unsigned long i = 0; i < most; i++)
		table[i] = i < 0x10 || (i >= 0x180 && i < 0x1e0) ? (xen_pfn_t)-1 : i;
	table[0x123] = xen.back;
	return table;
}

int xc_query_page_offline_status(xc_interface *xch, unsigned long from, unsigned long last,
				 uint32_t *status)
{
	assert_int_equal(from, 0x123);
	assert_int_equal(last, 0x123);
	*status = xen.status;
	return 0;
}

int xc_mark_page_offline(xc_interface *xch, unsigned long from, unsigned long last,
			 uint32_t *status)
{
	assert_int_equal(from, 0x123);
	assert_int_equal(last, 0x123);
	*status = xen.marked;
	if (!(xen.marked & PG_OFFLINE_FAILED))
		xen.status = PG_OFFLINE_STATUS_OFFLINE_PENDING;
	return 0;
}

static void take_event(void *context, const char *witness, int64_t time_ns, const char *text,
		       json_t *data)
{
	json_array_append_new(xen.events, json_pack("{s:s, s:o}", "text", text, "data", data));
}

static const char *text_at(size_t index)
{
	return json_text(json_array_get(xen.events, index), "text", "");
}

static bool flag_at(size_t index, const char *name)
{
	return json_is_true(
		json_object_get(json_object_get(json_array_get(xen.events, index), "data"), name));
}

static int set_up(void **state)
{
	memset(&xen, 0, sizeof(xen));
	xen.piece = UINT32_MAX;
	xen.events = json_array();
	return 0;
}

static int tear_down(void **state)
{
	json_decref(xen.events);
	return 0;
}

static void the_log_is_cut_into_lines(void **state)
{
	struct witness_run run = {.emit = take_event};

	strcpy(xen.log, "(XEN) older: Fatal machine check\n");
	assert_int_equal(console_ring.start(&run, NULL), 0);
	xen.piece = 7;
	strcat(xen.log, "(XEN) MCE: inject vMCE to d1v0\n(XEN) hello \xff\n(XEN) not yet");
	console_ring.collect(&run);
	assert_int_equal(json_array_size(xen.events), 2);
	assert_string_equal(text_at(0), "(XEN) MCE: inject vMCE to d1v0");
	assert_true(flag_at(0, "error"));
	assert_string_equal(text_at(1), "(XEN) hello ?");
	assert_false(flag_at(1, "error"));
	strcat(xen.log, " done\n");
	console_ring.collect(&run);
	assert_string_equal(text_at(2), "(XEN) not yet done");
	console_ring.stop(&run);
}

static void lost_lines_are_reported(void **state)
{
	struct witness_run run = {.emit = take_event};

	strcpy(xen.log, "old\n");
	assert_int_equal(console_ring.start(&run, NULL), 0);
	strcat(xen.log, "overwritten\nnew\n");
	xen.first = (uint32_t)strlen("old\noverwritten\n");
	console_ring.collect(&run);
	assert_int_equal(json_array_size(xen.events), 2);
	assert_int_equal(json_number(json_object_get(json_array_get(xen.events, 0), "data"), "lost",
				     0),
			 (int)strlen("overwritten\n"));
	assert_string_equal(text_at(1), "new");
	console_ring.stop(&run);
}

static void a_lost_page_is_reported_once(void **state)
{
	struct witness_run types = {.emit = take_event}, mappings = {.emit = take_event};

	assert_int_equal(page_type.start(&types, NULL), 0);
	assert_int_equal(page_mapping.start(&mappings, NULL), 0);
	/* No injection has begun. */
	page_type.collect(&types);
	page_type_watch(7, 0x1001);
	page_type.collect(&types);
	page_mapping.collect(&mappings);
	assert_int_equal(json_array_size(xen.events), 0);
	xen.page = XEN_PAGE_HOLE;
	xen.refused = xen.dies = true;
	page_type.collect(&types);
	page_mapping.collect(&mappings);
	assert_int_equal(json_array_size(xen.events), 0);
	xen.dies = false;
	for (int i = 0; i < 2; i++) {
		page_type.collect(&types);
		page_mapping.collect(&mappings);
	}
	assert_int_equal(json_array_size(xen.events), 2);
	assert_string_equal(text_at(0), "page 0x1001 of domain 7 was memory and is a hole");
	assert_string_equal(text_at(1), "the page of the guest can not be mapped any more");
	assert_true(flag_at(0, "page-lost") && flag_at(1, "page-lost"));
	xen.page = XEN_PAGE_USED;
	page_type.collect(&types);
	assert_false(flag_at(2, "page-lost"));
	page_type.stop(&types);
	page_mapping.stop(&mappings);
}

static int find_frame(uint64_t *frame, struct reason *why)
{
	return xen_frame(&xen, 0, 0x41e, 7, 0x1001, frame, why);
}

static void a_frame_is_found_in_both_directions(void **state)
{
	struct reason why;
	uint64_t frame;

	strcpy(xen.log,
	       "(XEN) HV MSR INJECT (interpose) target 0 actual 0 MSR 0x41e <-- 0x999000\n");
	xen.says = "(XEN) HV MSR INJECT (interpose) target 0 actual 0 MSR 0x41e <-- 0x123000\n";
	xen.back = 0x1001;
	assert_int_equal(find_frame(&frame, &why), 0);
	assert_int_equal(frame, 0x123);
	xen.back = 0x1002;
	assert_int_equal(find_frame(&frame, &why), -EFAULT);
	assert_non_null(strstr(why.text, "that frame as page 0x1002"));
	xen.says = "(XEN) HV MSR INJECT (interpose) target 0 actual 0 MSR 0x41e <-- 0x200000\n";
	assert_int_equal(find_frame(&frame, &why), -EFAULT);
	xen.says = "(XEN) HV MSR INJECT (interpose) target 0 actual 0 MSR 0x422 <-- 0x123000\n";
	assert_int_equal(find_frame(&frame, &why), -ENODATA);
}

static void a_free_frame_is_in_the_longest_row(void **state)
{
	struct reason why;
	uint64_t frame;

	assert_int_equal(xen_free_frame(&xen, &frame, &why), 0);
	assert_in_range(frame, 0x1a0, 0x1c0);
}

static void a_frame_that_xen_needs_stays(void **state)
{
	struct reason why;
	unsigned int now;

	xen.marked = PG_OFFLINE_FAILED;
	assert_int_equal(xen_offline(&xen, 0x123, &now, &why), -EBUSY);
	assert_non_null(strstr(why.text, "frame 0x123"));
	xen.marked = 0;
	assert_int_equal(xen_offline(&xen, 0x123, &now, &why), 0);
	assert_int_equal(now, XEN_FRAME_PENDING);
}

static void a_frame_is_followed_out_of_use(void **state)
{
	struct witness_run run = {.emit = take_event};

	assert_int_equal(frame_state.start(&run, NULL), 0);
	frame_state.collect(&run);
	frame_state_watch(0x123, 0);
	frame_state.collect(&run);
	assert_int_equal(json_array_size(xen.events), 0);
	xen.status = PG_OFFLINE_STATUS_OFFLINE_PENDING;
	frame_state.collect(&run);
	frame_state.collect(&run);
	xen.status = PG_OFFLINE_STATUS_OFFLINED | PG_OFFLINE_STATUS_BROKEN;
	frame_state.collect(&run);
	xen.status = 0;
	frame_state.collect(&run);
	assert_int_equal(json_array_size(xen.events), 3);
	assert_string_equal(text_at(0),
			    "frame 0x123 was in use or free and is out of use when it is free");
	assert_string_equal(text_at(1),
			    "frame 0x123 was in use or free and is out of use, and broken");
	assert_string_equal(text_at(2), "frame 0x123 was in use or free and is in use or free");
	frame_state.stop(&run);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_log_is_cut_into_lines),	  TEST(lost_lines_are_reported),
		TEST(a_lost_page_is_reported_once),	  TEST(a_frame_is_found_in_both_directions),
		TEST(a_free_frame_is_in_the_longest_row), TEST(a_frame_that_xen_needs_stays),
		TEST(a_frame_is_followed_out_of_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
