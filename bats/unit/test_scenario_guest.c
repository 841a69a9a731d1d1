// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenarios with guests: what can not be done to them is found at its place, conditions and versions mean what they
 * say, and all of it reads back from its own spec.
 *
 * rooms: harness/trial
 */
#include <errno.h>

#include "bats/unit/scenario_refusal.h"
#include "harness/lib/param.h"
#include "harness/scenario/condition.h"
#include "harness/lib/hypervisor_summary.h"
#include "harness/lib/version.h"

#define HEAD "scenario: x/y\ntitle: t\n"
#define GUEST "guests: {g1: {}}\n"
#define VICTIM "workloads: {victim: {kind: memory, in: g1}}\n"
#define STEPS "steps:\n  - start: victim\n"
#define POISON "  - inject: {with: hwpoison, at: victim, method: corrupt-pfn}\n"
#define MIGRATE "  - migrate: {guest: g1}\n"
/* Seven lines each, and eight with a migration. */
#define GOOD HEAD GUEST VICTIM STEPS POISON
#define MOVED GOOD MIGRATE
#define HELD GOOD "  - migrate: {hold: sent, page: victim}\n"
#define TWO HEAD "guests: {g1: {}, g2: {}}\n" VICTIM STEPS POISON
#define EXPECT GOOD "expect:\n"
#define EXPECT_MOVED MOVED "expect:\n"

static const char *const software[] = {"pacemaker", NULL};
static const struct hypervisor_summary fake = {.name = "fake", .software = software};

REGISTER(hypervisor_summary, fake);

