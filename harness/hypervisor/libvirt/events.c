// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of libvirt. The callbacks run in the thread of libvirt's event loop.
 */
#include <libvirt/libvirt-qemu.h>
#include <libvirt/virterror.h>

#include "harness/hypervisor/libvirt/libvirt.h"

static json_t *event_of(virDomainPtr domain, const char *what)
{
	char uuid[VIR_UUID_STRING_BUFLEN] = "";

	virDomainGetUUIDString(domain, uuid);
	return json_pack("{s:s, s:s}", "uuid", uuid, "event", what);
}

/** virt_name - name of a value of an enumeration of libvirt, of which later versions may have more */
const char *virt_name(const char *const *names, size_t count, int index)
{
	return index >= 0 && (size_t)index < count ? names[index] : "unknown";
}

/* The orders are those of the enumerations of libvirt-domain.h. */
static const char *const states[] = {"defined", "undefined", "started",	    "suspended", "resumed",
				     "stopped", "shutdown",  "pmsuspended", "crashed"};
static const char *const stopped_details[] = {"shutdown", "destroyed", "crashed",      "migrated",
					      "saved",	  "failed",    "from-snapshot"};
static const char *const suspended_details[] = {"paused",    "migrated", "ioerror",
						"watchdog",  "restored", "from-snapshot",
						"api-error", "postcopy", "postcopy-failed"};
static const char *const resumed_details[] = {"unpaused", "migrated", "from-snapshot", "postcopy",
					      "postcopy-failed"};
static const char *const started_details[] = {"booted", "migrated", "restored", "from-snapshot",
					      "wakeup"};
static const char *const crashed_details[] = {"panicked", "crashloaded"};
static const char *const shutdown_details[] = {"finished", "guest", "host"};

static const char *detail_name(int state, int detail)
{
	switch (state) {
	case VIR_DOMAIN_EVENT_STARTED:
		return NAME_AT(started_details, detail);
	case VIR_DOMAIN_EVENT_SUSPENDED:
		return NAME_AT(suspended_details, detail);
	case VIR_DOMAIN_EVENT_RESUMED:
		return NAME_AT(resumed_details, detail);
	case VIR_DOMAIN_EVENT_STOPPED:
		return NAME_AT(stopped_details, detail);
	case VIR_DOMAIN_EVENT_SHUTDOWN:
		return NAME_AT(shutdown_details, detail);
	case VIR_DOMAIN_EVENT_CRASHED:
		return NAME_AT(crashed_details, detail);
	default:
		return "";
	}
}

/* Name of an event by state and detail. */
static const char *lifecycle_name(int state, int detail)
{
	if (state == VIR_DOMAIN_EVENT_CRASHED)
		return detail == VIR_DOMAIN_EVENT_CRASHED_PANICKED ? "panicked" : "crashed";
	if (state == VIR_DOMAIN_EVENT_SHUTDOWN)
		return "shutdown";
	/* QEMU ended without an event: libvirt reports "failed". */
	if (state == VIR_DOMAIN_EVENT_STOPPED && (detail == VIR_DOMAIN_EVENT_STOPPED_CRASHED ||
						  detail == VIR_DOMAIN_EVENT_STOPPED_FAILED))
		return "crashed";
	return "lifecycle";
}

static int on_lifecycle(virConnectPtr connection, virDomainPtr domain, int state, int detail,
			void *context)
{
	json_t *event = event_of(domain, lifecycle_name(state, detail));

	json_object_set_new(event, "state", json_string(NAME_AT(states, state)));
	json_object_set_new(event, "detail", json_string(detail_name(state, detail)));
	hypervisor_event(event);
	return 0;
}

static void on_memory_failure(virConnectPtr connection, virDomainPtr domain, int recipient,
			      int action, unsigned int flags, void *context)
{
	static const char *const recipients[] = {"hypervisor", "guest"};
	static const char *const actions[] = {"ignore", "inject", "fatal", "reset"};
	json_t *event = event_of(domain, "memory-failure");

	json_object_set_new(event, "recipient", json_string(NAME_AT(recipients, recipient)));
	json_object_set_new(event, "action", json_string(NAME_AT(actions, action)));
	json_object_set_new(event, "action_required",
			    json_boolean(flags & VIR_DOMAIN_MEMORY_FAILURE_ACTION_REQUIRED));
	json_object_set_new(event, "recursive",
			    json_boolean(flags & VIR_DOMAIN_MEMORY_FAILURE_RECURSIVE));
	hypervisor_event(event);
}

