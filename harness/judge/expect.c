// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a scenario expects, compared with the evidence: one function an expectation, one table of
 * them.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "harness/judge/case.h"

static const char *text_of(const json_t *record)
{
	return json_text(record_body(record), "text", "");
}

static struct finding *add(struct trial_case *trial, enum state state, bool harm)
{
	static struct finding overflow;

	if (trial->finding_count == FINDING_LIMIT)
		return &overflow;
	struct finding *finding = &trial->findings[trial->finding_count++];

	*finding = (struct finding){.state = state, .harm = harm};
	return finding;
}

#define met(trial) ((void)add(trial, STATE_MET, false))
#define broken(trial, ...) ((void)fail(&add(trial, STATE_BROKEN, false)->reason, 0, __VA_ARGS__))
#define harmed(trial, ...) ((void)fail(&add(trial, STATE_BROKEN, true)->reason, 0, __VA_ARGS__))
#define unknown(trial, ...) ((void)fail(&add(trial, STATE_UNKNOWN, false)->reason, 0, __VA_ARGS__))

/** case_expects - does the scenario name this expectation? */
bool case_expects(const struct trial_case *trial, const char *key)
{
	return json_object_get(trial->expect, key) != NULL;
}

/**
 * case_expects_delivery - must the fault arrive?
 *
 * `delivered` says so; without it a fault must arrive unless it is expected to be refused.
 */
bool case_expects_delivery(const struct trial_case *trial)
{
	const json_t *delivered = json_object_get(trial->expect, "delivered");

	if (json_is_boolean(delivered))
		return json_is_true(delivered);
	return !case_expects(trial, "refused");
}

/* Did the trial run its course, so that what was not seen by now did not happen? */
static bool ran_its_course(const struct trial_case *trial)
{
	const char *cause = json_text(record_body(trial->close), "cause", "");

	return trial->host == HOST_UP &&
	       (strcmp(cause, "done") == 0 || strcmp(cause, "deadline") == 0);
}

static void expect_delivered(struct trial_case *trial)
{
	if (case_expects_delivery(trial))
		return;
	if (case_is_delivered(trial))
		harmed(trial, "the fault must not take effect, but it did: %s",
		       json_text(json_array_get(trial->evidence, 0), "text", "a witness saw it"));
	else if (trial->log_lost)
		unknown(trial,
			"kernel log records were lost: whether the fault took effect is not known");
	else if (!trial->outcome)
		unknown(trial, "the injector did not report what became of the fault");
	else if (!case_expects(trial, "refused") &&
		 json_number(record_body(trial->outcome), "error", 0))
		/* A fault that was never there can not show that it does no harm. */
		unknown(trial, "%s reported %s: there was no fault that could have had no effect",
			json_text(record_body(trial->outcome), "injector", "the injector"),
			json_text(record_body(trial->outcome), "error_name", "an error"));
	else if (case_expects(trial, "refused") || trial->touched_fine)
		met(trial);
	else
		unknown(trial,
			"nothing shows that the fault had no effect: no witness looked at the page "
			"after it");
}

static void expect_refused(struct trial_case *trial)
{
	const char *expected = json_text(trial->expect, "refused", NULL);
	const char *seen = NULL;
	size_t index;
	json_t *record;

	if (!expected)
		return;
	json_array_foreach (trial->records, index, record) {
		const json_t *body = record_body(record);

		if (strcmp(record_type(record), "outcome") != 0 || !case_after_intent(trial, index))
			continue;
		const char *name = json_text(body, "error_name", NULL);

		if (!name)
			name = json_number(body, "error", 0)
				       ? error_name((int)json_number(body, "error", 0))
				       : "no error";
		if (strcmp(name, expected) == 0) {
			case_cite(trial, record, "refused");
			return met(trial);
		}
		case_cite(trial, record, "refused");
		seen = name;
	}
	if (!seen)
		return unknown(trial, "the injector did not report whether it was refused with %s",
			       expected);
	harmed(trial, "the injector reported %s, expected %s", seen, expected);
}

static int axis_of(const char *name, const char *(*name_of)(int), int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(name_of(i), name) == 0)
			return i;
	return -1;
}

static const char *process_name(int axis)
{
	return process_axis_name((enum process_axis)axis);
}