static const struct refusal refusals[] = {
	/* guests */
	{HEAD "guests: [g1]\nsteps: []\n", "3:9", "must be a mapping of NAME"},
	{HEAD "guests: {}\nsteps: []\n", "3:9", "must be a mapping of NAME"},
	{HEAD "guests: {g1: micro}\nsteps: []\n", "3:14", "write g1: {kind: micro}"},
	{HEAD "guests: {G1: {}}\nsteps: []\n", "3:10", "use a-z, 0-9 and -"},
	{HEAD "guests: {[a]: {}}\nsteps: []\n", "3:10", "must be a word"},
	{HEAD "guests:\n  g1: {}\n  g1: {}\nsteps: []\n", "5:3",
	 "duplicate key 'g1', first on line 4"},
	{HEAD "guests: {a: {}, b: {}, c: {}, d: {}, e: {}, f: {}, g: {}, h: {}, i: {}}\n"
	      "steps: []\n",
	 "3:9", "9 guests are too many"},
	{HEAD "guests: {g1: {kind: mikro}}\nsteps: []\n", "3:21", "did you mean 'micro'?"},
	{HEAD "guests: {g1: {memroy: 1G}}\nsteps: []\n", "3:15", "did you mean 'memory'?"},
	{HEAD "guests: {g1: {memory: 1G, memory: 2G}}\nsteps: []\n", "3:27",
	 "duplicate key 'memory'"},
	{HEAD "guests: {g1: {memory: 63M}}\nsteps: []\n", "3:23", "at least 64M"},
	{HEAD "guests: {g1: {memory: 65537K}}\nsteps: []\n", "3:23", "in whole MiB"},
	{HEAD "guests: {g1: {processors: 0}}\nsteps: []\n", "3:27", "from 1 to 64"},
	{HEAD "guests: {g1: {processors: 65}}\nsteps: []\n", "3:27", "from 1 to 64"},
	{HEAD "guests: {g1: {heartbeat: 100us}}\nsteps: []\n", "3:26", "from 1ms to 10s"},
	{HEAD "guests: {g1: {backing: huge}}\nsteps: []\n", "3:24",
	 "must be one of anonymous, thp, hugetlb"},
	{HEAD "guests: {g1: {machine: pv}}\nsteps: []\n", "3:24", "must be one of pvh, hvm"},
	{HEAD "guests: {g1: {programs: stress-ng}}\nsteps: []\n", "3:25", "write [stress-ng]"},
	{HEAD "guests: {g1: {programs: [stressng]}}\nsteps: []\n", "3:26",
	 "did you mean 'stress-ng'?"},
	{HEAD "guests: {g1: {fresh: new}}\nsteps: []\n", "3:22", "must be true or false"},
	{HEAD "guests: {g1: {domain: mine}}\nsteps: []\n", "3:15", "add kind: domain"},
	{HEAD "guests: {g1: {kind: domain}}\nsteps: []\n", "3:14", "'domain' is missing"},
	{HEAD "guests: {g1: {kind: domain, domain: a, memory: 1G}}\nsteps: []\n", "3:40",
	 "a domain has the configuration of the hypervisor"},
	{HEAD "guests: {g1: {kind: domain, domain: ''}}\nsteps: []\n", "3:37", "'domain' is empty"},
	{HEAD "guests: {g1: {kind: domain, domain: a}, g2: {kind: domain, domain: a}}\n"
	      "steps: []\n",
	 "3:45", "domain 'a' is guest 'g1' already"},
	{HEAD "bench: intel\n" GUEST VICTIM STEPS POISON, "3:8",
	 "hosts of 'intel' run no guests; write bench: kvm"},
	{TWO, "3:18", "guest 'g2' is not used"},
	/* workloads in them */
	{HEAD VICTIM STEPS POISON, "3:40", "there is no guest 'g1'; declare it"},
	{HEAD "guests: {guest: {}}\nworkloads: {victim: {kind: memory, in: gest}}\n" STEPS, "4:40",
	 "unknown guest 'gest'; did you mean 'guest'?"},
	{HEAD GUEST "workloads: {victim: {kind: memory, in: [g1]}}\n" STEPS, "4:40",
	 "must be one value and is a list"},
	/* inject */
	{HEAD GUEST VICTIM STEPS "  - inject: {with: hwpoison, at: victim, method: madvise-hard}\n",
	 "7:13", "belongs to QEMU"},
	{HEAD GUEST VICTIM STEPS
	 "  - inject: {with: hwpoison, guest: g1, at: victim, method: corrupt-pfn}\n",
	 "7:37", "'hwpoison' works on a host and takes no guest"},
	{HEAD "guests: {g1: {}, g2: {}}\n" VICTIM STEPS
	      "  - inject: {with: qemu-mce, kind: corrected}\n",
	 "7:13", "'inject' needs a guest; add guest: NAME, one of: g1, g2"},
	{HEAD "guests: {g1: {}, g2: {}}\n" VICTIM STEPS
	      "  - inject: {with: qemu-mce, kind: srao, guest: g2, at: victim}\n",
	 "7:49", "'victim' runs in g1 and not in 'g2'"},
	{HEAD GUEST "workloads: {victim: {kind: memory}}\n" STEPS
		    "  - inject: {with: qemu-mce, kind: srao, guest: g1, at: victim}\n",
	 "7:49", "'victim' runs on the host and not in 'g1'"},
	{HEAD GUEST VICTIM STEPS "  - inject: {with: qemu-mce, kind: corrected, guest: g3}\n",
	 "7:54", "unknown guest 'g3'; did you mean 'g1'?"},
	{HEAD "steps:\n  - inject: {with: qemu-mce, kind: corrected}\n", "4:13",
	 "'inject' without a guest"},
	{HEAD "steps:\n  - inject: {with: panic, on: h2}\n", "4:31", "did you mean 'h0'?"},
	{HEAD "steps:\n  - inject: {with: panic, on: target}\n", "4:31",
	 "'on: target' before any migration"},
	{HEAD "steps:\n  - inject: {with: panic, on: source}\n", "4:31",
	 "'on: source' before any migration"},
	{HEAD "bench: kvm\nsteps:\n  - inject: {with: panic, on: h1}\n", "5:31",
	 "'kvm' has one host"},
	{HEAD "workloads: {victim: {kind: memory}}\n" STEPS
	      "  - inject: {with: hwpoison, at: victim, method: corrupt-pfn, on: h1}\n",
	 "6:67", "'victim' runs on the first host"},
	/* migrate */
	{HEAD "bench: kvm\n" GUEST VICTIM STEPS POISON MIGRATE, "9:14",
	 "a migration needs a second host, and 'kvm' has one; write bench: kvm-pair"},
	{TWO "  - migrate: {mode: pre-copy}\n", "8:14",
	 "'migrate' needs a guest; add guest: NAME, one of: g1, g2"},
	{HEAD "steps:\n  - migrate: {}\n", "4:14", "'migrate' without a guest"},
	{GOOD "  - migrate: g2\n", "8:14", "unknown guest 'g2'; did you mean 'g1'?"},
	{GOOD "  - migrate: {mode: live}\n", "8:21", "must be one of pre-copy, post-copy"},
	{GOOD "  - migrate: {mod: pre-copy}\n", "8:15", "did you mean 'mode'?"},
	{GOOD "  - migrate: {multifd: 256}\n", "8:24", "number of channels up to 255"},
	{GOOD "  - migrate: {downtime: 500us}\n", "8:25", "at least 1ms"},
	{GOOD "  - migrate: {downtime: 2001s}\n", "8:25", "at most 2000s"},
	{GOOD "  - migrate: {bandwidth: fast}\n", "8:26", "must be a size"},
	{MOVED MIGRATE, "9:14", "put - when: migration.ended between them"},
	/* a migration that stands still */
	{GOOD "  - migrate: {hold: sent}\n", "8:14", "needs a page; add page: WORKLOAD"},
	{GOOD "  - migrate: {hold: never}\n", "8:21", "one of none, sent, last, arrived"},
	{GOOD "  - migrate: {hold: sent, page: vicitm}\n", "8:33", "did you mean 'victim'?"},
	{HEAD GUEST "workloads: {victim: {kind: memory}}\n" STEPS
		    "  - migrate: {guest: g1, page: victim}\n",
	 "7:32", "a workload that was started in guest 'g1'"},
	{HEAD GUEST VICTIM "steps:\n  - migrate: {guest: g1, page: victim}\n", "6:32",
	 "a workload that was started in guest 'g1'"},
	{MOVED "  - when: migration.held\n", "9:11", "never stands still; add hold: to it"},
	{MOVED "  - release: g1\n", "9:14", "never stands still; add hold: to it"},
	{GOOD "  - release: g1\n", "8:14", "which no step before this one migrates"},
	{HELD "  - release: g1\n  - release: g1\n", "10:14", "never stands still"},
	{HELD "  - when: migration.ended\n  - release: g1\n", "10:14",
	 "whose migration has ended at this step"},
	{HELD "  - cut: g1\n  - release: g1\n", "10:14", "never stands still"},
	{MOVED "  - cut: g1\n", "9:10", "so that 'cut' would hit it anywhere; add hold: to it"},
	{MOVED "  - flip: g1\n", "9:11", "so that 'flip' would hit it anywhere"},
	{GOOD "  - migrate: {hold: checkpoint}\n", "8:14", "add mode: checkpoint"},
	{GOOD "  - migrate: {hold: bytes}\n", "8:14", "write hold: bytes, bytes: 10M"},
	{GOOD "  - migrate: {hold: last, bytes: 10M}\n", "8:14", "write hold: bytes, bytes: 10M"},
	{GOOD "  - migrate: {video: yes}\n", "8:14", "'video' needs a page"},
	/* places in a matrix */
	{GOOD "cell: {error: srao}\n", "8:7", "a value on at least two axes"},
	{GOOD "cell: srao\n", "8:7", "a value on at least two axes"},
	{GOOD "cell: {error: srao, touch: [read]}\n", "8:28", "must be one value and is a list"},
	/* several outcomes */
	{EXPECT "  guest: []\n", "9:10", "is an empty list"},
	{EXPECT "  guest: [killed, kiled]\n", "9:19", "did you mean 'killed'?"},
	{EXPECT "  guest: [killed, corrupted]\n", "9:19", "can not be one of several outcomes"},
	/* touches in another way */
	{GOOD "  - touch: {workload: victim, by: execute}\n", "8:35", "one of load, store"},
	{GOOD "  - touch: {workload: victim}\n", "8:12", "'by' is missing"},
	{GOOD "  - touch: {by: load}\n", "8:12", "add workload: NAME"},
	/* what happens to a migration */
	{GOOD "  - when: migration.iteration >= 2\n", "8:11",
	 "'when' of 'g1', which no step before this one migrates"},
	{GOOD "  - limit: {bandwidth: 1M}\n", "8:12",
	 "'limit' of 'g1', which no step before this one migrates"},
	{GOOD "  - post-copy: g1\n", "8:16",
	 "'post-copy' of 'g1', which no step before this one migrates"},
	{GOOD "  - cancel: g1\n", "8:13",
	 "'cancel' of 'g1', which no step before this one migrates"},
	{MOVED "  - cancel: {host: g1}\n", "9:14", "unknown key 'host'; known: guest"},
	{MOVED "  - cancel: {guest: g1, guest: g1}\n", "9:25", "duplicate key 'guest'"},
	{MOVED "  - cancel: g1\n  - cancel: g1\n", "10:13", "whose migration has ended"},
	{MOVED "  - when: migration.ended\n  - limit: {bandwidth: 1M}\n", "10:12",
	 "whose migration has ended"},
	{MOVED "  - when: migration.stage == completed\n  - cancel: g1\n", "10:13",
	 "whose migration has ended"},
	{MOVED "  - limit: {guest: g1}\n", "9:12", "'limit' limits nothing"},
	{MOVED "  - limit: {downtime: 0s}\n", "9:23", "at least 1ms"},
	{MOVED "  - post-copy: g1\n", "9:16", "add mode: post-copy to it"},
	{MOVED "  - when: migration.stage == post-copy\n", "9:11", "never comes to post-copy"},
	{MOVED "  - when: {within: 5s}\n", "9:11", "has no 'condition'"},
	{MOVED "  - when: {condition: migration.ended, wihtin: 5s}\n", "9:40",
	 "did you mean 'within'?"},
	{MOVED "  - when: {condition: migration.ended, within: 4min}\n", "9:48",
	 "longer than the trial's deadline"},
	{MOVED "  - when: {condition: migration.iteration >= 2s}\n", "9:23", "must be a number"},
	/* balloon, wait */
	{GOOD "  - balloon: {guest: g1}\n", "8:14", "'memory' is missing"},
	{GOOD "  - balloon: {memory: 32M}\n", "8:23", "at least 64M"},
	{GOOD "  - balloon: {memory: 1G}\n", "8:23", "more than guest 'g1' has"},
	{GOOD "  - balloon: {memory: 128M, within: 2min}\n", "8:37",
	 "longer than the trial's deadline"},
	{GOOD "  - wait: {for: kmsg, guest: g2, match: x}\n", "8:30", "unknown guest 'g2'"},
	{GOOD "  - wait: {for: heartbeet, match: x}\n", "8:17", "did you mean 'heartbeat'?"},
	{HEAD "steps:\n  - wait: {for: hypervisor, match: x}\n", "4:17",
	 "'hypervisor' reports on guests, and there is none"},
	/* expectations */
	{EXPECT "  guest: none\n", "9:10", "'guest: none' although there are guests"},
	{EXPECT "  guest: corrupted\n", "9:10", "always fails; expect what should come of it"},
	{EXPECT "  migration: completed\n", "9:14", "but no step migrates"},
	{EXPECT "  events: {migration: [x]}\n", "9:23", "but no step migrates"},
	{EXPECT "  events: {hypervsor: [x]}\n", "9:12", "did you mean 'hypervisor'?"},
	{EXPECT "  events: {hypervisor: x}\n", "9:24", "write [x]"},
	{EXPECT "  events: {hypervisor: ['(']}\n", "9:25", "no regular expression"},
	{EXPECT "  events: [x]\n", "9:11", "must be a mapping"},
	{EXPECT "  guest-log: [')', '(']\n", "9:20", "no regular expression"},
	{EXPECT "  not-guest-log: x\n", "9:18", "write [x]"},
	{EXPECT "  guest: killed\n  process: contained\n", "10:12", "contradicts 'guest: killed'"},
	{EXPECT "  guest: unharmed\n  signal: SIGBUS\n", "10:11", "contradicts 'guest: unharmed'"},
	{EXPECT "  delivered: false\n  guest: killed\n", "10:10", "contradicts 'delivered: false'"},
	{EXPECT "  refused: EBUSY\n  guest: contained\n", "10:10", "contradicts 'refused: EBUSY'"},
	{EXPECT_MOVED "  migration: none\n", "10:14", "although a step migrates"},
	{EXPECT_MOVED "  migration: lost\n", "10:14", "always fails"},
	{EXPECT_MOVED "  migration: canceled\n", "10:14", "did you mean 'cancelled'?"},
	{HEAD GUEST STEPS, "5:12", "unknown workload 'victim'"},
	{HEAD "steps:\n  - inject: {with: panic}\nexpect: {guest: killed}\n", "5:17",
	 "'guest' is expected of a guest, but there is none"},
	{HEAD "steps:\n  - inject: {with: panic}\nexpect: {guest-log: [x]}\n", "5:21",
	 "'guest-log' is expected of a guest"},
	/* versions */
	{GOOD "versions: {qemu: '>=9'}\n", "8:11", "must be a list"},
	{GOOD "versions: []\n", "8:11", "must be a list"},
	{GOOD "versions: [{when: {qemu: '>=9'}}]\n", "8:12", "has no 'expect'"},
	{GOOD "versions: [{when: {kernl: '>=9'}, expect: {}}]\n", "8:20", "did you mean 'kernel'"},
	{GOOD "versions: [{when: {pacemakr: '>=9'}, expect: {}}]\n", "8:20",
	 "did you mean 'pacemaker'"},
	{GOOD "versions: [{expect: {host: died}}]\n", "8:12", "has no 'when'"},
	{GOOD "versions: [{when: {}, expect: {host: died}}]\n", "8:19", "has no condition"},
	{GOOD "versions: [{when: {xen: 9}, expect: {host: died}}]\n", "8:25",
	 "no condition on a version"},
	{GOOD "versions: [{when: {xen: '>=9', xen: '>=8'}, expect: {host: died}}]\n", "8:32",
	 "duplicate key 'xen'"},
	{GOOD "versions: [{when: {qemu: 9}, expect: {host: died}}]\n", "8:26",
	 "no condition on a version"},
	{GOOD "versions: [{when: {qemu: '>=9'}, expect: {}}]\n", "8:42", "changes nothing"},
	{GOOD "versions: [{when: {qemu: '>=9'}, expect: {hots: died}}]\n", "8:43",
	 "did you mean 'host'?"},
	{GOOD "versions: [{when: {qemu: '>=9'}, expect: {guest: none}}]\n", "8:50",
	 "although there are guests"},
	{GOOD "versions: [{when: {qemu: '>=9'}, then: {}, expect: {}}]\n", "8:34",
	 "unknown key 'then'"},
	{GOOD "expect: {process: contained}\n"
	      "versions: [{when: {qemu: '>=9'}, expect: {guest: killed}}]\n",
	 "9:50", "'process: contained' contradicts 'guest: killed'"},
	/* known failures */
	{GOOD "known-failure: x\n", "8:16", "must be a mapping"},
	{GOOD "known-failure: {reason: x}\n", "8:16", "has no 'code'"},
	{GOOD "known-failure: {code: [guest-hung]}\n", "8:16", "has no 'reason'"},
	{GOOD "known-failure: {code: [guest-hung, x], reason: x}\n", "8:36", "no reason code"},
	{GOOD "known-failure: {match: x, reason: x}\n", "8:24", "write code: [CODE]"},
	{GOOD "metrics: {time: 10}\n", "8:17", "such as 10%"},
	{GOOD "metrics: {time: -1%}\n", "8:17", "such as 10%"},
	{GOOD "metrics: {time: nan%}\n", "8:17", "such as 10%"},
	{GOOD "metrics: [time]\n", "8:10", "mapping"},
	{GOOD "known-failure: {code: [guest-hung], evidence: '(', reason: x}\n", "8:47",
	 "no regular expression"},
	{GOOD "known-failure: {code: [one-witness], reason: \"a\\nb\"}\n", "8:46", "several lines"},
	{GOOD "known-failure: {code: [one-witness], reason: x, qemu: new}\n", "8:55",
	 "no condition on a version"},
	{GOOD "known-failure: []\n", "8:16", "is empty"},
	{GOOD "known-failure: [{code: [guest-hung], reason: x}, {reason: x}]\n", "8:50",
	 "has no 'code'"},
	{GOOD "known-failure: {code: [guest-hung], rare: often, reason: x}\n", "8:43", "rare"},
	{GOOD "known-failure: {code: [one-witness], raeson: x}\n", "8:38", "did you mean 'reason'"},
};

