// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest axis. A guest is dead, or alive, by two witnesses with different sources. Missing heartbeats are evidence of
 * neither: with them alone a guest is hung if the hypervisor reports its domain as there, else its state is unknown.
 */
#include <string.h>

#include "harness/judge/axes/axes.h"

enum death {
	DEATH_HYPERVISOR = 1 << 0,
	DEATH_LOG = 1 << 1,
	DEATH_LINK = 1 << 2,
	DEATH_BOOT = 1 << 3,
	DEATH_HOST = 1 << 4,
};

/**
 * struct signs - the evidence that a guest is dead, and that it is alive
 * @deaths:  set of enum death
 * @ended:   where it ended, as the hypervisor reports
 * @down:    where its heartbeats stopped
 * @host:    the dead host that it was on
 * @beats:   the host that its heartbeats reach
 * @runs:    where it runs, as the hypervisor reports; @waits: it is paused
 * @reports: a workload in it sent an event after the fault
 */
struct signs {
	unsigned int deaths;
	const struct guest_side *ended, *down, *beats, *runs;
	const struct host_outcome *host;
	bool waits, reports;
};

/** case_guest_axis - axis of the guest that the trial is about */
enum guest_axis case_guest_axis(const struct trial_case *trial)
{
	return trial->guest_count ? trial->guests[0].axis : GUEST_UNKNOWN;
}

/* From when on a sign of life shows that the guest survived the fault and all steps. */
static int64_t alive_from(const struct observation *seen)
{
	int64_t last = seen->fault_ns > seen->last_step_ns ? seen->fault_ns : seen->last_step_ns;

	return last < INT64_MAX - JUDGE_MARGIN_NS ? last + JUDGE_MARGIN_NS : last;
}

/* Whether heartbeats of a guest reached a host at or after @since_ns. */
static bool beats_since(const struct guest_side *side, int64_t since_ns)
{
	return !side->down && side->last_ns >= since_ns;
}

/* Whether the hypervisor reported last, at or after @since_ns, that the guest runs. */
static bool runs_since(const struct guest_side *side, int64_t since_ns)
{
	return side->state == GUEST_STATE_RUNNING && side->state_record->seen_ns >= since_ns;
}

/* The host that a guest is on: the last one with a sign of life. */
static const struct guest_side *place_of(const struct guest_seen *guest)
{
	const struct guest_side *home = &guest->sides[0], *other = &guest->sides[1];

	if (guest->side_count < 2 || !other->lived)
		return guest->side_count ? home : NULL;
	if (other->state == GUEST_STATE_RUNNING || home->state == GUEST_STATE_MOVED)
		return other;
	return home->state == GUEST_STATE_RUNNING || home->last_ns > other->last_ns ? home : other;
}

static const struct host_outcome *dead_host(const struct trial_case *trial, const char *name)
{
	if (trial->host.axis == HOST_AXIS_DIED && trial->host_name &&
	    strcmp(trial->host_name, name) == 0)
		return &trial->host;
	for (size_t i = 0; i < trial->other_host_count; i++)
		if (trial->other_hosts[i].axis == HOST_AXIS_DIED &&
		    strcmp(trial->other_hosts[i].name, name) == 0)
			return &trial->other_hosts[i];
	return NULL;
}

/* Missing heartbeats on one host are no evidence if later ones reached the other. */
static bool is_down(const struct guest_seen *guest, const struct guest_side *side)
{
	if (!side->down || side->cut_off)
		return false;
	for (size_t i = 0; i < guest->side_count; i++)
		if (guest->sides[i].last_ns > side->down_ns)
			return false;
	return true;
}

static void read_side(const struct trial_case *trial, const struct observation *seen,
		      const struct guest_seen *guest, const struct guest_side *side,
		      struct signs *signs)
{
	bool counts = side->state_record && case_counts(trial, side->state_record);
	int64_t since = alive_from(seen);
	int64_t begin_ns = trial->intent ? trial->intent->written_ns : seen->fault_ns;