static const char *host_name(int axis)
{
	return host_axis_name((enum host_axis)axis);
}

static const char *last_proof_of(const struct trial_case *trial, const char *axis)
{
	const char *text = "";
	size_t index;
	json_t *cited;

	json_array_foreach (trial->evidence, index, cited)
		if (strcmp(json_text(cited, "proves", ""), axis) == 0)
			text = json_text(cited, "text", "");
	return text;
}

static void expect_process(struct trial_case *trial)
{
	const char *expected = json_text(trial->expect, "process", NULL);
	const char *seen = process_axis_name(trial->process);
	const char *proof = text_of(trial->process_proof);
	int wanted;

	/* Never acceptable, whatever was expected. */
	if (trial->process == PROCESS_CORRUPTED)
		return harmed(trial, "the victim read data that it did not write%s%s",
			      *proof ? ": " : "", proof);
	if (trial->process_contradicted)
		return unknown(trial, "%s", trial->process_reason.text);
	if (!expected)
		return;
	wanted = axis_of(expected, process_name, PROCESS_CORRUPTED + 1);
	if (wanted < 0)
		return unknown(trial,
			       "the scenario expects process '%s', which is no value of that axis",
			       expected);
	if (trial->process == PROCESS_UNKNOWN)
		return unknown(trial, "the victim did not report what happened to it, expected %s",
			       expected);
	if ((int)trial->process == wanted)
		return met(trial);
	if ((int)trial->process > wanted)
		return harmed(trial, "the victim is %s, expected %s%s%s", seen, expected,
			      *proof ? ": " : "", proof);
	broken(trial, "the victim is %s, expected %s%s%s", seen, expected, *proof ? ": " : "",
	       proof);
}

static void expect_host(struct trial_case *trial)
{
	const char *expected = json_text(trial->expect, "host", "up");
	int wanted = axis_of(expected, host_name, HOST_DIED + 1);
	const char *seen = host_axis_name(trial->host), *proof = trial->host_reason.text;

	if (wanted < 0)
		return unknown(trial,
			       "the scenario expects host '%s', which is no value of that axis",
			       expected);
	if (trial->host == HOST_UNKNOWN)
		return unknown(trial, "%s",
			       *proof ? proof : "what became of the host is not known");
	if ((int)trial->host == wanted)
		return met(trial);
	if ((int)trial->host > wanted)
		return harmed(trial, "the host %s, expected %s: %s",
			      trial->host == HOST_DIED ? "died" : "hangs", expected, proof);
	broken(trial, "the host is %s, expected %s", seen, expected);
}

static void expect_iommu(struct trial_case *trial)
{
	const char *expected = json_text(trial->expect, "iommu", "quiet");

	if (strcmp(expected, "fault") == 0) {
		if (trial->iommu_fault)
			return met(trial);
		if (trial->log_seen && !trial->log_lost && ran_its_course(trial))
			return broken(trial, "the IOMMU reported no fault, expected one");
		return unknown(trial, "no IOMMU fault was seen, expected one");
	}
	if (strcmp(expected, "quiet") != 0)
		return unknown(trial,
			       "the scenario expects iommu '%s', which is no value of that axis",
			       expected);
	if (trial->iommu_fault)
		return harmed(trial, "the IOMMU reported a fault: %s",
			      last_proof_of(trial, "iommu"));
	if (trial->log_lost)
		return unknown(trial,
			       "kernel log records were lost: an IOMMU fault could be among them");
	met(trial);
}

/* Axes that no witness of this version can see: never passed over in silence. */
static void expect_axes_without_witness(struct trial_case *trial)
{
	static const char *const axes[] = {"guest", "migration", "conversion"};

	for (size_t i = 0; i < ARRAY_SIZE(axes); i++) {
		const char *expected = json_text(trial->expect, axes[i], NULL);

		if (expected && strcmp(expected, "none") != 0)
			unknown(trial, "%s '%s' is expected, and no witness reports on it", axes[i],
				expected);
	}
}

/* Empty when a signal is as expected, or what differs. */
static void compare_signal(const struct trial_case *trial, const json_t *data,
			   struct reason *differs)
{
	const char *name = json_text(trial->expect, "signal", NULL);
	const char *code = json_text(trial->expect, "code", NULL);
	const char *address = json_text(trial->expect, "address", NULL);
	const char *seen_name = json_text(data, "signal_name", "no name");
	const char *seen_code = json_text(data, "code_name", "no name");
	int64_t lsb = json_number(trial->expect, "lsb", -1),
		seen_lsb = json_number(data, "lsb", -1);
	uint64_t seen_address = (uint64_t)json_number(data, "address", 0);