static void mistakes_are_found_at_their_place(void **state)
{
	(void)state;
	expect_refusals(refusals, ARRAY_SIZE(refusals));
}

/* Everything at once, as the fuzzer's corpus has it too. */
static const char everything[] = HEAD
	"guests:\n"
	"  g1: {kind: micro, memory: 512M, processors: 2, backing: thp, kernel-arguments: quiet, "
	"programs: [stress-ng], fresh: true}\n"
	"  g2: {kind: domain, domain: mine}\n"
	"  g3: {}\n" VICTIM STEPS "  - balloon: {guest: g1, memory: 128M, within: 7s}\n"
	"  - migrate: {guest: g1, mode: post-copy, multifd: 2, auto-converge: true, bandwidth: "
	"32M, post-copy-bandwidth: 1M, downtime: 1s, uri: 'qemu+tcp://b/system', address: "
	"'tcp://b'}\n"
	"  - when: {condition: 'migration.iteration >= 2', guest: g1, within: 50s}\n"
	"  - inject: {with: hwpoison, at: victim, method: corrupt-pfn, on: source}\n"
	"  - inject: {with: qemu-mce, kind: srao, at: victim}\n"
	"  - inject: {with: panic, on: target}\n"
	"  - wait: {for: kmsg, guest: g1, match: x}\n"
	"  - limit: {guest: g1, bandwidth: 0, downtime: 2s}\n"
	"  - post-copy: g1\n"
	"  - cancel: g1\n"
	"  - migrate: g2\n"
	"  - wait: {for: heartbeat, guest: g3, match: x}\n"
	"expect:\n"
	"  guest: contained\n  migration: cancelled\n"
	"  guest-log: [a, b]\n  not-guest-log: [c]\n  events: {hypervisor: [d], migration: [e]}\n"
	"versions:\n"
	"  - {when: {qemu: '>=9.0, <10.1', kernel: '<7.0'}, expect: {migration: refused}}\n"
	"  - {when: {libvirt: '>=10'}, expect: {refused: EBUSY, guest: unharmed, delivered: "
	"true}}\n"
	"known-failure:\n"
	"  - {qemu: '==9.0', code: [guest-hung], evidence: 'a|b', reason: one line}\n"
	"  - {code: [one-witness], rare: true, reason: another}\n"
	"metrics: {load.ops: 7.5%, migration_time: 0%}\n";

