// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a scenario expects, compared with the evidence: one function an expectation, one table of
 * them. Here those of the fault and of the machine.
 */
#include <string.h>

#include "harness/judge/axes/axes.h"
#include "harness/judge/expect/expect.h"

/** add_finding - record the state of one expectation */
struct finding *add_finding(struct trial_case *trial, enum state state, bool harm, enum code code)
{
	struct finding *finding;

	trial->findings =
		xreallocarray(trial->findings, trial->finding_count + 1, sizeof(*trial->findings));
	finding = &trial->findings[trial->finding_count++];
	*finding = (struct finding){.state = state, .harm = harm, .code = code};
	return finding;
}

/**
 * unknown_for_loss - an expectation is not known to hold, because something was lost
 * @loss: report of it
 * @why:  reason if it is of a kernel's log
 */
void unknown_for_loss(struct trial_case *trial, const struct record *loss, const char *why)
{
	if (case_format(trial, loss) == FORMAT_KERNEL_LOG)
		unknown(trial, CODE_LOG_LOST, "%s", why);
	else
		unknown(trial, CODE_LOG_LOST, "reports of %s were lost: %s",
			loss->guest ?: loss->host ?: "the host", record_quote(loss));
}

/** case_expects - does the scenario name this expectation? */
bool case_expects(const struct trial_case *trial, const char *key)
{
	return json_object_get(trial->expect, key) != NULL;
}

/**
 * case_expects_delivery - must the fault arrive?
 *
 * `delivered` decides; without it a fault must arrive unless it is expected to be refused.
 */
bool case_expects_delivery(const struct trial_case *trial)
{
	const json_t *delivered = json_object_get(trial->expect, "delivered");

	if (json_is_boolean(delivered))
		return json_is_true(delivered);
	return !case_expects(trial, "refused");
}

/** ran_its_course - did the trial run its course, so that what was not seen by now did not happen? */
bool ran_its_course(const struct trial_case *trial)
{
	return trial->host.axis == HOST_AXIS_UP &&
	       (trial->cause == CAUSE_DONE || trial->cause == CAUSE_DEADLINE);
}

static const char *first_proof_of(const struct trial_case *trial, const char *axis)
{
	size_t index;
	json_t *cited;

	json_array_foreach (trial->evidence, index, cited)
		if (strcmp(json_text(cited, "proves", ""), axis) == 0)
			return json_text(cited, "text", "");
	return "a witness saw it";
}

/* The scenario has no fault. Then something else must be expected, or anything at all would pass. */
static void expect_no_fault(struct trial_case *trial)
{
	static const char *const keys[] = {"guest", "migration", "guest-log", "events", "process"};

	if (case_is_delivered(trial))
		return harmed(trial, CODE_UNASKED_FAULT,
			      "no fault was asked for, and a witness saw one: %s",
			      first_proof_of(trial, "delivered"));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (case_expects(trial, keys[i]))
			return;
	unknown(trial, CODE_NOTHING_EXPECTED,
		"no fault was asked for, and nothing is expected to be seen");
}

static void expect_delivered(struct trial_case *trial)
{
	if (case_expects_delivery(trial))
		return;
	if (trial->faultless)
		return expect_no_fault(trial);
	if (trial->on_host.iova_count && trial->iommu.lost && !trial->identified)
		unknown(trial, CODE_IOMMU_UNKNOWN,
			"faults of the IOMMU were not logged: whose they are is not known");
	else if (case_is_delivered(trial) || case_hint(trial))
		harmed(trial, CODE_DELIVERED_UNEXPECTEDLY,
		       "the fault must not take effect, but it did: %s",
		       first_proof_of(trial, "delivered"));
	else if (trial->loss)
		unknown_for_loss(
			trial, trial->loss,
			"kernel log records were lost: whether the fault took effect is not known");
	else if (!trial->outcome)
		unknown(trial, CODE_INJECTOR_SILENT,
			"the injector did not report the outcome of the fault");
	else if (!case_expects(trial, "refused") && trial->outcome->outcome.error)
		/* A fault that was never there can not show that it does no harm. */
		unknown(trial, CODE_INJECTOR_FAILED,
			"%s reported %s: there was no fault that could have had no effect",
			trial->outcome->outcome.injector ?: "the injector",
			trial->outcome->outcome.error_name);
	else if (case_expects(trial, "refused") || trial->touched_fine || case_dma_memory(trial) ||
		 case_guest_axis(trial) == GUEST_UNHARMED)
		met(trial);
	else
		unknown(trial, CODE_EFFECT_NOT_OBSERVED,
			"nothing shows that the fault had no effect: no witness looked at the page "
			"after it");
}