	differs->text[0] = '\0';
	if (name && strcmp(name, seen_name) != 0)
		fail(differs, 0, "the signal is %s, expected %s", seen_name, name);
	else if (code && strcmp(code, seen_code) != 0)
		fail(differs, 0, "si_code is %s, expected %s", seen_code, code);
	else if (lsb >= 0 && lsb != seen_lsb)
		fail(differs, 0, "si_addr_lsb is %" PRId64 ", expected %" PRId64, seen_lsb, lsb);
	else if (address && strcmp(address, "match") == 0 &&
		 (!seen_address || !trial->address_count ||
		  !case_owns_address(trial, seen_address, seen_lsb)))
		fail(differs, 0, "si_addr is 0x%" PRIx64 ", which is not in the victim's page",
		     seen_address);
}

static void expect_signal(struct trial_case *trial)
{
	const char *name = json_text(trial->expect, "signal", NULL);
	bool none = name && strcmp(name, "none") == 0, any = false;
	struct reason differs = {""};
	size_t index;
	json_t *record;

	if (!name && !case_expects(trial, "code") && !case_expects(trial, "lsb") &&
	    !case_expects(trial, "address"))
		return;
	json_array_foreach (trial->records, index, record) {
		if (!case_after_intent(trial, index) || !case_victim_event(trial, record, "signal"))
			continue;
		if (none)
			return harmed(trial, "the victim got a signal, expected none: %s",
				      text_of(record));
		any = true;
		compare_signal(trial, json_object_get(record_body(record), "data"), &differs);
		if (!differs.text[0])
			return met(trial);
	}
	if (any)
		return broken(trial, "%s", differs.text);
	/*
	 * Without a handler there is no report but the end of the process, which tells the signal
	 * alone.
	 */
	if (name && strcmp(name, "SIGBUS") == 0 && trial->ended_by == SIGBUS)
		return case_expects(trial, "code") || case_expects(trial, "lsb") ||
				       case_expects(trial, "address")
			       ? unknown(trial, "SIGBUS ended the victim, which could not report "
						"its details")
			       : met(trial);
	if (none && trial->ended_by)
		return harmed(trial, "the victim was ended by signal %d, expected none",
			      trial->ended_by);
	if (none && trial->kernel_signalled)
		return unknown(trial,
			       "the kernel says that it sent the victim a signal, which got none");
	if (none && trial->touched_fine)
		return met(trial);
	if (trial->victim_spoke && ran_its_course(trial))
		return none ? unknown(trial, "the victim did not touch its page after the fault")
			    : broken(trial, "the victim got no signal");
	unknown(trial, "the victim did not report a signal");
}

static void expect_error(struct trial_case *trial)
{
	const char *expected = json_text(trial->expect, "error", NULL), *seen = NULL;
	size_t index;
	json_t *record;

	if (!expected)
		return;
	json_array_foreach (trial->records, index, record) {
		if (!case_after_intent(trial, index) || !case_victim_event(trial, record, "error"))
			continue;
		seen = json_text(json_object_get(record_body(record), "data"), "errno_name", "?");
		if (strcmp(seen, expected) == 0)
			return met(trial);
	}
	if (seen)
		return broken(trial, "the victim's system call failed with %s, expected %s", seen,
			      expected);
	if (trial->victim_spoke && ran_its_course(trial))
		return broken(trial, "no system call of the victim failed, expected %s", expected);
	unknown(trial, "the victim did not report an error, expected %s", expected);
}

static void expect_data(struct trial_case *trial)
{
	const char *expected = json_text(trial->expect, "data", NULL);

	if (!expected)
		return;
	if (!trial->touched_data)
		return unknown(trial, "the victim did not report what it read, expected data %s",
			       expected);
	if (strcmp(trial->touched_data, expected) == 0)
		return met(trial);
	broken(trial, "the victim read data '%s', expected '%s'", trial->touched_data, expected);
}

