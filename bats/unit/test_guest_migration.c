// SPDX-License-Identifier: GPL-2.0-only
/*
 * Migrations and what hosts prepare for them, without libvirt: stages out of statistics and events that are late or
 * missing, whose a domain is on a host that it was moved to, and pools of huge pages.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "harness/hypervisor/domain.h"
#include "harness/hypervisor/stages.h"
#include "bats/unit/fake_root.h"

#define MS NSEC_PER_MSEC
#define POOL "sys/kernel/mm/hugepages/hugepages-2048kB/"

static struct reason why;

static int64_t number_in(const char *name)
{
	__cleanup_free char *text = content(name);

	assert_string_not_equal(text, "(missing)");
	return strtoll(text, NULL, 10);
}

/* The statistics of virDomainGetJobStats() of a migration. */
static enum migration_news sample(struct migration_track *track, int64_t iteration,
				  int64_t remaining, int64_t at)
{
	__cleanup_json json_t *statistics =
		json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:i}", "operation", 6, "memory_total",
			  (json_int_t)(256 << 20), "memory_remaining", (json_int_t)remaining,
			  "memory_iteration", (json_int_t)iteration, "memory_dirty_rate",
			  (json_int_t)500, "memory_bps", (json_int_t)(32 << 20), "memory_page_size",
			  4096);

	return migration_track_sample(track, statistics, at);
}

static void a_migration_goes_through_its_stages(void **state)
{
	__cleanup_json json_t *nothing = json_pack("{s:i, s:i}", "operation", 6, "time_elapsed", 3);
	struct migration_track track;

	(void)state;
	migration_track_begin(&track, 0);
	assert_string_equal(migration_stage_name(track.stage), "setup");
	/* libvirt is at work, QEMU is not. */
	assert_int_equal(migration_track_sample(&track, nothing, 200 * MS), MIGRATION_NO_NEWS);
	assert_false(track.active);
	assert_int_equal(sample(&track, 1, 200 << 20, 220 * MS), MIGRATION_NEWS_STAGE);
	assert_string_equal(migration_stage_name(track.stage), "pre-copy");
	assert_true(track.active);
	assert_int_equal(track.iteration, 1);
	assert_int_equal(track.dirty_rate, 500 * 4096);
	assert_int_equal(track.bandwidth, 32 << 20);
	assert_int_equal(migration_track_lifecycle(&track, "suspended", "migrated", 300 * MS),
			 MIGRATION_NEWS_STAGE);
	assert_string_equal(migration_stage_name(track.stage), "switchover");
	/* Asked before, answered after. */
	assert_int_equal(sample(&track, 1, 0, 310 * MS), MIGRATION_NO_NEWS);
	assert_string_equal(migration_stage_name(track.stage), "switchover");
	assert_int_equal(migration_track_end(&track, true, false), MIGRATION_COMPLETED);
	assert_string_equal(migration_stage_name(track.stage), "completed");
}

static void progress_is_reported_ten_times_a_second(void **state)
{
	struct migration_track track;
	int reported = 0;

	(void)state;
	migration_track_begin(&track, 0);
	assert_int_equal(sample(&track, 1, 200 << 20, 20 * MS), MIGRATION_NEWS_STAGE);
	for (int at = 40; at <= 1020; at += 20)
		reported += sample(&track, 1, 200 << 20, at * MS) == MIGRATION_NEWS_PROGRESS;
	assert_int_equal(reported, 10);
	/* A new iteration is reported at once, once. */
	assert_int_equal(sample(&track, 2, 9 << 20, 1030 * MS), MIGRATION_NEWS_PROGRESS);
	assert_int_equal(migration_track_iteration(&track, 2, 1031 * MS), MIGRATION_NO_NEWS);
	assert_int_equal(migration_track_iteration(&track, 3, 1032 * MS), MIGRATION_NEWS_PROGRESS);
	assert_int_equal(sample(&track, 2, 9 << 20, 1040 * MS), MIGRATION_NO_NEWS);
	assert_int_equal(track.iteration, 3);
}

static void an_event_may_be_the_first_sign(void **state)
{
	struct migration_track track;

	(void)state;
	migration_track_begin(&track, 0);
	assert_int_equal(migration_track_iteration(&track, 1, 10 * MS), MIGRATION_NEWS_STAGE);
	assert_true(track.active);
	assert_int_equal(migration_track_end(&track, false, false), MIGRATION_FAILED);

	migration_track_begin(&track, 0);
	assert_int_equal(migration_track_lifecycle(&track, "resumed", "migrated", 1),
			 MIGRATION_NO_NEWS);
	assert_int_equal(migration_track_lifecycle(&track, "suspended", "paused", 1),
			 MIGRATION_NO_NEWS);
	assert_int_equal(migration_track_lifecycle(&track, "suspended", "postcopy", 1),
			 MIGRATION_NEWS_STAGE);
	assert_string_equal(migration_stage_name(track.stage), "post-copy");
	/* The switchover was not seen, and is over. */
	assert_int_equal(migration_track_lifecycle(&track, "suspended", "migrated", 2),
			 MIGRATION_NO_NEWS);
	assert_string_equal(migration_stage_name(track.stage), "post-copy");
}