static const char *argument(const struct scenario_step *step, const char *name)
{
	return json_text(step->arguments, name, "");
}

static void a_good_file_is_read_whole(void **state)
{
	struct scenario *scenario = parse_good(everything, NULL);
	const struct scenario_step *steps = scenario->steps;
	json_t *entry;

	(void)state;
	assert_string_equal(scenario->bench, "kvm-pair");
	assert_int_equal(scenario->deadline_ns, 180 * NSEC_PER_SEC);
	assert_int_equal(scenario->settle_ns, 5 * NSEC_PER_SEC);
	assert_int_equal(scenario->guest_count, 3);
	assert_string_equal(scenario->guests[0].name, "g1");
	assert_string_equal(json_text(scenario->guests[0].arguments, "memory", ""), "536870912");
	assert_string_equal(json_text(scenario->guests[0].arguments, "fresh", ""), "true");
	assert_string_equal(json_text(scenario->guests[1].arguments, "domain", ""), "mine");
	assert_string_equal(json_text(scenario->guests[2].arguments, "kind", ""), "micro");
	assert_string_equal(json_text(scenario->guests[2].arguments, "memory", ""), "268435456");
	assert_string_equal(json_text(scenario->guests[2].arguments, "backing", ""), "anonymous");
	assert_string_equal(json_text(scenario->guests[2].arguments, "kernel-arguments", "?"), "");
	assert_true(json_is_array(json_object_get(scenario->guests[2].arguments, "programs")));
	assert_string_equal(scenario->workloads[0].guest, "g1");
	assert_string_equal(json_text(scenario->metrics, "load.ops", ""), "7.5%");
	assert_int_equal(json_object_size(scenario->metrics), 2);

	assert_int_equal(scenario->step_count, 13);
	assert_string_equal(steps[1].kind->name, "balloon");
	assert_string_equal(argument(&steps[1], "memory"), "134217728");
	assert_int_equal(steps[1].within_ns, 7 * NSEC_PER_SEC);
	assert_string_equal(steps[2].kind->name, "migrate");
	assert_string_equal(steps[2].guest, "g1");
	assert_string_equal(argument(&steps[2], "mode"), "post-copy");
	assert_int_equal(param_number(steps[2].arguments, "multifd"), 2);
	assert_int_equal(param_number(steps[2].arguments, "bandwidth"), 32 << 20);
	assert_int_equal(param_number(steps[2].arguments, "post-copy-bandwidth"), 1 << 20);
	assert_int_equal(param_duration_ns(steps[2].arguments, "downtime"), NSEC_PER_SEC);
	assert_string_equal(argument(&steps[2], "address"), "tcp://b");
	assert_string_equal(steps[3].kind->name, "when");
	assert_string_equal(argument(&steps[3], "condition"), "migration.iteration >= 2");
	assert_int_equal(steps[3].within_ns, 50 * NSEC_PER_SEC);
	assert_string_equal(steps[4].host, "source");
	assert_null(steps[4].guest);
	assert_null(json_object_get(steps[4].arguments, "guest"));
	assert_string_equal(steps[5].guest, "g1");
	assert_string_equal(argument(&steps[5], "guest"), "g1");
	assert_string_equal(steps[6].host, "target");
	assert_string_equal(steps[7].guest, "g1");
	assert_string_equal(steps[8].kind->name, "limit");
	assert_string_equal(argument(&steps[8], "bandwidth"), "0");
	assert_string_equal(steps[9].kind->name, "post-copy");
	assert_string_equal(steps[10].kind->name, "cancel");
	assert_string_equal(steps[11].guest, "g2");
	assert_string_equal(argument(&steps[11], "mode"), "pre-copy");

	assert_string_equal(json_text(scenario->expect, "migration", ""), "cancelled");
	assert_int_equal(json_array_size(scenario->versions), 2);
	entry = json_array_get(scenario->versions, 0);
	assert_string_equal(json_text(json_object_get(entry, "when"), "qemu", ""), ">=9.0, <10.1");
	assert_int_equal(json_object_size(json_object_get(entry, "expect")), 1);
	assert_int_equal(json_array_size(scenario->known_failure), 2);
	entry = json_array_get(scenario->known_failure, 0);
	assert_string_equal(json_text(entry, "reason", ""), "one line");
	assert_string_equal(json_text(entry, "evidence", ""), "a|b");
	assert_int_equal(json_array_size(json_object_get(entry, "code")), 1);
	assert_null(json_object_get(entry, "rare"));
	assert_true(
		json_is_true(json_object_get(json_array_get(scenario->known_failure, 1), "rare")));
	scenario_free(scenario);
}