	if (counts && side->state == GUEST_STATE_ENDED && side->lived)
		signs->ended = side;
	if (runs_since(side, since) && counts)
		signs->runs = side;
	if (counts && side->state == GUEST_STATE_PAUSED && side->lived)
		signs->waits = true;
	/* A guest may be gone before the injector reports its outcome. */
	if (is_down(guest, side) && side->down->seen_ns >= begin_ns)
		signs->down = side;
	/* Heartbeats at the source before the switchover are no evidence about the target. */
	if (side == place_of(guest) && beats_since(side, since))
		signs->beats = side;
}

static bool runs_elsewhere(const struct guest_seen *guest, const struct guest_side *ended)
{
	for (size_t i = 0; i < guest->side_count; i++)
		if (&guest->sides[i] != ended && guest->sides[i].state == GUEST_STATE_RUNNING)
			return true;
	return false;
}

static void find_signs(const struct trial_case *trial, const struct observation *seen,
		       const struct guest_seen *guest, struct signs *signs)
{
	const struct guest_side *place = place_of(guest);

	*signs = (struct signs){0};
	for (size_t i = 0; i < guest->side_count; i++)
		read_side(trial, seen, guest, &guest->sides[i], signs);
	if (signs->ended && runs_elsewhere(guest, signs->ended))
		signs->ended = NULL;
	signs->host = place ? dead_host(trial, place->host) : NULL;
	signs->reports = guest->report && guest->report->seen_ns >= seen->fault_ns;
	signs->deaths = (signs->ended ? DEATH_HYPERVISOR : 0) |
			(guest->panic || guest->booting ? DEATH_LOG : 0) |
			(signs->down || guest->gone_before_reboot ? DEATH_LINK : 0) |
			(guest->reboot ? DEATH_BOOT : 0) | (signs->host ? DEATH_HOST : 0);
}

/*
 * How many independent witnesses show the death. A dead host counts as two: no guest outlives it. The end of a stream and
 * another boot_id in the next one both come from the program in the guest, and count once.
 */
static unsigned int count_deaths(const struct signs *signs)
{
	const unsigned int program = DEATH_LINK | DEATH_BOOT;

	return (unsigned int)__builtin_popcount(signs->deaths & ~program) +
	       ((signs->deaths & program) != 0) + ((signs->deaths & DEATH_HOST) != 0);
}

/* The cause: a crash of the host, of the guest's kernel, or of QEMU, or a request. */
static void describe_death(const struct guest_seen *guest, const struct signs *signs,
			   struct guest_outcome *outcome)
{
	enum guest_end end = signs->ended ? signs->ended->end : END_NONE;
	const struct record *end_record = signs->ended ? signs->ended->end_record : NULL;

	outcome->dead_host = signs->host ? signs->host->name : NULL;
	if (signs->host)
		give_reason(outcome, CODE_GUEST_KILLED_HOST_CRASH, "host crash: %s: %s",
			    signs->host->name, signs->host->reason.text);
	else if (guest->panic || end == END_PANIC)
		give_reason(outcome, CODE_GUEST_KILLED_KERNEL_CRASH, "guest kernel crash: %s",
			    record_quote(guest->panic ?: end_record));
	else if (guest->reboot || guest->booting)
		give_reason(outcome, CODE_GUEST_KILLED_RESTART, "the guest started anew: %s",
			    record_quote(guest->reboot ?: guest->booting));
	else if (end == END_QEMU_CRASH)
		give_reason(outcome, CODE_GUEST_KILLED_QEMU_CRASH, "QEMU crash: %s",
			    record_quote(end_record));
	else if (end == END_BY_HYPERVISOR)
		give_reason(outcome, CODE_GUEST_KILLED_BY_HYPERVISOR,
			    "the hypervisor ended the guest: %s", record_quote(end_record));
	else if (end == END_SHUT_DOWN)
		give_reason(outcome, CODE_GUEST_KILLED_SHUT_DOWN, "the guest shut down: %s",
			    record_quote(end_record));
	else if (end == END_DESTROYED)
		give_reason(outcome, CODE_GUEST_KILLED_DESTROYED, "the domain was destroyed: %s",
			    record_quote(end_record));
	else
		give_reason(outcome, CODE_GUEST_KILLED_GONE, "the domain is gone: %s",
			    record_quote(end_record));
}

