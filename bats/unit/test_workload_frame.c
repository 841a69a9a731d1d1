// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: frames of the kernel and free ones, found in fake files of /proc, and on this machine where it lets root see
 * its frames. Nothing here poisons anything.
 */
#include <dlfcn.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "bats/unit/workload_test.h"
#include "harness/host/frames.h"
#include "bats/unit/fake_root.h"

#define FRAMES 16384
/* Of a machine with more, only kinds are looked for that do not take a look at all of them. */
#define FRAMES_MOST (1u << 20)
#define TRIES 5
/* Objects that are made before the fake machine has new slabs. */
#define OBJECTS_UNTIL_SLABS 500

/* Frames of a fake machine, from @first on, have one flag. */
static void put_flags(unsigned int flag, size_t first, size_t count, size_t more)
{
	uint64_t *flags = calloc(FRAMES, sizeof(*flags));

	for (size_t i = first; i < first + count; i++)
		flags[i] = 1ull << flag;
	flags[more] = 1ull << flag;
	put_bytes("/proc/kpageflags", flags, FRAMES * sizeof(*flags));
	free(flags);
}

static void expect_refusal(json_t *given, int error, const char *text)
{
	struct activity run;
	int got = start(&run, "frame", given);

	if (got != error || !strstr(why.text, text))
		fail_msg("%d: %s", got, why.text);
	finish(&run);
}

static json_t *which(const char *name)
{
	return json_pack("{s:s}", "which", name);
}

static void sets_contain_their_frames(void **state)
{
	struct frame_set before, after;
	uint64_t number;

	(void)state;
	put_flags(FRAME_SLAB, 100, 3, 7);
	assert_int_equal(frame_set_take(&before, FRAME_SLAB, (struct frame_set){0}, &why), 0);
	assert_int_equal(before.count, FRAMES);
	assert_true(frame_set_has(&before, 7) && frame_set_has(&before, 102));
	assert_false(frame_set_has(&before, 103) || frame_set_has(&before, FRAMES));
	put_flags(FRAME_SLAB, 100, 8, 7);
	assert_int_equal(frame_set_take(&after, FRAME_SLAB, (struct frame_set){0}, &why), 0);
	assert_int_equal(frame_set_new(&before, &after, &number), 105);
	assert_int_equal(number, 5);
	assert_int_equal(frame_set_new(&after, &before, &number), 0);
	assert_int_equal(number, 0);
	frame_set_release(&before);
	frame_set_release(&after);
	/* A part: nothing is known of the rest. */
	assert_int_equal(frame_set_take(&after, FRAME_SLAB,
					(struct frame_set){.first = 102, .count = 4}, &why),
			 0);
	assert_int_equal(after.count, 4);
	assert_true(frame_set_has(&after, 102) && frame_set_has(&after, 105));
	assert_false(frame_set_has(&after, 101) || frame_set_has(&after, 106));
	frame_set_release(&after);
}

/* In the longest row of free frames, away from the ends of the blocks that it is split into. */
static void a_free_frame_is_far_from_the_next_to_go(void **state)
{
	struct activity run;

	(void)state;
	put_flags(FRAME_BUDDY, 4096, 3072, 3);
	assert_int_equal(
		start(&run, "frame", json_pack("{s:s, s:s}", "which", "free", "limit", "8M")), 0);
	assert_int_equal(fact(&run, "pfn"), 4096 + 1024 + 512);
	assert_int_equal(fact(&run, "physical"), (4096 + 1024 + 512) * 4096);
	assert_int_equal(json_number(run.facts, "frames", 0), 3072);
	assert_null(json_object_get(run.facts, "address"));
	assert_int_equal(run.workload->touch(&run, &why), 0);
	assert_false(json_is_true(json_object_get(await(&run, "checked"), "poisoned")));
	assert_non_null(strstr(json_text(find_event("touched"), "text", ""),
			       "not handed out, although 8 MiB"));
	finish(&run);
	/* Of rows of one length the last. */
	put_flags(FRAME_BUDDY, 200, 1, 3);
	assert_int_equal(start(&run, "frame", which("free")), 0);
	assert_int_equal(fact(&run, "pfn"), 200);
	finish(&run);
	put_flags(FRAME_BUDDY, 200, 3, 3);
	assert_int_equal(start(&run, "frame", which("free")), 0);
	assert_int_equal(fact(&run, "pfn"), 201);
	finish(&run);
}