static void expect_refused(struct trial_case *trial)
{
	const char *expected = json_text(trial->expect, "refused", NULL);
	const char *seen = NULL;

	if (!expected)
		return;
	for_each_record (trial, record) {
		if (record->type != RECORD_OUTCOME || !case_counts(trial, record))
			continue;
		seen = record->outcome.error_name ?: "no error";
		case_cite(trial, record, "refused");
		if (record->outcome.error && strcmp(seen, expected) == 0)
			return met(trial);
	}
	if (!seen)
		return unknown(trial, CODE_INJECTOR_SILENT,
			       "the injector did not report whether it was refused with %s",
			       expected);
	harmed(trial, CODE_NOT_REFUSED, "the injector reported %s, expected %s", seen, expected);
}

/** axis_of - value of an axis by its name; -1: there is none */
int axis_of(const char *name, const char *(*name_of)(int), int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(name_of(i), name) == 0)
			return i;
	return -1;
}

static const char *host_name(int axis)
{
	return host_axis_name((enum host_axis)axis);
}

static void expect_struck_host(struct trial_case *trial)
{
	const char *expected = json_text(trial->expect, "host", "up");
	int wanted = axis_of(expected, host_name, HOST_AXIS_DIED + 1);
	const char *seen = host_axis_name(trial->host.axis), *proof = trial->host.reason.text;

	if (wanted < 0)
		return unknown(trial, CODE_BAD_EXPECTATION,
			       "the scenario expects host '%s', which is no value of that axis",
			       expected);
	if (trial->host.axis == HOST_AXIS_UNKNOWN)
		return unknown(trial, trial->host.code, "%s",
			       *proof ? proof : "the state of the host is not known");
	if ((int)trial->host.axis == wanted)
		return met(trial);
	if ((int)trial->host.axis > wanted)
		return harmed(trial,
			      trial->host.axis == HOST_AXIS_DIED ? CODE_HOST_DIED_UNEXPECTEDLY
								 : CODE_HOST_HUNG_UNEXPECTEDLY,
			      "the host %s, expected %s: %s",
			      trial->host.axis == HOST_AXIS_DIED ? "died" : "hangs", expected,
			      proof);
	broken(trial, CODE_HOST_SURVIVED, "the host is %s, expected %s", seen, expected);
}

static void expect_host(struct trial_case *trial)
{
	expect_struck_host(trial);
	for (size_t i = 0; i < trial->other_host_count; i++) {
		const struct host_outcome *other = &trial->other_hosts[i];

		if (other->axis == HOST_AXIS_DIED)
			harmed(trial, CODE_OTHER_HOST_DIED,
			       "host '%s', at which no fault was aimed, died: %s", other->name,
			       other->reason.text);
		else if (other->axis == HOST_AXIS_UNKNOWN)
			unknown(trial, other->code, "host '%s': %s", other->name,
				other->reason.text);
	}
}

static const char *conversion_name(int axis)
{
	return conversion_axis_name((enum conversion_axis)axis);
}

