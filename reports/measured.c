// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the trials of a run have measured, for reports that show it by metric and not by trial.
 */
#include <string.h>

#include "harness/stats/stats.h"
#include "reports/measured.h"

/** measured_member - the object at a key of an object, which is made when there is none. Return: borrowed */
json_t *measured_member(json_t *object, const char *key)
{
	if (!json_object_get(object, key))
		json_object_set_new(object, key, json_object());
	return json_object_get(object, key);
}

static void take(json_t *known, const json_t *metric, const char *boot)
{
	const json_t *samples = json_object_get(metric, "samples");
	json_t *boots = measured_member(known, "boots"), *all;

	if (!json_object_get(boots, boot))
		json_object_set_new(boots, boot, json_array());
	all = json_object_get(boots, boot);
	if (json_is_array(samples))
		json_array_extend(all, (json_t *)samples);
	else if (json_is_number(json_object_get(metric, "value")))
		json_array_append(all, json_object_get(metric, "value"));
}

/** measured_name - name of a metric without the boot of its samples: NAME@BOOT has those of a second boot. Return: owned by the caller */
char *measured_name(const char *name)
{
	return xstrndup(name, strcspn(name, "@"));
}

/**
 * measured_take - add the metrics of a trial that passed; times of another one are times of something else
 * @measured: {SCENARIO: {METRIC: {"unit", "direction", "boots": {BOOT: [samples]}}}}. A trial without a known boot is one
 * @result:   of the trial
 */
void measured_take(json_t *measured, const json_t *result)
{
	const char *name;
	json_t *metric;

	if (!json_is(result, "verdict", "pass"))
		return;
	json_object_foreach (json_object_get(result, "metrics"), name, metric) {
		__cleanup_free char *plain = measured_name(name);
		json_t *known = measured_member(
			measured_member(measured, json_text(result, "scenario", "unknown")), plain);

		json_object_set_new(known, "unit", json_string(json_text(metric, "unit", "")));
		json_object_set_new(known, "direction",
				    json_string(json_text(metric, "direction", "none")));
		take(known, metric, json_text(metric, "boot", json_text(result, "trial", "?")));
	}
}

/**
 * measured_trial - take a trial into the state of a report, for measured_take() alone
 *
 * Return: 0, as the @trial of struct report.
 */
int measured_trial(FILE *out, const struct report_run *run, const struct report_trial *trial)
{
	if (!*run->state)
		*run->state = json_object();
	measured_take(*run->state, trial->result);
	return 0;
}

/** measured_boot - the median of the samples of a boot. Return: 0 or -errno of stats_median() */
int measured_boot(const json_t *samples, double *median)
{
	__cleanup_free double *values = xcalloc(json_array_size(samples) + 1, sizeof(*values));
	struct estimate estimate;
	json_t *sample;
	size_t index;
	int error;

	json_array_foreach ((json_t *)samples, index, sample)
		values[index] = json_number_value(sample);
	error = stats_median(values, json_array_size(samples), 0.95, &estimate);
	if (!error)
		*median = estimate.value;
	return error;
}

/**
 * measured_median - the median of the medians of the boots
 * @metric: of measured_take()
 * @median: receives it
 *
 * Return: whether there is one.
 */
bool measured_median(const json_t *metric, double *median)
{
	const json_t *boots = json_object_get(metric, "boots");
	__cleanup_free double *medians = xcalloc(json_object_size(boots) + 1, sizeof(*medians));
	struct estimate estimate;
	json_t *samples;
	const char *boot;
	size_t count = 0;

	json_object_foreach ((json_t *)boots, boot, samples)
		count += measured_boot(samples, &medians[count]) == 0;
	if (stats_median(medians, count, 0.95, &estimate))
		return false;
	*median = estimate.value;
	return true;
}