static void the_spec_reads_back(void **state)
{
	struct scenario *scenario = parse_good(everything, NULL), *again = NULL;
	struct reason why = {""};

	(void)state;
	if (scenario_from_spec(scenario->spec, &again, &why))
		fail_msg("%s", why.text);
	assert_true(json_equal(scenario->spec, again->spec));
	assert_int_equal(again->guest_count, 3);
	assert_string_equal(again->steps[4].host, "source");
	assert_string_equal(again->workloads[0].guest, "g1");
	scenario_free(again);
	scenario_free(scenario);
}

static void guests_change_the_defaults(void **state)
{
	struct scenario *scenario = parse_good(GOOD, NULL);

	(void)state;
	assert_string_equal(scenario->bench, "kvm");
	assert_int_equal(scenario->deadline_ns, 60 * NSEC_PER_SEC);
	assert_int_equal(scenario->settle_ns, 5 * NSEC_PER_SEC);
	scenario_free(scenario);
	scenario = parse_good(HEAD "steps:\n  - inject: {with: panic}\n", NULL);
	assert_string_equal(scenario->bench, "intel");
	assert_int_equal(scenario->deadline_ns, 20 * NSEC_PER_SEC);
	assert_int_equal(scenario->settle_ns, 2 * NSEC_PER_SEC);
	scenario_free(scenario);
}

