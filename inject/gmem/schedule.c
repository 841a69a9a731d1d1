// SPDX-License-Identifier: GPL-2.0-only
/*
 * The schedule: each operation is a function of the seed, the knobs and its number only, so that a storm can be replayed in
 * whole or in part.
 */
#include "inject/gmem/storm.h"

/* Random number generator of one operation. */
struct random {
	uint64_t state;
};

static uint64_t draw(struct random *random, uint64_t limit)
{
	random->state += 0x9e3779b97f4a7c15ull;
	return limit ? gmem_mix(random->state) % limit : 0;
}

static bool percent(struct random *random, unsigned int chance)
{
	return draw(random, 100) < chance;
}

static int pick_fault(const struct storm_knobs *knobs, struct random *random)
{
	unsigned int nth =
		(unsigned int)draw(random, (unsigned int)__builtin_popcount(knobs->faults));

	for (int i = 0; i < FAULT_COUNT; i++)
		if (knobs->faults >> i & 1 && nth-- == 0)
			return i;
	return -1;
}

/* The pages that a converter works on: its own, or all of its VM with @overlap. */
static struct gmem_range converter_range(const struct storm_knobs *knobs, unsigned int converter)
{
	unsigned int sharers =
		knobs->overlap ? 1 : (knobs->converters + knobs->vms - 1) / knobs->vms;
	uint64_t pages = knobs->shape.pages / sharers / knobs->align * knobs->align;
	unsigned int place = knobs->overlap ? 0 : converter / knobs->vms;

	return (struct gmem_range){place * pages, pages};
}

static struct gmem_range pick_range(const struct storm_knobs *knobs, struct random *random,
				    unsigned int converter)
{
	struct gmem_range whole = converter_range(knobs, converter);
	uint64_t units = whole.count / knobs->align, most = knobs->most / knobs->align;
	uint64_t limit = most < units ? most : units;
	uint64_t count = knobs->powers ? 1ull << draw(random, 64 - (uint64_t)__builtin_clzll(limit))
				       : 1 + draw(random, limit);
	uint64_t first = draw(random, units - count + 1);

	return (struct gmem_range){whole.first + first * knobs->align, count * knobs->align};
}

/**
 * storm_plan - compute an operation of the schedule
 * @knobs:     of the storm
 * @number:    of the operation, from 0; a round has one operation for each converter
 * @operation: receives it
 */
void storm_plan(const struct storm_knobs *knobs, uint64_t number, struct storm_operation *operation)
{
	uint64_t round = number / knobs->converters;
	unsigned int converter = (unsigned int)(number % knobs->converters);
	struct random random = {gmem_mix(knobs->seed ^ gmem_mix(number + 1))};
	struct random common = {knobs->overlap ? gmem_mix(knobs->seed ^ gmem_mix(~round)) : 0};

	*operation = (struct storm_operation){.number = number, .fault = -1};
	operation->vm = converter % knobs->vms;
	operation->vcpu = converter / knobs->vms % (knobs->shape.vcpus ? knobs->shape.vcpus : 1);
	operation->range = pick_range(knobs, &random, converter);
	operation->to_private = draw(knobs->overlap ? &common : &random, 2);
	operation->by_guest = percent(&random, knobs->by_guest);
	operation->refused = percent(&random, knobs->refuse);
	operation->write_after = draw(&random, 2);
	/* A fault takes the place of the first converter's operation. */
	if (knobs->faults && knobs->fault_every && converter == 0 &&
	    (round + 1) % knobs->fault_every == 0)
		operation->fault = pick_fault(knobs, &random);
}