static void on_iteration(virConnectPtr connection, virDomainPtr domain, int iteration,
			 void *context)
{
	json_t *event = event_of(domain, "migration-iteration");

	json_object_set_new(event, "iteration", json_integer(iteration));
	hypervisor_event(event);
}

static json_t *parameter_value(const virTypedParameter *parameter)
{
	switch (parameter->type) {
	case VIR_TYPED_PARAM_INT:
		return json_integer(parameter->value.i);
	case VIR_TYPED_PARAM_UINT:
		return json_integer(parameter->value.ui);
	case VIR_TYPED_PARAM_LLONG:
		return json_integer(parameter->value.l);
	case VIR_TYPED_PARAM_ULLONG:
		return json_integer((json_int_t)parameter->value.ul);
	case VIR_TYPED_PARAM_DOUBLE:
		return json_real(parameter->value.d);
	case VIR_TYPED_PARAM_BOOLEAN:
		return json_boolean(parameter->value.b);
	case VIR_TYPED_PARAM_STRING:
		return json_string(parameter->value.s);
	default:
		return json_null();
	}
}

/** virt_statistics - convert typed parameters to an object. Return: owned by the caller */
json_t *virt_statistics(const virTypedParameter *parameters, int count)
{
	json_t *statistics = json_object();

	for (int i = 0; i < count; i++)
		json_object_set_new(statistics, parameters[i].field,
				    parameter_value(&parameters[i]));
	return statistics;
}

static void on_job_completed(virConnectPtr connection, virDomainPtr domain,
			     virTypedParameterPtr parameters, int count, void *context)
{
	json_t *event = event_of(domain, "job-completed");

	json_object_set_new(event, "statistics", virt_statistics(parameters, count));
	hypervisor_event(event);
}

/* QMP events of QEMU: stop and start of the processors of a guest. */
static void on_monitor(virConnectPtr connection, virDomainPtr domain, const char *name,
		       long long seconds, unsigned int micros, const char *details, void *context)
{
	json_t *event = event_of(domain, "monitor");

	json_object_set_new(event, "detail", json_string(name));
	json_object_set_new(event, "time_ns",
			    json_integer(seconds * NSEC_PER_SEC + (json_int_t)micros * 1000));
	hypervisor_event(event);
}

static void on_close(virConnectPtr connection, int reason, void *context)
{
	static const char *const reasons[] = {"an error of the stream", "its end",
					      "no answer to keepalive", "the client"};

	hypervisor_event(json_pack("{s:s, s:s}", "event", "connection-lost", "detail",
				   NAME_AT(reasons, reason)));
}

/** virt_watch_events - register for all events of a connection */
void virt_watch_events(virConnectPtr connection)
{
	static const struct {
		int id;
		virConnectDomainEventGenericCallback call;
	} wanted[] = {
		{VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle)},
		{VIR_DOMAIN_EVENT_ID_MEMORY_FAILURE, VIR_DOMAIN_EVENT_CALLBACK(on_memory_failure)},
		{VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, VIR_DOMAIN_EVENT_CALLBACK(on_iteration)},
		{VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, VIR_DOMAIN_EVENT_CALLBACK(on_job_completed)},
	};
	static const char *const monitored[] = {"STOP", "RESUME"};

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (virConnectDomainEventRegisterAny(connection, NULL, wanted[i].id, wanted[i].call,
						     NULL, NULL) < 0)
			hypervisor_event(json_pack("{s:s, s:i, s:s}", "event", "unwatched", "id",
						   wanted[i].id, "detail",
						   virGetLastErrorMessage()));
	for (size_t i = 0; i < ARRAY_SIZE(monitored); i++)
		if (virConnectDomainQemuMonitorEventRegister(connection, NULL, monitored[i],
							     on_monitor, NULL, NULL, 0) < 0)
			hypervisor_event(json_pack("{s:s, s:s}", "event", "unwatched", "detail",
						   virGetLastErrorMessage()));
	virConnectRegisterCloseCallback(connection, on_close, NULL, NULL);
}

/** virt_unwatch_events - deregister, before a connection is closed */
void virt_unwatch_events(virConnectPtr connection)
{
	virConnectUnregisterCloseCallback(connection, on_close);
}