/* What must be taken, each next to something that is refused. */
static void the_possible_is_taken(void **state)
{
	static const char *const possible[] = {
		HEAD "bench: kvm-pair\n" GUEST VICTIM STEPS POISON MIGRATE,
		HEAD "bench: metal\n" GUEST VICTIM STEPS POISON MIGRATE,
		MOVED "  - when: migration.ended\n" MIGRATE,
		MOVED "  - cancel: {}\n" MIGRATE,
		MOVED "  - cancel: g1\n  - when: migration.ended\n",
		GOOD "  - migrate: {mode: post-copy}\n  - when: migration.stage == post-copy\n",
		EXPECT "  guest: killed\n  host: died\n",
		EXPECT "  host: died\n  process: unharmed\n",
		EXPECT "  migration: none\n",
		EXPECT "  guest: [contained, killed]\n",
		EXPECT_MOVED "  migration: failed\n  guest: killed\n",
		HEAD "steps:\n  - inject: {with: panic}\nexpect: {guest: none}\n",
		HEAD GUEST "steps:\n  - inject: {with: qemu-mce, kind: corrected}\n",
		HELD "  - when: migration.held\n  - release: {}\n  - when: migration.ended\n",
		HELD "  - touch: {workload: victim, by: store}\n  - touch: victim\n",
		HELD "  - when: migration.held\n  - flip: {}\n  - when: migration.ended\n",
		GOOD
		"  - migrate: {mode: checkpoint, hold: checkpoint, page: victim, video: yes}\n",
		GOOD "  - migrate: {hold: bytes, bytes: 10M}\n",
		GOOD "cell: {error: srao, touch: 2 read}\n",
		GOOD "deadline: 20s\n",
		MOVED "  - when: migration.ended\ndeadline: 20s\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(possible); i++)
		scenario_free(parse_good(possible[i], NULL));
}

static void settings_reach_guests(void **state)
{
	json_t *settings = json_pack("{s:s, s:s, s:s}", "guests.g1.memory", "128M",
				     "guests.g1.programs", "stress-ng", "steps.2.multifd", "4");
	struct scenario *scenario = parse_good(MOVED, settings);

	(void)state;
	json_decref(settings);
	assert_string_equal(json_text(scenario->guests[0].arguments, "memory", ""), "134217728");
	assert_int_equal(
		json_array_size(json_object_get(scenario->guests[0].arguments, "programs")), 1);
	assert_int_equal(param_number(scenario->steps[2].arguments, "multifd"), 4);
	scenario_free(scenario);
}

static void conditions_are_understood(void **state)
{
	static const struct {
		const char *text, *message;
	} wrong[] = {
		{"", "begins with migration.FIELD"},
		{"iteration >= 2", "it is 'iteration'"},
		{"migration.iterations >= 2", "did you mean 'iteration'?"},
		{"migration.speed > 2", "unknown field of a migration 'speed'; known: iteration"},
		{"migration.iteration", "must be compared by one of"},
		{"migration.iteration = 2", "not by '='"},
		{"migration.iteration != 2", "not by '!='"},
		{"migration.iteration => 2", "not by '=>'"},
		{"migration.iteration >= two", "must be a number"},
		{"migration.iteration >= ", "must be a number"},
		{"migration.iteration >= 2 3", "must be a number"},
		{"migration.iteration >= -1", "must be a number"},
		{"migration.iteration < 0", "never below 0"},
		{"migration.remaining < 10X", "must be a size"},
		{"migration.remaining < 10s", "must be a size"},
		{"migration.processed < 1T", "must be a size"},
		{"migration.elapsed > 5", "a time with its unit"},
		{"migration.elapsed > 5M", "a time with its unit"},
		{"migration.stage == postcopy", "did you mean 'post-copy'?"},
		{"migration.stage == ended", "unknown stage 'ended'; known: setup, pre-copy"},
		{"migration.stage >= failed", "write migration.stage == failed"},
		{"migration.ended == 1", "stands by itself"},
		{"migration.held > 0", "'migration.held' stands by itself"},
	};
	struct condition condition;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct reason why = {""};

		assert_int_equal(condition_parse(wrong[i].text, &condition, &why), -EINVAL);
		if (!strstr(why.text, wrong[i].message))
			fail_msg("'%s': expected '%s', got '%s'", wrong[i].text, wrong[i].message,
				 why.text);
	}
}