static void ends_are_distinguished(void **state)
{
	struct migration_track track;

	(void)state;
	migration_track_begin(&track, 0);
	assert_int_equal(migration_track_end(&track, false, false), MIGRATION_REFUSED);
	migration_track_begin(&track, 0);
	assert_int_equal(migration_track_end(&track, false, true), MIGRATION_CANCELLED);
	migration_track_begin(&track, 0);
	(void)sample(&track, 1, 1, MS);
	assert_int_equal(migration_track_end(&track, false, false), MIGRATION_FAILED);
	/* It completed before the cancellation. */
	migration_track_begin(&track, 0);
	(void)sample(&track, 1, 1, MS);
	assert_int_equal(migration_track_end(&track, true, true), MIGRATION_COMPLETED);
}

static void events_have_the_place(void **state)
{
	struct migration_track track;
	__cleanup_json json_t *data = NULL;
	__cleanup_free char *text = NULL;

	(void)state;
	migration_track_begin(&track, 5 * MS);
	text = migration_track_text(&track, "g1");
	assert_string_equal(text, "g1: migration setup");
	free(steal(text));
	(void)sample(&track, 2, 3 << 20, 105 * MS);
	text = migration_track_text(&track, "g1");
	assert_string_equal(text,
			    "g1: migration pre-copy, iteration 2, 3.0 of 256.0 MiB remaining");
	data = migration_track_data(&track, "g1", "stage", 105 * MS);
	assert_string_equal(json_text(data, "guest", ""), "g1");
	assert_string_equal(json_text(data, "event", ""), "stage");
	assert_string_equal(json_text(data, "stage", ""), "pre-copy");
	assert_int_equal(json_number(data, "iteration", 0), 2);
	assert_int_equal(json_number(data, "remaining", 0), 3 << 20);
	assert_int_equal(json_number(data, "elapsed_ns", 0), 100 * MS);
}

static void put_self(const char *start)
{
	__cleanup_free char *name = format_text("proc/%d/stat", (int)getpid());
	__cleanup_free char *text =
		format_text("%d (test) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 %s 20",
			    (int)getpid(), start);

	put(name, text);
}

static void an_arrival_is_no_orphan(void **state)
{
	__cleanup_free char *agent = NULL;

	(void)state;
	put_self("77");
	put("proc/sys/kernel/random/boot_id", "here\n");
	put("run/brinell/guests/g1/initramfs", "");
	/* The pid of the other host's agent is free here: it is taken for running. */
	assert_false(domain_is_orphan("brinell-agent 99999 5 there"));
	assert_true(domain_is_orphan("brinell-agent 99999 5 here"));
	agent = domain_agent("g1", "brinell-agent 99999 5 there");
	assert_string_equal(agent, "brinell-agent 99999 5 there");
	free(steal(agent));
	assert_null(domain_agent("g1", NULL));

	assert_int_equal(domain_claim("g1"), 0);
	agent = domain_agent("g1", "brinell-agent 99999 5 there");
	assert_false(domain_is_orphan(agent));
	/* The agent that has taken it in is killed, and another process has its number. */
	put_self("78");
	assert_true(domain_is_orphan(agent));
	free(steal(agent));
	domain_disclaim("g1");
	agent = domain_agent("g1", "brinell-agent 99999 5 there");
	assert_string_equal(agent, "brinell-agent 99999 5 there");
}

static void pool_is_given_back(void **state)
{
	uint64_t added = 0;

	(void)state;
	put(POOL "nr_hugepages", "10\n");
	put(POOL "free_hugepages", "6\n");
	put(POOL "resv_hugepages", "4\n");
	assert_int_equal(huge_pages_reserve(256, &added, &why), 0);
	assert_int_equal(added, 126);
	assert_int_equal(number_in(POOL "nr_hugepages"), 136);
	huge_pages_release(added);
	assert_int_equal(number_in(POOL "nr_hugepages"), 10);

	/* There are enough free ones. */
	added = 0;
	put(POOL "free_hugepages", "200\n");
	assert_int_equal(huge_pages_reserve(257, &added, &why), 0);
	assert_int_equal(added, 0);
	huge_pages_release(added);
	assert_int_equal(number_in(POOL "nr_hugepages"), 10);
}

static void pool_that_is_not_there_is_an_error(void **state)
{
	uint64_t added = 0;

	(void)state;
	assert_int_equal(huge_pages_reserve(256, &added, &why), -ENOENT);
	assert_non_null(strstr(why.text, "hugetlbfs"));
	assert_int_equal(added, 0);
}

static void policy_is_the_value_in_brackets(void **state)
{
	static const char file[] = "sys/kernel/mm/transparent_hugepage/enabled";
	__cleanup_free char *policy = NULL;

	(void)state;
	assert_null(transparent_pages_policy());
	put(file, "always [madvise] never\n");
	policy = transparent_pages_policy();
	assert_string_equal(policy, "madvise");
	put(file, "nonsense\n");
	assert_null(transparent_pages_policy());
	put(file, "never] [always\n");
	assert_null(transparent_pages_policy());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_migration_goes_through_its_stages),
		cmocka_unit_test(progress_is_reported_ten_times_a_second),
		cmocka_unit_test(an_event_may_be_the_first_sign),
		cmocka_unit_test(ends_are_distinguished),
		cmocka_unit_test(events_have_the_place),
		cmocka_unit_test_setup_teardown(an_arrival_is_no_orphan, make_root, remove_root),
		cmocka_unit_test_setup_teardown(pool_is_given_back, make_root, remove_root),
		cmocka_unit_test_setup_teardown(pool_that_is_not_there_is_an_error, make_root,
						remove_root),
		cmocka_unit_test_setup_teardown(policy_is_the_value_in_brackets, make_root,
						remove_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