static void the_balloon_holds_its_frames(void **state)
{
	struct activity run;

	(void)state;
	put_flags(FRAME_OFFLINE, 300, 5, 3);
	assert_int_equal(start(&run, "frame", which("balloon")), 0);
	assert_int_equal(fact(&run, "pfn"), 302);
	assert_int_equal(run.workload->touch(&run, &why), 0);
	(void)await(&run, "checked");
	assert_non_null(strstr(json_text(find_event("touched"), "text", ""), "still holds"));
	finish(&run);
	put_flags(FRAME_BUDDY, 300, 5, 3);
	expect_refusal(which("balloon"), -ENOTSUP, "virtio_balloon");
}

static void put_kernel(const char *iomem, const char *kallsyms)
{
	put("/proc/iomem", iomem);
	put("/proc/kallsyms", kallsyms);
}

static bool slabs_come;

/* In place of the C library's: the fake machine has more slabs with each object. */
int eventfd(unsigned int count, int flags)
{
	static int (*real)(unsigned int, int);
	static size_t made;

	if (!real)
		real = (int (*)(unsigned int, int))dlsym(RTLD_NEXT, "eventfd");
	if (slabs_come && ++made == OBJECTS_UNTIL_SLABS)
		put_flags(FRAME_SLAB, 300, 7, 12);
	return real(count, flags);
}

static void a_slab_is_one_that_its_objects_made(void **state)
{
	struct activity run;

	(void)state;
	put_flags(FRAME_SLAB, 300, 2, 12);
	slabs_come = true;
	assert_int_equal(start(&run, "frame", which("slab")), 0);
	slabs_come = false;
	assert_int_equal(fact(&run, "pfn"), 304);
	assert_int_equal(json_number(run.facts, "frames", 0), 5);
	assert_int_equal(run.workload->touch(&run, &why), 0);
	(void)await(&run, "checked");
	assert_string_equal(json_text(find_event("touched"), "data", ""), "intact");
	finish(&run);
}

static void kernel_text_is_that_of_a_system_call(void **state)
{
	static const char iomem[] = "00001000-0009fbff : System RAM\n"
				    "00100000-bffdafff : System RAM\n"
				    "  01000000-023fffff : Kernel code\n"
				    "  02400000-02ff7fff : Kernel rodata\n";
	static const char kallsyms[] = "ffffffff9a000000 T _text\n"
				       "ffffffff9a0abcd0 T __x64_sys_ioprio_get\n"
				       "ffffffff9a0abcf0 t __pfx___x64_sys_kcmp\n"
				       "ffffffffc0000000 t __x64_sys_kcmp\t[other]\n";
	struct activity run;

	(void)state;
	put_kernel(iomem, kallsyms);
	expect_refusal(which("kernel-text"), -ENOTSUP, "is not in the kernel's code");
	assert_int_equal(
		start(&run, "frame",
		      json_pack("{s:s, s:s}", "which", "kernel-text", "call", "ioprio_get")),
		0);
	assert_int_equal(fact(&run, "pfn"), 0x10ab);
	assert_int_equal(fact(&run, "kernel_address"), 0xffffffff9a0abcd0);
	assert_string_equal(json_text(run.facts, "call", ""), "ioprio_get");
	assert_int_equal(run.workload->touch(&run, &why), 0);
	(void)await(&run, "checked");
	assert_true(json_is_true(json_object_get(find_event("touched"), "value_ok")));
	finish(&run);
	expect_refusal(json_pack("{s:s, s:s}", "which", "kernel-text", "call", "personality"),
		       -ENOTSUP, "no function __x64_sys_personality");
	/* Without one of them the next is taken. */
	put_kernel(iomem, "ffffffff9a000000 T _text\nffffffff9a0fffff T __x64_sys_personality\n");
	assert_int_equal(start(&run, "frame", which("kernel-text")), 0);
	assert_string_equal(json_text(run.facts, "call", ""), "personality");
	assert_int_equal(fact(&run, "pfn"), 0x10ff);
	finish(&run);
	put_kernel("00000000-00000000 : System RAM\n  00000000-00000000 : Kernel code\n", kallsyms);
	expect_refusal(which("kernel-text"), -ENOTSUP, "CAP_SYS_ADMIN");
	put_kernel(iomem, "0000000000000000 T _text\n0000000000000000 T __x64_sys_kcmp\n");
	expect_refusal(which("kernel-text"), -ENOTSUP, "kptr_restrict");
}

