// SPDX-License-Identifier: GPL-2.0-only
/*
 * The schedule: each operation is a function of the seed, the knobs and its number alone. So a storm can be replayed in whole
 * or in part.
 */
#include "inject/gmem/storm.h"

/* A stream of random numbers for one operation. */
struct dice {
	uint64_t state;
};

static uint64_t roll(struct dice *dice, uint64_t sides)
{
	dice->state += 0x9e3779b97f4a7c15ull;
	return sides ? gmem_mix(dice->state) % sides : 0;
}

static bool percent(struct dice *dice, unsigned int chance)
{
	return roll(dice, 100) < chance;
}

static int pick_fault(const struct storm_knobs *knobs, struct dice *dice)
{
	unsigned int nth =
		(unsigned int)roll(dice, (unsigned int)__builtin_popcount(knobs->faults));

	for (int i = 0; i < FAULT_COUNT; i++)
		if (knobs->faults >> i & 1 && nth-- == 0)
			return i;
	return -1;
}

/* The pages that a converter has for itself, or shares with all those of its VM. */
static struct gmem_range territory(const struct storm_knobs *knobs, unsigned int converter)
{
	unsigned int sharers =
		knobs->overlap ? 1 : (knobs->converters + knobs->vms - 1) / knobs->vms;
	uint64_t pages = knobs->shape.pages / sharers / knobs->align * knobs->align;
	unsigned int place = knobs->overlap ? 0 : converter / knobs->vms;

	return (struct gmem_range){place * pages, pages};
}

static struct gmem_range pick_range(const struct storm_knobs *knobs, struct dice *dice,
				    unsigned int converter)
{
	struct gmem_range whole = territory(knobs, converter);
	uint64_t units = whole.count / knobs->align, most = knobs->most / knobs->align;
	uint64_t limit = most < units ? most : units;
	uint64_t count = knobs->powers ? 1ull << roll(dice, 64 - (uint64_t)__builtin_clzll(limit))
				       : 1 + roll(dice, limit);
	uint64_t first = roll(dice, units - count + 1);

	return (struct gmem_range){whole.first + first * knobs->align, count * knobs->align};
}

/**
 * storm_plan - what an operation does
 * @knobs:     of the storm
 * @number:    of the operation, from 0; as many as there are converters make a round
 * @operation: receives it
 */
void storm_plan(const struct storm_knobs *knobs, uint64_t number, struct storm_operation *operation)
{
	uint64_t round = number / knobs->converters;
	unsigned int converter = (unsigned int)(number % knobs->converters);
	struct dice dice = {gmem_mix(knobs->seed ^ gmem_mix(number + 1))};
	struct dice common = {knobs->overlap ? gmem_mix(knobs->seed ^ gmem_mix(~round)) : 0};

	*operation = (struct storm_operation){.number = number, .fault = -1};
	operation->vm = converter % knobs->vms;
	operation->vcpu = converter / knobs->vms % (knobs->shape.vcpus ? knobs->shape.vcpus : 1);
	operation->range = pick_range(knobs, &dice, converter);
	operation->to_private = roll(knobs->overlap ? &common : &dice, 2);
	operation->by_guest = percent(&dice, knobs->by_guest);
	operation->refused = percent(&dice, knobs->refuse);
	operation->write_after = roll(&dice, 2);
	/* A fault has the VM for itself: it is the only operation of its round. */
	if (knobs->faults && knobs->fault_every && converter == 0 &&
	    (round + 1) % knobs->fault_every == 0)
		operation->fault = pick_fault(knobs, &dice);
}
