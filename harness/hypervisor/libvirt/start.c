// SPDX-License-Identifier: GPL-2.0-only
/*
 * The call guest.start: makes a micro guest, or takes a domain of the user as it is, and is answered at its hello.
 */
#include <errno.h>
#include <string.h>

#include "harness/hypervisor/libvirt/service.h"
#include "harness/link/guest_service.h"
#include "harness/guestd/guestd.h"

#define MAKE_TIMEOUT_MS 60000
#define HELLO_TIMEOUT_MS 60000
#define DESTROY_TIMEOUT_MS 10000
/* A pipe holds 64 KiB, of which each read takes a quarter; a guest that does not end its lines is not waited for. */
#define CONSOLE_READS_MOST 8

/** domain_answer_failure - guest.start has failed, and its domain is gone, or does not go */
void domain_answer_failure(struct agent *agent, struct domain_guest *guest)
{
	__cleanup_free char *text = steal(guest->failure);
	struct reason why;

	/* The agent ends: nobody waits any more. */
	if (!guest->ticket.id)
		return;
	fail(&why, guest->failure_errno, "%s", text);
	agent_answer(agent, &guest->ticket, guest->failure_errno, NULL, &why);
}

/**
 * domain_fail_start - a start that failed: says why, with what the guest has left behind, and takes away what was made
 *
 * The answer comes when the domain is gone: whoever starts the guest once more must not find it there.
 */
void domain_fail_start(struct agent *agent, struct domain_guest *guest, int error,
		       const struct reason *why)
{
	__cleanup_free char *last = NULL;

	for (int i = 0; i < CONSOLE_READS_MOST; i++)
		domain_take_console(agent, guest);
	last = domain_last_words(guest->domain, guest->console);
	free(guest->failure);
	guest->failure = format_text("guest.start of '%s': %.400s%s", guest->name, why->text, last);
	guest->failure_errno = error;
	if (guest->ours && guest->stage == DOMAIN_GREETING) {
		domain_destroy(agent, guest);
		return;
	}
	domain_answer_failure(agent, guest);
	domain_forget(agent, guest);
}

/** domain_fail_ended - its domain was there, and ended before the guest said hello */
void domain_fail_ended(struct agent *agent, struct domain_guest *guest)
{
	struct reason why;

	guest->stage = DOMAIN_GONE;
	fail(&why, -EHOSTDOWN, "it ended before its hello (%s%s%s)", guest->ending,
	     *guest->shutdown_by ? " by the " : "", guest->shutdown_by);
	domain_fail_start(agent, guest, -EHOSTDOWN, &why);
}

/** domain_facts - what a guest is, on this host. Return: owned by the caller */
json_t *domain_facts(const struct domain_guest *guest)
{
	__cleanup_free char *policy = transparent_pages_policy();

	return json_pack(
		"{s:s, s:I, s:I, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "kind",
		guest->ours ? "micro" : "domain", "cid", (json_int_t)guest->cid, "port",
		(json_int_t)guest->port, "pid", (int)guest->pid, "domain", guest->domain, "uuid",
		guest->uuid, "boot_id", guest->boot_id ? guest->boot_id : "?", "kernel",
		guest->kernel ? guest->kernel : "?", "backing",
		*guest->backing ? guest->backing : "unknown", "transparent_hugepages",
		policy ? policy : "none", "qemu", guest->qemu, "libvirt", guest->libvirt, "made_ns",
		(json_int_t)(guest->made_ns ? guest->made_ns - guest->started_ns : 0), "hello_ns",
		(json_int_t)(guest->hello_ns ? guest->hello_ns - guest->started_ns : 0));
}

/** domain_take_description - keep what domain_describe() has found */
void domain_take_description(struct domain_guest *guest, const struct virt_job *job)
{
	snprintf(guest->uuid, sizeof(guest->uuid), "%s",
		 json_text(job->reply, "uuid", guest->uuid));
	snprintf(guest->qemu, sizeof(guest->qemu), "%s", json_text(job->reply, "qemu", ""));
	snprintf(guest->libvirt, sizeof(guest->libvirt), "%s",
		 json_text(job->reply, "libvirt", ""));
	guest->pid = job->pid;
	guest->made_ns = now_monotonic_ns();
}

static void take_hello(struct domain_guest *guest, const json_t *hello)
{
	free(guest->boot_id);
	free(guest->kernel);
	guest->boot_id = strdup(json_text(hello, "boot_id", "?"));
	guest->kernel = strdup(json_text(hello, "kernel", "?"));
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

	if (!guest || strcmp(json_text(event, "what", ""), "hello") != 0)
		return;
	if (guest->stage == DOMAIN_GREETING)
		finish_start(agent, guest, json_object_get(event, "said"));
	else
		take_hello(guest, json_object_get(event, "said"));
}

static const struct guest_listener domain_listener = {.name = "domain", .event = on_guest_event};

REGISTER(guest_listener, domain_listener);

/* One that was connected before it was asked for has said its hello already: it is asked again. */
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
		name = strdup(guest->name);
		if (guest_service_call(agent, name, "hello", HELLO_TIMEOUT_MS, then_greet, name,
				       NULL))
			free(name);
	}
}

