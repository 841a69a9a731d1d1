// SPDX-License-Identifier: GPL-2.0-only
/*
 * The call guest.start: creates a micro guest, or looks up a domain of the user. The hello of the guest completes it.
 */
#include <errno.h>
#include <string.h>

#include "harness/hypervisor/service.h"
#include "harness/link/guest_service.h"

#define MAKE_TIMEOUT_MS 60000
#define HELLO_TIMEOUT_MS 60000
#define DESTROY_TIMEOUT_MS 10000
/* A pipe holds 64 KiB, and each read gets a quarter of it. The number of reads is bounded. */
#define CONSOLE_READS_MOST 8
#define CONSOLE_SHOWN_BYTES 300
#define LOG_SHOWN_BYTES 200

/** domain_answer_failure - answer a failed guest.start, after its domain was destroyed, or could not be */
void domain_answer_failure(struct agent *agent, struct domain_guest *guest)
{
	__cleanup_free char *text = steal(guest->failure);
	struct reason why;

	/* If the agent ends, no call waits for the answer. */
	if (!guest->ticket.id)
		return;
	fail(&why, guest->failure_errno, "%s", text);
	agent_answer(agent, &guest->ticket, guest->failure_errno, NULL, &why);
}

/* Return: the ends of the console and of the log, for the reason of a failed start. Owned by the caller; may be empty. */
static char *console_and_log(const struct domain_guest *guest)
{
	__cleanup_free char *shown =
		guest->console ? console_tail(guest->console, CONSOLE_SHOWN_BYTES) : xstrdup("");
	__cleanup_free char *log =
		domain_log_tail(hypervisor_here()->log, guest->domain, LOG_SHOWN_BYTES);

	return format_text("%s%s%s%s",
			   *shown	    ? "; its console ends with: "
			   : guest->console ? "; its console has shown nothing"
					    : "",
			   shown, *log ? "; the log of its QEMU ends with: " : "", log);
}

/**
 * domain_fail_start - fail a start: record the reason with console and log, and destroy the domain
 *
 * The call is answered when the domain is gone, so that the next start of the guest does not find it.
 */
void domain_fail_start(struct agent *agent, struct domain_guest *guest, int error,
		       const struct reason *why)
{
	__cleanup_free char *last = NULL;

	for (int i = 0; i < CONSOLE_READS_MOST; i++)
		domain_take_console(agent, guest);
	last = console_and_log(guest);
	free(guest->failure);
	guest->failure = format_text("guest.start of '%s': %.400s%s", guest->name, why->text, last);
	guest->failure_errno = error;
	if (guest->ours && guest->stage == DOMAIN_GREETING) {
		domain_destroy(agent, guest);
		return;
	}
	domain_answer_failure(agent, guest);
	domain_remove(agent, guest);
}

/** domain_fail_ended - fail a start whose domain ended before the hello of the guest */
void domain_fail_ended(struct agent *agent, struct domain_guest *guest)
{
	struct reason why;

	guest->stage = DOMAIN_GONE;
	fail(&why, -EHOSTDOWN, "it ended before its hello (%s%s%s)", guest->ending,
	     *guest->shutdown_by ? " by the " : "", guest->shutdown_by);
	domain_fail_start(agent, guest, -EHOSTDOWN, &why);
}

/** domain_facts - facts of a guest on this host. Return: owned by the caller */
json_t *domain_facts(const struct domain_guest *guest)
{
	__cleanup_free char *policy = transparent_pages_policy();

	json_t *facts = json_pack(
		"{s:s, s:I, s:I, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:O*, s:I, s:I, s:b}", "kind",
		guest->ours ? "micro" : "domain", "cid", (json_int_t)guest->cid, "port",
		(json_int_t)guest->port, "pid", (int)guest->pid, "domain", guest->domain, "uuid",
		guest->uuid, "boot_id", guest->boot_id ?: "?", "kernel", guest->kernel ?: "?",
		"backing", *guest->backing ? guest->backing : "unknown", "transparent_hugepages",
		policy ? policy : "none", "software", guest->software, "made_ns",
		(json_int_t)(guest->made_ns ? guest->made_ns - guest->started_ns : 0), "hello_ns",
		(json_int_t)(guest->hello_ns ? guest->hello_ns - guest->started_ns : 0),
		"local_migration", hypervisor_here()->local);

	json_object_update_missing(facts, guest->software);
	return facts;
}