static const json_t *find_line(const struct trial_case *trial, const char *pattern,
			       struct reason *why)
{
	size_t index;
	json_t *record;

	if (regex_check(pattern, why))
		return NULL;
	json_array_foreach (trial->records, index, record) {
		const char *witness = json_text(record_body(record), "witness", "");

		if (strcmp(record_type(record), "event") == 0 && case_after_intent(trial, index) &&
		    (strcmp(witness, "kmsg") == 0 || strcmp(witness, "console") == 0) &&
		    regex_matches(pattern, text_of(record), why))
			return record;
	}
	return NULL;
}

static void expect_log(struct trial_case *trial)
{
	size_t index;
	json_t *each;

	json_array_foreach (json_object_get(trial->expect, "log"), index, each) {
		const char *pattern = json_string_value(each) ? json_string_value(each) : "(";
		struct reason why = {""};
		const json_t *line = find_line(trial, pattern, &why);

		if (line) {
			case_cite(trial, line, "log");
			met(trial);
		} else if (why.text[0]) {
			unknown(trial, "%s", why.text);
		} else if (trial->log_seen && !trial->log_lost && ran_its_course(trial)) {
			broken(trial, "no line of the kernel log matches '%.200s'", pattern);
		} else {
			unknown(trial, "no line of the kernel log matches '%.200s'%s", pattern,
				trial->log_lost ? ", and some were lost" : "");
		}
	}
}

static void expect_not_log(struct trial_case *trial)
{
	size_t index;
	json_t *each;

	json_array_foreach (json_object_get(trial->expect, "not_log"), index, each) {
		const char *pattern = json_string_value(each) ? json_string_value(each) : "(";
		struct reason why = {""};
		const json_t *line = find_line(trial, pattern, &why);

		if (line) {
			case_cite(trial, line, "not_log");
			harmed(trial, "the kernel log holds what it must not: %.300s",
			       text_of(line));
		} else if (why.text[0]) {
			unknown(trial, "%s", why.text);
		} else if (trial->log_lost) {
			unknown(trial, "kernel log records were lost: '%.200s' could be among them",
				pattern);
		} else if (!trial->log_seen) {
			unknown(trial,
				"no line of the kernel log was seen: whether '%.200s' is missing "
				"from "
				"it is not known",
				pattern);
		} else {
			met(trial);
		}
	}
}

/* "4", ">=4", ">0", "<=2", "<3", "==4". */
static bool compare_count(const char *condition, int64_t value, bool *holds)
{
	static const char *const operators[] = {">=", "<=", "==", ">", "<", "="};
	size_t which = ARRAY_SIZE(operators) - 1;
	const char *digits = condition;
	int64_t limit;
	char *end;

	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		if (strncmp(condition, operators[i], strlen(operators[i])) != 0)
			continue;
		which = i;
		digits += strlen(operators[i]);
		break;
	}
	errno = 0;
	limit = strtoll(digits, &end, 10);
	if (errno || end == digits || *end)
		return false;
	*holds = which == 0   ? value >= limit
		 : which == 1 ? value <= limit
		 : which == 3 ? value > limit
		 : which == 4 ? value < limit
			      : value == limit;
	return true;
}

/* Was this witness at work? A trial whose record of its witnesses is missing gets the benefit of the doubt. */
static bool looked(const struct trial_case *trial, const char *witness)
{
	const json_t *started = NULL, *name;
	json_t *record;
	size_t index;

	json_array_foreach (trial->records, index, record)
		if (strcmp(record_type(record), "witnesses") == 0)
			started = json_object_get(record_body(record), "started");
	json_array_foreach ((json_t *)started, index, name)
		if (strcmp(json_string_value(name) ? json_string_value(name) : "", witness) == 0)
			return true;
	return !started;
}