/* A domain of the user: what it has must do, and is not changed. */
static int work_look_up(virConnectPtr connection, struct virt_job *job)
{
	virDomainPtr domain = virDomainLookupByName(connection, job->domain);
	int state = VIR_DOMAIN_NOSTATE, error = 0;

	if (!domain)
		return virt_fail(&job->why, "look up the domain '%s'", job->domain);
	if (virDomainGetState(domain, &state, NULL, 0) < 0)
		error = virt_fail(&job->why, "ask for the state of domain '%s'", job->domain);
	else if (state != VIR_DOMAIN_RUNNING)
		error = fail(&job->why, -EHOSTDOWN,
			     "the domain '%s' does not run (its state is %d): start it, brinell "
			     "does not",
			     job->domain, state);
	if (!error)
		error = domain_describe(connection, domain, job);
	virDomainFree(domain);
	/* Without its process, it can be watched all the same. */
	return error == -ESRCH ? 0 : error;
}

static int work_make(virConnectPtr connection, struct virt_job *job)
{
	virDomainPtr domain;
	int error = domain_make_room(connection, job);

	if (error)
		return error;
	domain_disclaim(job->guest);
	domain = virDomainCreateXML(connection, job->text, 0);
	if (!domain)
		return virt_fail(&job->why, "make the domain '%s'", job->domain);
	error = domain_describe(connection, domain, job);
	if (error)
		virDomainDestroy(domain);
	virDomainFree(domain);
	return error;
}

/** domain_link - have the link expect a guest where the XML of its domain says. Return: 0 or -errno */
int domain_link(struct agent *agent, struct domain_guest *guest, const char *xml,
		struct reason *why)
{
	__cleanup_free char *socket = domain_serial_socket(xml, GUEST_SERIAL_NAME);

	guest->cid = domain_cid(xml);
	if (guest->cid)
		return guest_link_expect(guest_service_link(agent), guest->name, guest->cid, why);
	if (socket)
		return guest_link_connect(guest_service_link(agent), guest->name, socket, why);
	return fail(why, -ENODEV,
		    "the domain '%s' has neither a <vsock> with a CID nor a <channel type='unix'> "
		    "whose virtio target is called " GUEST_SERIAL_NAME ": add one of them",
		    guest->domain);
}

static void done_make(struct agent *agent, struct virt_job *job)
{
	struct domain_guest *guest = domain_guest_of_job(agent, job);
	struct reason why;
	int error;

	if (!guest || guest->stage != DOMAIN_MAKING)
		return;
	/* Events overtake jobs: it was made, and is gone already. */
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
	error = domain_link(agent, guest, job->answer, &why);
	if (error)
		domain_fail_start(agent, guest, error, &why);
	else if (guest->stage == DOMAIN_GREETING)
		greet(agent, guest);
}

static void give_up_make(struct agent *agent, struct virt_job *job, const struct reason *why)
{
	struct domain_guest *guest = domain_guest_of_job(agent, job);

	if (guest && guest->stage == DOMAIN_MAKING)
		domain_fail_start(agent, guest, -ETIMEDOUT, why);
}

/* A domain that was made after nobody waited for it any more. */
static void destroy_late(struct agent *agent, struct virt_job *job)
{
	struct domain_guest made = {.name = job->guest, .domain = job->domain};

	(void)agent;
	if (job->error)
		return;
	snprintf(made.uuid, sizeof(made.uuid), "%s", job->uuid);
	(void)virt_start(domain_job(&made, domain_work_destroy), DESTROY_TIMEOUT_MS, NULL);
}

static int make_uuid(char uuid[static VIR_UUID_STRING_BUFLEN], struct reason *why)
{
	__cleanup_free char *text = NULL;
	int error = read_small_file("/proc/sys/kernel/random/uuid", &text, NULL);

	if (error)
		return fail(why, error, "read /proc/sys/kernel/random/uuid: %s", strerror(-error));
	snprintf(uuid, VIR_UUID_STRING_BUFLEN, "%.36s", text);
	return 0;
}

static int start_making(struct agent *agent, struct domain_guest *guest, const json_t *arguments,
			struct reason *why)
{
	int64_t patience = json_number(arguments, "timeout_ms", HELLO_TIMEOUT_MS);
	struct virt_job *job;
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
	job = domain_job(guest, guest->ours ? work_make : work_look_up);
	job->text = xml;
	job->done = done_make;
	job->given_up = give_up_make;
	job->late = guest->ours ? destroy_late : NULL;
	guest->until_ns = now_monotonic_ns() + patience * NSEC_PER_MSEC;
	error = virt_start(job, MAKE_TIMEOUT_MS, why);
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

	(void)reply;
	if (error)
		return error;
	if (guest && guest->stage != DOMAIN_GONE)
		return fail(why, -EEXIST, "guest.start: there is a guest '%s' already", name);
	if (guest)
		domain_forget(agent, guest);
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
	domain_forget(agent, guest);
	return error;
}