/** domain_take_description - store the description of the hypervisor */
void domain_take_description(struct domain_guest *guest, const struct hypervisor_job *job)
{
	snprintf(guest->uuid, sizeof(guest->uuid), "%s",
		 json_text(job->reply, "uuid", guest->uuid));
	json_decref(guest->software);
	guest->software = json_incref(json_object_get(job->reply, "software"));
	guest->pid = job->pid;
	guest->made_ns = now_monotonic_ns();
}

static void take_hello(struct domain_guest *guest, const json_t *hello)
{
	free(guest->boot_id);
	free(guest->kernel);
	guest->boot_id = xstrdup(json_text(hello, "boot_id", "?"));
	guest->kernel = xstrdup(json_text(hello, "kernel", "?"));
	guest->hello_ns = now_monotonic_ns();
}

static void finish_start(struct agent *agent, struct domain_guest *guest, const json_t *hello)
{
	take_hello(guest, hello);
	guest->stage = DOMAIN_RUNNING;
	agent_answer(agent, &guest->ticket, 0, domain_facts(guest), NULL);
}

static void on_guest_event(struct agent *agent, const json_t *event)
{
	struct domain_guest *guest = domain_find(agent, json_text(event, "guest", ""));

	if (!guest || !json_is(event, "what", "hello"))
		return;
	if (guest->stage == DOMAIN_GREETING)
		finish_start(agent, guest, json_object_get(event, "said"));
	else
		take_hello(guest, json_object_get(event, "said"));
}

REGISTERED(guest_listener, domain_listener) = {.name = "domain", .event = on_guest_event};

/* A guest that connected before guest.start has sent its hello already: request it again. */
static void then_greet(struct agent *agent, void *context, int error, const json_t *reply,
		       const struct reason *why)
{
	__cleanup_free char *name = context;
	struct domain_guest *guest = domain_find(agent, name);

	if (!guest || guest->stage != DOMAIN_GREETING)
		return;
	if (error)
		domain_fail_start(agent, guest, error, why);
	else
		finish_start(agent, guest, reply);
}

static void greet(struct agent *agent, struct domain_guest *guest)
{
	__cleanup_json json_t *list = guest_link_list(guest_service_link(agent));
	json_t *entry;
	size_t index;

	json_array_foreach (list, index, entry) {
		char *name;

		if (strcmp(json_text(entry, "guest", ""), guest->name) != 0 ||
		    !json_is_true(json_object_get(entry, "greeted")))
			continue;
		name = xstrdup(guest->name);
		if (guest_service_call(agent, name, "hello", HELLO_TIMEOUT_MS, then_greet, name,
				       NULL))
			free(name);
	}
}

static int work_make(void *session, struct hypervisor_job *job)
{
	int error = hypervisor_here()->claim(session, job);

	if (error)
		return error;
	domain_disclaim(job->guest);
	return hypervisor_here()->start(session, job);
}

/* Without its process, a domain of the user can still be watched. */
static int work_find(void *session, struct hypervisor_job *job)
{
	int error = hypervisor_here()->find(session, job);

	return error == -ESRCH ? 0 : error;
}

/** domain_link - make the guest link expect a guest at the address of its domain. Return: 0 or -errno */
int domain_link(struct agent *agent, struct domain_guest *guest, const json_t *description,
		struct reason *why)
{
	const char *socket = json_text(description, "serial", NULL);

	guest->cid = (unsigned int)json_number(description, "cid", 0);
	if (guest->cid)
		return guest_link_expect(guest_service_link(agent), guest->name, guest->cid, why);
	if (socket)
		return guest_link_connect(guest_service_link(agent), guest->name, socket,
					  guest->received, why);
	return fail(why, -ENODEV,
		    "the domain '%s' has neither a <vsock> with a CID nor a <channel type='unix'> "
		    "whose virtio target is called " GUEST_SERIAL_NAME ": add one of them",
		    guest->domain);
}