/* Lost or wrong memory, and kept pins, are harm even if the scenario does not mention them. */
static void expect_conversion(struct trial_case *trial)
{
	const struct conversion_outcome *conversion = &trial->conversion;
	const char *expected = json_text(trial->expect, "conversion", NULL);
	const char *seen = conversion_axis_name(conversion->axis), *why = conversion->reason.text;
	int wanted = axis_of(expected ? expected : "none", conversion_name,
			     CONVERSION_AXIS_CORRUPTED + 1);

	if (conversion->leak)
		harmed(trial, CODE_CONVERSION_LEAK, "%s", record_quote(conversion->leak));
	if (wanted < 0)
		return unknown(
			trial, CODE_BAD_EXPECTATION,
			"the scenario expects conversion '%s', which is no value of that axis",
			expected);
	if (conversion->axis == CONVERSION_AXIS_UNKNOWN)
		return unknown(trial, conversion->code, "%s", why);
	if (expected && conversion->axis == CONVERSION_AXIS_NONE && wanted != CONVERSION_AXIS_NONE)
		return unknown(trial, CODE_NO_WITNESS,
			       "conversion '%s' is expected, and no witness reports on it",
			       expected);
	if ((int)conversion->axis == wanted)
		return expected ? met(trial) : (void)0;
	if ((int)conversion->axis > wanted && conversion->axis >= CONVERSION_AXIS_REFUSED_TORN)
		return harmed(trial, conversion->code, "conversion %s%s%s: %s", seen,
			      expected ? ", expected " : "", expected ? expected : "", why);
	if (expected)
		broken(trial, conversion->code, "conversion %s, expected %s: %s", seen, expected,
		       why);
}

/* Types of JSON, a set. */
#define A(type) (1u << JSON_##type)
#define TEXT A(STRING)
#define COUNT (A(STRING) | A(INTEGER))

/* Those without a function are read with others: details of a signal with `signal`. */
static const struct {
	const char *name;
	unsigned int types;
	void (*compare)(struct trial_case *trial);
} expectations[] = {
	{"process", TEXT, expect_process},
	{"migration", TEXT, expect_migration},
	{"guest", TEXT | A(ARRAY), expect_guest},
	{"guests", A(OBJECT), expect_bystanders},
	{"delivered", A(TRUE) | A(FALSE), expect_delivered},
	{"refused", TEXT, expect_refused},
	{"host", TEXT, expect_host},
	{"kernel", 0, expect_no_damage},
	{"iommu", TEXT, expect_iommu},
	{"dma", TEXT, expect_dma},
	{"signal", TEXT, expect_signal},
	{"error", TEXT, expect_error},
	{"data", TEXT, expect_data},
	{"log", A(ARRAY), expect_log},
	{"not-log", A(ARRAY), expect_not_log},
	{"guest-log", A(ARRAY), expect_guest_log},
	{"not-guest-log", A(ARRAY), expect_not_guest_log},
	{"events", A(OBJECT), expect_events},
	{"interrupts", A(OBJECT), expect_interrupts},
	{"corrupted-kb", COUNT, expect_corrupted_kb},
	{"page", TEXT, expect_page},
	{"conversion", TEXT, expect_conversion},
	{"code", TEXT, NULL},
	{"address", TEXT, NULL},
	{"lsb", COUNT, NULL},
};

/* Whether a value is one that this judge compares: one of another type would be left out in silence. */
static bool is_known(const char *key, const json_t *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(expectations); i++)
		if (strcmp(expectations[i].name, key) == 0)
			return expectations[i].types & 1u << json_typeof(value);
	return false;
}

/* A journal of a later version may hold what this judge can not compare. */
static void refuse_unknown(struct trial_case *trial)
{
	const char *key;
	json_t *value;

	json_object_foreach (trial->expect, key, value)
		if (!is_known(key, value)) {
			unknown(trial, CODE_BAD_EXPECTATION,
				"the scenario expects '%.60s', which is unknown to this version",
				key);
			trial->findings[trial->finding_count - 1].what = "expect";
		}
}

/**
 * case_compare - compare every expectation with the evidence
 * @trial: case whose axes have been read; its findings are filled in
 */
void case_compare(struct trial_case *trial)
{
	for (size_t i = 0; i < ARRAY_SIZE(expectations); i++) {
		size_t first = trial->finding_count;

		if (expectations[i].compare)
			expectations[i].compare(trial);
		for (; first < trial->finding_count; first++)
			trial->findings[first].what = expectations[i].name;
	}
	refuse_unknown(trial);
}