static void conditions_hold(void **state)
{
	static const struct migration_view begun = {"setup", -1, -1, -1, -1, false, false};
	static const struct migration_view second = {"pre-copy",       2,     10 << 20, 64 << 20,
						     3 * NSEC_PER_SEC, false, false};
	static const struct migration_view done = {"completed",	     5,	   0,	 128 << 20,
						   9 * NSEC_PER_SEC, true, false};
	static const struct migration_view failed = {"failed", 1, 1, 1, 1, true, false};
	static const struct migration_view nothing = {NULL, -1, -1, -1, -1, false, false};
	static const struct migration_view held = {"pre-copy", 1, 1, 1, 1, false, true};
	static const struct {
		const char *text;
		const struct migration_view *view;
		bool holds;
	} cases[] = {
		{"migration.iteration >= 2", &second, true},
		{"migration.iteration>=3", &second, false},
		{" migration.iteration  >  1 ", &second, true},
		{"migration.iteration > 2", &second, false},
		{"migration.iteration <= 2", &second, true},
		{"migration.iteration < 2", &second, false},
		{"migration.iteration == 2", &second, true},
		{"migration.iteration == 0x2", &second, true},
		{"migration.remaining < 10M", &second, false},
		{"migration.remaining <= 10M", &second, true},
		{"migration.remaining < 11M", &second, true},
		{"migration.remaining < 11M", &begun, false},
		{"migration.remaining == 0", &done, true},
		{"migration.processed >= 65536K", &second, true},
		{"migration.elapsed >= 3s", &second, true},
		{"migration.elapsed > 3000ms", &second, false},
		{"migration.elapsed < 1s", &begun, false},
		{"migration.iteration <= 5", &begun, false},
		{"migration.stage == pre-copy", &second, true},
		{"migration.stage >= pre-copy", &begun, false},
		{"migration.stage >= pre-copy", &done, true},
		{"migration.stage < switchover", &second, true},
		{"migration.stage < switchover", &failed, false},
		{"migration.stage >= setup", &failed, false},
		{"migration.stage == failed", &failed, true},
		{"migration.stage >= setup", &nothing, false},
		{"migration.stage == completed", &done, true},
		{"migration.ended", &done, true},
		{"migration.ended", &failed, true},
		{"migration.ended", &second, false},
		{"migration.held", &held, true},
		{"migration.held", &done, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct condition condition;
		struct reason why = {""};

		if (condition_parse(cases[i].text, &condition, &why))
			fail_msg("%s", why.text);
		if (condition_holds(&condition, cases[i].view) != cases[i].holds)
			fail_msg("case %zu, '%s', must%s hold", i, cases[i].text,
				 cases[i].holds ? "" : " not");
	}
}

static void versions_are_compared(void **state)
{
	static const struct {
		const char *condition, *version;
		bool holds;
	} cases[] = {
		{">=9.0", "10.0.2", true},
		{">=9.0", "9.0", true},
		{">=9.0", "9", true},
		{">=9.0", "8.2.4", false},
		{">9.0", "9.0.2", false},
		{">9.0", "9.1", true},
		{"<=9.0", "9.0.2", true},
		{"==9.0", "9.0.2", true},
		{"==9.0.1", "9.0.2", false},
		{"<7.0", "6.12.3+deb13-amd64", true},
		{"<7.0", "7.2.12+deb13-amd64", false},
		{">=7.3", "7.3-rc1", true},
		{">= 9.0, < 10.1", "10.0.2", true},
		{">=9.0,<10.1", "10.1.0", false},
		{">=9.0,<10.1", "8.2", false},
		{">=10", "10.10", true},
		{">=10.2", "10.10", true},
		{">=1.2.3.4", "1.2.3.5", true},
		{">=9.0", "", false},
		{"<9.0", "unknown", false},
		{"<9.0", NULL, false},
	};
	static const char *const wrong[] = {
		"",	  "9.0",       "=9.0", "=>9.0",	  ">=",	   ">=x",	  "9",
		">=9.0,", ">=9.0 <10", ">=9.", ">=9.0-1", "!=9.0", ">=1234567890"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct reason why = {""};

		assert_int_equal(version_check(cases[i].condition, &why), 0);
		if (version_holds(cases[i].condition, cases[i].version) != cases[i].holds)
			fail_msg("'%s' must%s hold for %s", cases[i].condition,
				 cases[i].holds ? "" : " not",
				 cases[i].version ? cases[i].version : "none");
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct reason why = {""};

		if (version_check(wrong[i], &why) != -EINVAL || !why.text[0])
			fail_msg("'%s' must be refused", wrong[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_found_at_their_place),
		cmocka_unit_test(a_good_file_is_read_whole),
		cmocka_unit_test(the_spec_reads_back),
		cmocka_unit_test(guests_change_the_defaults),
		cmocka_unit_test(the_possible_is_taken),
		cmocka_unit_test(settings_reach_guests),
		cmocka_unit_test(conditions_are_understood),
		cmocka_unit_test(conditions_hold),
		cmocka_unit_test(versions_are_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