static void done_make(struct agent *agent, struct hypervisor_job *job)
{
	struct domain_guest *guest = domain_guest_of_job(agent, job);
	struct reason why;
	int error;

	if (!guest || guest->stage != DOMAIN_MAKING)
		return;
	/* Events may come before the result of the job: the domain has ended already. */
	if (*guest->ending) {
		domain_fail_ended(agent, guest);
		return;
	}
	if (job->error) {
		domain_fail_start(agent, guest, job->error, &job->why);
		return;
	}
	domain_take_description(guest, job);
	guest->stage = DOMAIN_GREETING;
	error = domain_link(agent, guest, job->reply, &why);
	if (error)
		domain_fail_start(agent, guest, error, &why);
	else if (guest->stage == DOMAIN_GREETING)
		greet(agent, guest);
}

static void give_up_make(struct agent *agent, struct hypervisor_job *job, const struct reason *why)
{
	struct domain_guest *guest = domain_guest_of_job(agent, job);

	if (guest && guest->stage == DOMAIN_MAKING)
		domain_fail_start(agent, guest, -ETIMEDOUT, why);
}

/* Destroy a domain that was created after its call timed out. */
static void destroy_late(struct agent *agent, struct hypervisor_job *job)
{
	struct domain_guest made = {.name = job->guest, .domain = job->domain};

	if (job->error)
		return;
	snprintf(made.uuid, sizeof(made.uuid), "%s", job->uuid);
	(void)job_start(job_new(&made, hypervisor_here()->stop), DESTROY_TIMEOUT_MS, NULL);
}

static int make_uuid(char uuid[static UUID_BYTES], struct reason *why)
{
	__cleanup_free char *text = NULL;
	int error = read_small_file("/proc/sys/kernel/random/uuid", &text, NULL);

	if (error)
		return fail_errno(why, error, "read /proc/sys/kernel/random/uuid");
	snprintf(uuid, UUID_BYTES, "%.36s", text);
	return 0;
}

static int start_making(struct agent *agent, struct domain_guest *guest, const json_t *arguments,
			struct reason *why)
{
	int64_t timeout = json_number(arguments, "timeout_ms", HELLO_TIMEOUT_MS);
	struct hypervisor_job *job;
	char *xml = NULL;
	int error = 0;

	if (guest->ours)
		error = make_uuid(guest->uuid, why);
	if (!error && guest->ours)
		error = domain_make_files(guest, arguments, &xml, why);
	if (error) {
		struct reason inner = *why;

		return fail(why, error, "guest.start of '%s': %.900s", guest->name, inner.text);
	}
	job = job_new(guest, guest->ours ? work_make : work_find);
	job->text = xml;
	job->done = done_make;
	job->given_up = give_up_make;
	job->late = guest->ours ? destroy_late : NULL;
	guest->until_ns = now_monotonic_ns() + timeout * NSEC_PER_MSEC;
	error = job_start(job, MAKE_TIMEOUT_MS, why);
	if (!error)
		guest->ticket = agent_later(agent);
	return error;
}

int serve_guest_start(struct agent *agent, const json_t *arguments, json_t **reply,
		      struct reason *why)
{
	const char *name = json_text(arguments, "name", "");
	struct domain_guest *guest = domain_find(agent, name);
	unsigned int port = GUEST_VSOCK_PORT;
	bool ours;
	int error = domain_take_name("guest.start", arguments, &ours, why);

	if (error)
		return error;
	if (guest && guest->stage != DOMAIN_GONE)
		return fail(why, -EEXIST, "guest.start: there is a guest '%s' already", name);
	if (guest)
		domain_remove(agent, guest);
	error = domain_listen(agent, ours, &port, why);
	if (error == -EADDRINUSE) {
		port = 0;
		error = domain_listen(agent, ours, &port, why);
	}
	if (error)
		return error;
	guest = domain_add(agent, name, ours, json_text(arguments, "domain", ""));
	guest->port = port;
	error = start_making(agent, guest, arguments, why);
	if (!error)
		return AGENT_LATER;
	domain_remove(agent, guest);
	return error;
}