static void cite_deaths(struct trial_case *trial, const struct guest_seen *guest,
			const struct signs *signs, bool prove_it)
{
	const struct {
		const struct record *record;
		enum group group;
	} deaths[] = {
		{signs->ended ? signs->ended->end_record : NULL, GROUP_HYPERVISOR},
		{guest->panic ?: guest->booting, GROUP_GUEST_LOG},
		{signs->down ? signs->down->down : guest->gone_before_reboot, GROUP_GUEST_LINK},
		{guest->reboot, signs->deaths & DEATH_LINK ? GROUP_GUEST_LINK : GROUP_GUEST_BOOT},
	};

	for (size_t i = 0; i < ARRAY_SIZE(deaths); i++) {
		if (!deaths[i].record)
			continue;
		case_cite(trial, deaths[i].record, "guest");
		if (prove_it)
			case_prove(trial, deaths[i].group, deaths[i].record, RELATION_ANONYMOUS);
	}
}

static void cite_life(struct trial_case *trial, const struct guest_seen *guest,
		      const struct signs *signs)
{
	if (signs->beats)
		case_cite(trial, signs->beats->last_record, "guest");
	if (signs->runs)
		case_cite(trial, signs->runs->state_record, "guest");
	if (signs->reports)
		case_cite(trial, guest->report, "guest");
}

/* Heartbeats of the same boot after its death: the evidence conflicts. */
static const struct record *contradiction(const struct guest_seen *guest, const struct signs *signs)
{
	const struct record *deaths[] = {guest->panic, guest->booting,
					 signs->ended ? signs->ended->end_record : NULL};

	if (guest->reboot || !signs->beats)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(deaths); i++)
		if (deaths[i] && signs->beats->last_ns > deaths[i]->seen_ns + JUDGE_MARGIN_NS)
			return deaths[i];
	return NULL;
}

static void describe_single_death(const struct guest_seen *guest, const struct signs *signs,
				  struct guest_outcome *outcome)
{
	const struct record *sign = signs->ended     ? signs->ended->end_record
			     : guest->panic   ? guest->panic
			     : guest->booting ?: guest->reboot  ? guest->reboot
			     : signs->down    ? signs->down->down
					      : guest->gone_before_reboot;

	give_reason(outcome, CODE_GUEST_ONE_SIGN_OF_DEATH, "only one sign that the guest died: %s",
		    record_quote(sign));
}

/*
 * Whether the death of the guest counts as evidence of the fault. A fault in a frame of a host that is up shows in witnesses
 * of that host, so the death alone is not enough. A fault that is raised in the guest itself may leave no other trace.
 */
static bool death_shows_fault(const struct trial_case *trial)
{
	return trial->intent &&
	       (!json_object_get(trial->intent->body, "pfn") ||
		case_fault(trial).kinds & KIND_OTHER || trial->host.axis != HOST_AXIS_UP ||
		trial->witnesses || trial->vague || trial->kindless);
}