static void compare_delta(struct trial_case *trial, const char *witness, const char *name,
			  const json_t *condition, const char *unit)
{
	__cleanup_free char *wanted =
		json_is_integer(condition)
			? format_text("%" JSON_INTEGER_FORMAT, json_integer_value(condition))
			: strdup(json_string_value(condition) ? json_string_value(condition) : "");
	const json_t *change = NULL, *from = NULL;
	bool holds = false;
	int64_t difference;
	size_t index;
	json_t *record;

	json_array_foreach (trial->records, index, record) {
		const json_t *body = record_body(record), *of;

		if (strcmp(record_type(record), "event") != 0 || !case_after_intent(trial, index) ||
		    strcmp(json_text(body, "witness", ""), witness) != 0)
			continue;
		of = json_object_get(json_object_get(body, "data"), name);
		if (of) {
			change = of;
			from = record;
		}
	}
	if (!wanted || !compare_count(wanted, 0, &holds))
		return unknown(trial,
			       "the scenario expects %s '%s', which is no count such as '>=1'",
			       name, wanted ? wanted : "");
	/*
	 * These witnesses speak up only when something changed; silence of a host that answers
	 * means zero.
	 */
	if (!change && holds && trial->host == HOST_UP && looked(trial, witness))
		return met(trial);
	if (!change)
		return unknown(trial, "%s did not report %s, expected %s%s", witness, name, wanted,
			       unit);
	if (!case_change(trial, witness, name, change, &difference))
		return unknown(trial, "%s reports nonsense about %s", witness, name);
	compare_count(wanted, difference, &holds);
	case_cite(trial, from, witness);
	if (holds)
		return met(trial);
	broken(trial, "%s changed by %" PRId64 "%s, expected %s", name, difference, unit, wanted);
}

static void expect_interrupts(struct trial_case *trial)
{
	const char *name;
	json_t *condition;

	json_object_foreach (json_object_get(trial->expect, "interrupts"), name, condition)
		compare_delta(trial, "interrupts", name, condition, "");
}

static void expect_corrupted_kb(struct trial_case *trial)
{
	const json_t *condition = json_object_get(trial->expect, "corrupted_kb");

	if (condition)
		compare_delta(trial, "meminfo", "HardwareCorrupted", condition, " kB");
}

static void expect_page(struct trial_case *trial)
{
	const char *expected = json_text(trial->expect, "page", NULL);
	const json_t *last = NULL;
	bool poisoned;
	size_t index;
	json_t *record;

	if (!expected)
		return;
	if (strcmp(expected, "poisoned") != 0 && strcmp(expected, "intact") != 0)
		return unknown(trial,
			       "the scenario expects page '%s': it can be poisoned or intact",
			       expected);
	json_array_foreach (trial->records, index, record) {
		const json_t *body = record_body(record);
		const json_t *data = json_object_get(body, "data");

		if (strcmp(record_type(record), "event") == 0 && case_after_intent(trial, index) &&
		    strcmp(json_text(body, "witness", ""), "pageflags") == 0 &&
		    (!trial->pfn_count ||
		     case_owns_pfn(trial, (uint64_t)json_number(data, "pfn", 0))))
			last = record;
	}
	if (!last && strcmp(expected, "intact") == 0 && trial->touched_fine)
		return met(trial);
	if (!last)
		return unknown(trial, "no witness reported the flags of the page, expected %s",
			       expected);
	poisoned = json_is_true(
		json_object_get(json_object_get(record_body(last), "data"), "hwpoison"));
	case_cite(trial, last, "page");
	if (poisoned == (strcmp(expected, "poisoned") == 0))
		return met(trial);
	if (poisoned)
		return harmed(trial, "the page is poisoned, expected intact: %s", text_of(last));
	broken(trial, "the page is intact, expected poisoned: %s", text_of(last));
}

static const struct {
	const char *name;
	void (*compare)(struct trial_case *trial);
} expectations[] = {
	{"process", expect_process},
	{"delivered", expect_delivered},
	{"refused", expect_refused},
	{"host", expect_host},
	{"iommu", expect_iommu},
	{"signal", expect_signal},
	{"error", expect_error},
	{"data", expect_data},
	{"log", expect_log},
	{"not_log", expect_not_log},
	{"interrupts", expect_interrupts},
	{"corrupted_kb", expect_corrupted_kb},
	{"page", expect_page},
	{"axes", expect_axes_without_witness},
};

/**
 * case_compare - compare every expectation with the evidence
 * @trial: case whose axes have been read; its findings are filled in
 */
void case_compare(struct trial_case *trial)
{
	for (size_t i = 0; i < ARRAY_SIZE(expectations); i++) {
		size_t first = trial->finding_count;

		expectations[i].compare(trial);
		for (; first < trial->finding_count; first++)
			trial->findings[first].what = expectations[i].name;
	}
}