static void what_the_kernel_hides_is_refused(void **state)
{
	static const char *const kinds[] = {"free", "page-table",  "balloon",
					    "slab", "kernel-text", "page-cache"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		expect_refusal(which(kinds[i]), -ENOTSUP, "root");
	put_flags(FRAME_BUDDY, 4, 4, 4);
	expect_refusal(which("page-table"), -ENOTSUP, "KPF_PGTABLE");
	expect_refusal(which("slab"), -ENOTSUP, "no new slab");
	put("/proc/kpageflags", "short");
	expect_refusal(which("free"), -ENODATA, "kpageflags");
	expect_refusal(json_object(), -EINVAL, "which");
	expect_refusal(which("fresh"), -EINVAL, "fresh");
}

/* Whether the frame is what it was found as: on a busy machine others may have taken it, or given it up, since. */
static bool is_still(const struct activity *run, int flag)
{
	struct frame_set frame = {.first = fact(run, "pfn"), .count = 1};
	struct frame_set set;
	bool still;

	if (!flag)
		return true;
	assert_int_equal(frame_set_take(&set, (unsigned int)flag, frame, &why), 0);
	still = frame_set_has(&set, frame.first);
	frame_set_release(&set);
	return still;
}

/* Return: -EAGAIN when other processes use too much memory. */
static int start_real(struct activity *run, const char *kind, int flag)
{
	for (int i = 0; i < TRIES; i++) {
		int error = start(run, "frame",
				  json_pack("{s:s, s:s*}", "which", kind, "limit",
					    strcmp(kind, "free") == 0 ? "16M" : NULL));

		if (error && error != -EAGAIN)
			fail_msg("%s: %s", kind, why.text);
		if (!error && is_still(run, flag))
			return 0;
		finish(run);
		if (error)
			return error;
	}
	fail_msg("%s: %d times a frame of another kind", kind, TRIES);
	return -ENODATA;
}

/* What is made for it lies in a frame of its kind, and all is well when it is used. */
static void expect_real(const char *kind, int flag, bool reads)
{
	struct activity run;

	if (start_real(&run, kind, flag)) {
		print_message("%s: %s\n", kind, why.text);
		return;
	}
	assert_int_equal(fact(&run, "page_size"), 4096);
	assert_int_equal(fact(&run, "physical"), fact(&run, "pfn") * 4096);
	assert_string_equal(json_text(run.facts, "which", ""), kind);
	for (int i = 0; i < 2; i++) {
		json_array_clear(events);
		assert_int_equal(run.workload->touch(&run, &why), 0);
		(void)await(&run, "checked");
		assert_true(json_is_true(json_object_get(find_event("touched"), "value_ok")));
		assert_string_equal(json_text(find_event("touched"), "data", "none"),
				    reads ? "intact" : "none");
		assert_null(find_event("error"));
	}
	finish(&run);
}

static bool has_frame(uint64_t number)
{
	struct frame_set set, range = {.first = number, .count = 1};
	bool has = frame_set_take(&set, FRAME_SLAB, range, &why) == 0;

	if (has)
		frame_set_release(&set);
	return has;
}

static void frames_of_this_machine(void **state)
{
	(void)state;
	system_root_set("");
	if (!frame_of(&why) || !has_frame(1)) {
		print_message("skipped: this machine does not show the frames of a process: that "
			      "takes root\n");
		skip();
	}
	if (!has_frame(FRAMES_MOST)) {
		expect_real("free", FRAME_BUDDY, false);
		expect_real("slab", FRAME_SLAB, true);
	}
	expect_real("kernel-text", 0, false);
	expect_real("page-table", FRAME_PGTABLE, true);
	expect_real("page-cache", 0, true);
}

static void its_end_is_reported(void **state)
{
	struct activity run;

	(void)state;
	put_flags(FRAME_OFFLINE, 300, 5, 3);
	assert_int_equal(start(&run, "frame", which("balloon")), 0);
	kill(run.pid, SIGBUS);
	assert_string_equal(json_text(await(&run, "signal"), "signal_name", ""), "SIGBUS");
	assert_int_equal(json_number(await(&run, "exit"), "status", 0), 128 + SIGBUS);
	assert_int_equal(run.workload->touch(&run, &why), 0);
	(void)await(&run, "gone");
	finish(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROOT(sets_contain_their_frames),
		WITH_ROOT(a_free_frame_is_far_from_the_next_to_go),
		WITH_ROOT(the_balloon_holds_its_frames),
		WITH_ROOT(a_slab_is_one_that_its_objects_made),
		WITH_ROOT(kernel_text_is_that_of_a_system_call),
		WITH_ROOT(what_the_kernel_hides_is_refused),
		WITH_ROOT(frames_of_this_machine),
		WITH_ROOT(its_end_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