static void decide_death(struct trial_case *trial, const struct guest_seen *guest,
			 const struct signs *signs, bool subject, struct guest_outcome *outcome)
{
	const struct record *against = contradiction(guest, signs);

	if (against) {
		case_cite(trial, against, "guest");
		case_cite(trial, signs->beats->last_record, "guest");
		give_reason(outcome, CODE_GUEST_CONTRADICTED,
			    "conflicting evidence: reported dead, heartbeats continue: %s",
			    record_quote(against));
	} else if (count_deaths(signs) >= 2) {
		outcome->axis = GUEST_KILLED;
		describe_death(guest, signs, outcome);
		subject &= death_shows_fault(trial);
		cite_deaths(trial, guest, signs, subject);
		if (subject)
			case_prove_by_death(trial);
	} else if (signs->down && (signs->runs || signs->waits) && !trial->settled_view) {
		outcome->axis = GUEST_HUNG;
		cite_deaths(trial, guest, signs, false);
		cite_life(trial, guest, signs);
		give_reason(outcome, CODE_GUEST_HUNG, "%s, and the hypervisor reports that it %s",
			    record_quote(signs->down->down), signs->runs ? "runs" : "is paused");
	} else {
		cite_deaths(trial, guest, signs, false);
		describe_single_death(guest, signs, outcome);
	}
}

static bool had_heartbeats(const struct guest_seen *guest)
{
	for (size_t i = 0; i < guest->side_count; i++)
		if (guest->sides[i].last_ns && !guest->sides[i].cut_off)
			return true;
	return false;
}

static void decide_life(struct trial_case *trial, const struct guest_seen *guest,
			const struct signs *signs, struct guest_outcome *outcome)
{
	int alive = (signs->beats != NULL) + (signs->runs != NULL) + signs->reports;

	cite_life(trial, guest, signs);
	if (alive == 0) {
		give_reason(outcome, CODE_GUEST_SILENT,
			    "no evidence about the guest after the fault");
	} else if (alive == 1) {
		give_reason(outcome, CODE_GUEST_ONE_SIGN_OF_LIFE,
			    "only one sign that the guest is alive: %s",
			    record_quote(signs->beats  ? signs->beats->last_record
					 : signs->runs ? signs->runs->state_record
						       : guest->report));
	} else if (trial->settled_view && !signs->beats && had_heartbeats(guest)) {
		give_reason(outcome, CODE_GUEST_ONE_SIGN_OF_LIFE,
			    "no heartbeat arrived since the last step");
	} else if (guest->harmed) {
		outcome->axis = GUEST_CONTAINED;
		case_cite(trial, guest->harmed, "guest");
		give_reason(outcome, CODE_GUEST_CONTAINED, "%s", record_quote(guest->harmed));
	} else {
		outcome->axis = GUEST_UNHARMED;
		outcome->code = CODE_GUEST_UNHARMED;
	}
}

static void decide_guest(struct trial_case *trial, const struct observation *seen,
			 const struct guest_seen *guest, struct guest_outcome *outcome)
{
	bool subject = guest == &seen->guests[0];
	const struct record *wrong = guest->corrupted;
	struct signs signs;

	if (!wrong && trial->process == PROCESS_CORRUPTED && trial->victim_guest &&
	    strcmp(trial->victim_guest, guest->name) == 0)
		wrong = trial->process_proof;
	if (wrong) {
		outcome->axis = GUEST_CORRUPTED;
		case_cite(trial, wrong, "guest");
		give_reason(outcome, CODE_GUEST_CORRUPTED, "%s", record_quote(wrong));
		return;
	}
	find_signs(trial, seen, guest, &signs);
	if (signs.deaths)
		decide_death(trial, guest, &signs, subject, outcome);
	else
		decide_life(trial, guest, &signs, outcome);
}

/** case_decide_guests - the guest axis of each guest, when all evidence is read and the hosts are decided */
void case_decide_guests(struct trial_case *trial, const struct observation *seen)
{
	for (size_t i = 0; i < seen->guest_count; i++) {
		struct guest_outcome *outcome = &trial->guests[trial->guest_count++];

		*outcome =
			(struct guest_outcome){.name = seen->guests[i].name, .axis = GUEST_UNKNOWN};
		if (!trial->intent && !trial->faultless && !seen->guests[i].corrupted)
			give_reason(outcome, CODE_NOT_FIRED, "no fault was fired");
		else
			decide_guest(trial, seen, &seen->guests[i], outcome);
	}
}
