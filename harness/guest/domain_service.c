// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls that start, watch and stop guests through libvirt. A domain that this agent did not make is never changed:
 * it is looked up by its name, and left as it is.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <libvirt/virterror.h>

#include "harness/guest/domain_service.h"
#include "harness/guest/guest_service.h"
#include "harness/guest/program.h"

#define MAKE_TIMEOUT_MS 60000
#define HELLO_TIMEOUT_MS 60000
#define STOP_TIMEOUT_MS 10000
#define DESTROY_TIMEOUT_MS 10000
#define CLOSE_TIMEOUT_MS 5000
#define SURVEY_PAUSE_NS NSEC_PER_SEC
#define MEMORY_LEAST_MIB 64
#define MEMORY_MOST_MIB (1 << 20)
#define PROCESSORS_MOST 256

/*
 * @survey_ns: when the guests are looked after, because the connection was lost; 0 for not at all
 */
struct domains {
	struct domain_guest *first;
	int64_t survey_ns;
};

static const struct agent_service domain_service;

static struct domains *domains_of(const struct agent *agent)
{
	return agent_state(agent, &domain_service);
}

static struct domain_guest *find(const struct agent *agent, const char *name)
{
	struct domain_guest *guest = domains_of(agent)->first;

	while (guest && strcmp(guest->name, name) != 0)
		guest = guest->next;
	return guest;
}

/* The guest of a job, unless it was forgotten meanwhile, and another one has its name. */
static struct domain_guest *guest_of_job(const struct agent *agent, const struct virt_job *job)
{
	struct domain_guest *guest = find(agent, job->guest);

	return guest && strcmp(guest->uuid, job->uuid) == 0 ? guest : NULL;
}

/** domain_guest_find - the guest that a call is about, while it runs. Return: NULL with a reason */
struct domain_guest *domain_guest_find(const struct agent *agent, const json_t *arguments,
				       const char *call, struct reason *why)
{
	const char *name = json_text(arguments, "name", "");
	struct domain_guest *guest = find(agent, name);

	if (!guest)
		fail(why, -ENOENT, "%s: no guest '%s' was started; guest.start does it", call,
		     name);
	else if (guest->stage == DOMAIN_GONE)
		fail(why, -ENOENT, "%s: guest '%s' has ended", call, name);
	return guest && guest->stage != DOMAIN_GONE ? guest : NULL;
}

/** domain_job - a job about a guest, to be filled in and started. Return: it; never NULL */
struct virt_job *domain_job(const struct domain_guest *guest,
			    int (*work)(virConnectPtr connection, struct virt_job *job))
{
	struct virt_job *job = calloc(1, sizeof(*job));

	if (!job)
		abort();
	job->work = work;
	snprintf(job->guest, sizeof(job->guest), "%s", guest->name);
	snprintf(job->domain, sizeof(job->domain), "%s", guest->domain);
	snprintf(job->uuid, sizeof(job->uuid), "%s", guest->uuid);
	return job;
}

static void answer_job(struct agent *agent, struct virt_job *job)
{
	agent_answer(agent, &job->ticket, job->error, steal(job->reply), &job->why);
}

static void answer_late_job(struct agent *agent, struct virt_job *job, const struct reason *why)
{
	agent_answer(agent, &job->ticket, -ETIMEDOUT, NULL, why);
}

/** domain_job_answered - start a job whose result is the answer of the call that is served now */
int domain_job_answered(struct agent *agent, struct virt_job *job, int64_t timeout_ms,
			struct reason *why)
{
	int error;

	job->done = answer_job;
	job->given_up = answer_late_job;
	job->ticket = agent_later(agent);
	error = virt_start(job, timeout_ms, why);
	return error ? error : AGENT_LATER;
}

/** domain_of_job - in a job: its domain, by UUID. Return: NULL with the job's error */
virDomainPtr domain_of_job(virConnectPtr connection, struct virt_job *job)
{
	virDomainPtr domain = virDomainLookupByUUIDString(connection, job->uuid);

	if (!domain)
		job->error = virt_fail(&job->why, "look up the domain of guest '%s'", job->guest);
	return domain;
}

static void on_console_line(void *context, const char *text)
{
	void **pair = context;
	struct domain_guest *guest = pair[1];

	agent_emit(pair[0], "guest-console", now_realtime_ns(), text,
		   json_pack("{s:s}", "guest", guest->name));
}

static void take_console(struct agent *agent, struct domain_guest *guest)
{
	struct pollfd state = {.events = POLLIN};
	void *pair[] = {agent, guest};

	if (!guest->console || console_fd(guest->console) < 0)
		return;
	state.fd = console_fd(guest->console);
	if (poll(&state, 1, 0) <= 0)
		return;
	if (state.revents & POLLIN)
		console_read(guest->console, on_console_line, pair);
	else if (state.revents & (POLLHUP | POLLERR))
		console_end(guest->console, on_console_line, pair);
}

/* Forgets a guest, and removes what was made for it. */
static void forget(struct agent *agent, struct domain_guest *guest)
{
	struct domain_guest **at = &domains_of(agent)->first;
	__cleanup_free char *initramfs = format_text("%s/initramfs", guest->directory);

	while (*at != guest)
		at = &(*at)->next;
	*at = guest->next;
	(void)guest_link_forget(guest_service_link(agent), guest->name, NULL);
	console_free(guest->console);
	if (guest->ours) {
		unlink(initramfs);
		rmdir(guest->directory);
	}
	json_decref(guest->ticket.id);
	free(guest->name);
	free(guest->domain);
	free(guest->directory);
	free(guest);
}

static int work_destroy(virConnectPtr connection, struct virt_job *job)
{
	virDomainPtr domain = virDomainLookupByUUIDString(connection, job->uuid);
	int error = 0;

	/* It has ended by itself: a transient domain leaves nothing. */
	if (!domain && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN)
		return 0;
	if (!domain || virDomainDestroy(domain) < 0)
		error = virt_fail(&job->why, "destroy the domain of guest '%s'", job->guest);
	if (domain)
		virDomainFree(domain);
	return error == -ENOENT || (error == -EINVAL && domain) ? 0 : error;
}

static void answer_stop(struct agent *agent, struct domain_guest *guest, int error,
			const struct reason *why)
{
	json_t *reply =
		json_pack("{s:b, s:b}", "stopped", guest->ours, "graceful", guest->graceful);

	if (guest->ticket.id)
		agent_answer(agent, &guest->ticket, error, reply, why);
	else
		json_decref(reply);
	if (!error)
		forget(agent, guest);
	else
		guest->stage = DOMAIN_RUNNING;
}

static void done_destroy(struct agent *agent, struct virt_job *job)
{
	struct domain_guest *guest = guest_of_job(agent, job);

	if (guest && guest->stage == DOMAIN_DESTROYING)
		answer_stop(agent, guest, job->error, &job->why);
}

static void give_up_destroy(struct agent *agent, struct virt_job *job, const struct reason *why)
{
	struct domain_guest *guest = guest_of_job(agent, job);

	if (guest && guest->stage == DOMAIN_DESTROYING)
		answer_stop(agent, guest, -ETIMEDOUT, why);
}

static void destroy(struct agent *agent, struct domain_guest *guest)
{
	struct virt_job *job = domain_job(guest, work_destroy);
	struct reason why;
	int error;

	guest->stage = DOMAIN_DESTROYING;
	job->done = done_destroy;
	job->given_up = give_up_destroy;
	error = virt_start(job, DESTROY_TIMEOUT_MS, &why);
	if (error)
		answer_stop(agent, guest, error, &why);
}

/* A start that failed: says why, with what the console showed last, and takes away what was made. */
static void fail_start(struct agent *agent, struct domain_guest *guest, int error,
		       const struct reason *why)
{
	__cleanup_free char *tail = NULL;
	struct reason whole;

	take_console(agent, guest);
	tail = guest->console ? console_tail(guest->console) : strdup("");
	fail(&whole, error, "guest.start of '%s': %.500s%s%s", guest->name, why->text,
	     *tail ? "; its console ends with: " : "", tail);
	agent_answer(agent, &guest->ticket, error, NULL, &whole);
	if (guest->ours && guest->stage == DOMAIN_GREETING)
		destroy(agent, guest);
	else
		forget(agent, guest);
}

static void finish_start(struct agent *agent, struct domain_guest *guest, const json_t *hello)
{
	int64_t now = now_monotonic_ns();

	guest->stage = DOMAIN_RUNNING;
	agent_answer(agent, &guest->ticket, 0,
		     json_pack("{s:s, s:I, s:i, s:s, s:s, s:s, s:s, s:I, s:I}", "kind",
			       guest->ours ? "micro" : "domain", "cid", (json_int_t)guest->cid,
			       "pid", (int)guest->pid, "domain", guest->domain, "uuid", guest->uuid,
			       "boot_id", json_text(hello, "boot_id", "?"), "kernel",
			       json_text(hello, "kernel", "?"), "made_ns",
			       (json_int_t)(guest->made_ns - guest->started_ns), "hello_ns",
			       (json_int_t)(now - guest->started_ns)),
		     NULL);
}

static void on_guest_event(struct agent *agent, const json_t *event)
{
	struct domain_guest *guest = find(agent, json_text(event, "guest", ""));

	if (guest && guest->stage == DOMAIN_GREETING &&
	    strcmp(json_text(event, "what", ""), "hello") == 0)
		finish_start(agent, guest, json_object_get(event, "said"));
}

static const struct guest_listener domain_listener = {.name = "domain", .event = on_guest_event};

REGISTER(guest_listener, domain_listener);

/* One that was connected before it was asked for has said its hello already: it is asked again. */
static void then_greet(struct agent *agent, void *context, int error, const json_t *reply,
		       const struct reason *why)
{
	__cleanup_free char *name = context;
	struct domain_guest *guest = find(agent, name);

	if (!guest || guest->stage != DOMAIN_GREETING)
		return;
	if (error)
		fail_start(agent, guest, error, why);
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
		job->answer = virDomainGetXMLDesc(domain, 0);
	if (!error && !job->answer)
		error = virt_fail(&job->why, "ask for the XML of domain '%s'", job->domain);
	if (!error) {
		char uuid[VIR_UUID_STRING_BUFLEN] = "";

		virDomainGetUUIDString(domain, uuid);
		job->reply = json_pack("{s:s}", "uuid", uuid);
		(void)qemu_find(job->domain, uuid, &job->pid, NULL);
	}
	virDomainFree(domain);
	return error;
}

/* What an agent that was killed has left behind is cleared away; any other domain of that name stays as it is. */
static int make_room(virConnectPtr connection, struct virt_job *job)
{
	virDomainPtr domain = virDomainLookupByName(connection, job->domain);
	__cleanup_free char *owner = NULL;
	int error = 0;

	if (!domain)
		return 0;
	owner = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_DESCRIPTION, NULL, 0);
	if (!owner || !domain_is_orphan(owner))
		error = fail(&job->why, -EEXIST,
			     "there is a domain '%s' already, of another agent (%s): choose "
			     "another name, or "
			     "end it by 'virsh destroy %s'",
			     job->domain, owner ? owner : "it does not say which", job->domain);
	else if (virDomainDestroy(domain) < 0)
		error = virt_fail(&job->why, "destroy the domain '%s' that another agent left",
				  job->domain);
	virDomainFree(domain);
	return error;
}

static int work_make(virConnectPtr connection, struct virt_job *job)
{
	virDomainPtr domain;
	int error = make_room(connection, job);

	if (error)
		return error;
	domain = virDomainCreateXML(connection, job->text, 0);
	if (!domain)
		return virt_fail(&job->why, "make the domain '%s'", job->domain);
	job->answer = virDomainGetXMLDesc(domain, 0);
	if (!job->answer)
		error = virt_fail(&job->why, "ask for the XML of domain '%s'", job->domain);
	if (!error)
		error = qemu_find(job->domain, job->uuid, &job->pid, &job->why);
	if (error)
		virDomainDestroy(domain);
	virDomainFree(domain);
	return error;
}

static int link_guest(struct agent *agent, struct domain_guest *guest, const char *xml,
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
	struct domain_guest *guest = guest_of_job(agent, job);
	const char *uuid = json_text(job->reply, "uuid", NULL);
	struct reason why;
	int error;

	if (!guest || guest->stage != DOMAIN_MAKING)
		return;
	if (job->error) {
		fail_start(agent, guest, job->error, &job->why);
		return;
	}
	if (uuid)
		snprintf(guest->uuid, sizeof(guest->uuid), "%s", uuid);
	guest->pid = job->pid;
	guest->made_ns = now_monotonic_ns();
	guest->stage = DOMAIN_GREETING;
	error = link_guest(agent, guest, job->answer, &why);
	if (error)
		fail_start(agent, guest, error, &why);
	else if (!guest->ours)
		greet(agent, guest);
}

static void give_up_make(struct agent *agent, struct virt_job *job, const struct reason *why)
{
	struct domain_guest *guest = guest_of_job(agent, job);

	if (guest && guest->stage == DOMAIN_MAKING)
		fail_start(agent, guest, -ETIMEDOUT, why);
}

static void done_nothing(struct agent *agent, struct virt_job *job)
{
	(void)agent;
	(void)job;
}

static void give_up_nothing(struct agent *agent, struct virt_job *job, const struct reason *why)
{
	(void)agent;
	(void)job;
	(void)why;
}

/* A domain that was made after nobody waited for it any more. */
static void destroy_late(struct agent *agent, struct virt_job *job)
{
	struct domain_guest made = {.name = job->guest, .domain = job->domain};
	struct virt_job *ending;

	(void)agent;
	if (job->error)
		return;
	snprintf(made.uuid, sizeof(made.uuid), "%s", job->uuid);
	ending = domain_job(&made, work_destroy);
	ending->done = done_nothing;
	ending->given_up = give_up_nothing;
	(void)virt_start(ending, DESTROY_TIMEOUT_MS, NULL);
}

static char *find_program(struct reason *why)
{
	static const char *const places[] = {".", "../lib/brinell"};
	char self[PATH_MAX] = "/";
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length > 0)
		self[length] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		char *path = format_text("%s/%s/brinell-guest", self, places[i]);

		if (access(path, R_OK) == 0)
			return path;
		free(path);
	}
	fail(why, -ENOENT,
	     "guest.start: no brinell-guest beside this agent, in %s: copy it there, a micro guest "
	     "is made of it",
	     self);
	return NULL;
}

static char *find_kernel(const char *release, struct reason *why)
{
	char *path = format_text("/boot/vmlinuz-%s", release);

	if (access(path, R_OK) == 0)
		return path;
	free(path);
	if (access("/boot/vmlinuz", R_OK) == 0)
		return strdup("/boot/vmlinuz");
	fail(why, -ENOENT,
	     "guest.start: neither /boot/vmlinuz-%s nor /boot/vmlinuz is there: name a kernel by "
	     "'kernel'",
	     release);
	return NULL;
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

static int take_size(const json_t *arguments, const char *key, int64_t usual, int64_t least,
		     int64_t most, unsigned int *size, struct reason *why)
{
	int64_t number = json_number(arguments, key, usual);

	if (number < least || number > most)
		return fail(why, -EINVAL, "guest.start: '%s' is %lld, it must be %lld to %lld", key,
			    (long long)number, (long long)least, (long long)most);
	*size = (unsigned int)number;
	return 0;
}

/* What a micro guest boots, and its console. Return: the XML of its domain, or NULL. */
static char *make_micro(struct domain_guest *guest, const json_t *arguments, unsigned int port,
			struct reason *why)
{
	struct domain_plan plan = {.guest = guest->name,
				   .uuid = guest->uuid,
				   .port = port,
				   .arguments = json_text(arguments, "arguments", "")};
	__cleanup_free char *initramfs = format_text("%s/initramfs", guest->directory);
	__cleanup_free char *console = format_text("%s/console", guest->directory);
	__cleanup_free char *program = find_program(why);
	__cleanup_free char *owner = domain_owner(getpid());
	__cleanup_free char *modules = NULL;
	__cleanup_free char *kernel = NULL;
	struct utsname system;
	int error;

	uname(&system);
	modules = format_text("/lib/modules/%s", system.release);
	kernel = json_object_get(arguments, "kernel") ? strdup(json_text(arguments, "kernel", ""))
						      : find_kernel(system.release, why);
	if (!program || !kernel)
		return NULL;
	plan.owner = owner ? owner : "brinell-agent";
	if (take_size(arguments, "memory_mib", 256, MEMORY_LEAST_MIB, MEMORY_MOST_MIB,
		      &plan.memory_mib, why) ||
	    take_size(arguments, "processors", 1, 1, PROCESSORS_MOST, &plan.processors, why))
		return NULL;
	error = make_directories(guest->directory);
	if (error) {
		fail(why, error, "make %s: %s", guest->directory, strerror(-error));
		return NULL;
	}
	if (initramfs_write(initramfs,
			    &(struct initramfs_source){.program = program, .modules = modules},
			    why))
		return NULL;
	guest->console = console_open(console, why);
	if (!guest->console)
		return NULL;
	plan.kernel = kernel;
	plan.initramfs = initramfs;
	plan.console = console;
	return domain_make_xml(&plan);
}

static struct domain_guest *add(struct agent *agent, const char *name, bool ours,
				const char *domain)
{
	struct domain_guest *guest = calloc(1, sizeof(*guest));

	if (!guest)
		abort();
	guest->name = strdup(name);
	guest->ours = ours;
	guest->domain = ours ? format_text(DOMAIN_PREFIX "%s", name) : strdup(domain);
	guest->directory = format_text(DOMAIN_DIRECTORY "/%s", name);
	guest->started_ns = now_monotonic_ns();
	guest->next = domains_of(agent)->first;
	domains_of(agent)->first = guest;
	return guest;
}

static int start_making(struct agent *agent, struct domain_guest *guest, const json_t *arguments,
			unsigned int port, struct reason *why)
{
	int64_t patience = json_number(arguments, "timeout_ms", HELLO_TIMEOUT_MS);
	struct virt_job *job;
	char *xml = NULL;
	int error = 0;

	why->text[0] = '\0';
	if (guest->ours) {
		error = make_uuid(guest->uuid, why);
		xml = error ? NULL : make_micro(guest, arguments, port, why);
		if (!error && !xml)
			error = -EINVAL;
	}
	if (error)
		return error;
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

static int serve_start(struct agent *agent, const json_t *arguments, json_t **reply,
		       struct reason *why)
{
	const char *name = json_text(arguments, "name", "");
	const char *kind = json_text(arguments, "kind", "micro");
	const char *domain = json_text(arguments, "domain", "");
	bool ours = strcmp(kind, "micro") == 0;
	struct domain_guest *guest = find(agent, name);
	unsigned int port = GUEST_VSOCK_PORT;
	int error;

	(void)reply;
	if (!domain_name_is_fine(name))
		return fail(why, -EINVAL,
			    "guest.start: 'name' must be 1 to 48 letters, digits, '.', '_' or '-'");
	if (!ours && (strcmp(kind, "domain") != 0 || !*domain))
		return fail(why, -EINVAL,
			    "guest.start: 'kind' must be \"micro\", or \"domain\" with the name of "
			    "one in 'domain'");
	if (guest && guest->stage != DOMAIN_GONE)
		return fail(why, -EEXIST, "guest.start: there is a guest '%s' already", name);
	if (guest)
		forget(agent, guest);
	error = guest_link_listen(guest_service_link(agent), &port, why);
	/* A micro guest is told where; one of the user knows one port. A serial port does without. */
	if (error == -EADDRINUSE && ours) {
		port = 0;
		error = guest_link_listen(guest_service_link(agent), &port, why);
	}
	if (error && error != -EALREADY && ours)
		return error;
	guest = add(agent, name, ours, domain);
	error = start_making(agent, guest, arguments, port, why);
	if (!error)
		return AGENT_LATER;
	forget(agent, guest);
	return error;
}

static void then_powered_off(struct agent *agent, void *context, int error, const json_t *reply,
			     const struct reason *why)
{
	__cleanup_free char *name = context;
	struct domain_guest *guest = find(agent, name);

	(void)reply;
	(void)why;
	/* One that breaks off while it goes down has gone down. */
	if (guest && guest->stage == DOMAIN_STOPPING && error && error != -ECONNRESET)
		destroy(agent, guest);
}

static int serve_stop(struct agent *agent, const json_t *arguments, json_t **reply,
		      struct reason *why)
{
	const char *name = json_text(arguments, "name", "");
	struct domain_guest *guest = find(agent, name);
	char *context;

	if (!guest)
		return fail(why, -ENOENT, "guest.stop: no guest '%s' was started", name);
	if (guest->ticket.id)
		return fail(why, -EBUSY, "guest.stop: another call about guest '%s' is not done",
			    name);
	if (!guest->ours || guest->stage == DOMAIN_GONE) {
		*reply = json_pack("{s:b, s:b}", "stopped", guest->stage == DOMAIN_GONE, "graceful",
				   guest->graceful);
		forget(agent, guest);
		return 0;
	}
	guest->ticket = agent_later(agent);
	guest->stage = DOMAIN_STOPPING;
	guest->until_ns = now_monotonic_ns() +
			  json_number(arguments, "timeout_ms", STOP_TIMEOUT_MS) * NSEC_PER_MSEC;
	context = strdup(name);
	if (guest_service_call(agent, name, "poweroff", STOP_TIMEOUT_MS, then_powered_off, context,
			       NULL)) {
		free(context);
		destroy(agent, guest);
	}
	return AGENT_LATER;
}

/* The domain of a guest runs no more. */
static void take_end(struct agent *agent, struct domain_guest *guest, const char *detail)
{
	struct reason why;

	switch (guest->stage) {
	case DOMAIN_GREETING:
		guest->stage = DOMAIN_GONE;
		fail(&why, -EHOSTDOWN, "it ended before its hello (%s)", detail);
		fail_start(agent, guest, -EHOSTDOWN, &why);
		return;
	case DOMAIN_STOPPING:
		guest->graceful = strcmp(detail, "shutdown") == 0;
		answer_stop(agent, guest, 0, NULL);
		return;
	case DOMAIN_RUNNING:
		guest->stage = DOMAIN_GONE;
		return;
	default:
		return;
	}
}

static void on_libvirt_event(struct agent *agent, json_t *event)
{
	const char *what = json_text(event, "event", ""), *uuid = json_text(event, "uuid", NULL);
	const char *state = json_text(event, "state", ""), *detail = json_text(event, "detail", "");
	struct domain_guest *guest = domains_of(agent)->first;
	__cleanup_free char *text = NULL;

	while (uuid && guest && strcmp(guest->uuid, uuid) != 0)
		guest = guest->next;
	/* The other domains of this host are none of our business. */
	if (uuid && !guest)
		return;
	if (strcmp(what, "connection-lost") == 0 && domains_of(agent)->first)
		domains_of(agent)->survey_ns = now_monotonic_ns() + SURVEY_PAUSE_NS / 4;
	if (uuid)
		json_object_set_new(event, "guest", json_string(guest->name));
	text = format_text("%s%s%s%s%s%s%s", uuid ? guest->name : "libvirt", ": ", what,
			   *state ? " " : "", state, *detail ? " " : "", detail);
	agent_emit(agent, "libvirt", json_number(event, "time_ns", 0), text, json_incref(event));
	if (uuid && strcmp(state, "stopped") == 0)
		take_end(agent, guest, detail);
}

static int work_survey(virConnectPtr connection, struct virt_job *job)
{
	virDomainPtr domain = domain_of_job(connection, job);

	if (!domain)
		return job->error;
	virDomainFree(domain);
	return 0;
}

static void done_survey(struct agent *agent, struct virt_job *job)
{
	struct domain_guest *guest = guest_of_job(agent, job);

	if (!guest)
		return;
	if (job->error == -ENOENT) {
		__cleanup_json json_t *event =
			json_pack("{s:s, s:s, s:s, s:s, s:I}", "uuid", guest->uuid, "event",
				  "crashed", "state", "stopped", "detail", "unseen", "time_ns",
				  (json_int_t)now_realtime_ns());

		on_libvirt_event(agent, event);
	} else if (job->error) {
		domains_of(agent)->survey_ns = now_monotonic_ns() + SURVEY_PAUSE_NS;
	}
}

/* After the connection was lost: makes it anew, and finds out who has ended meanwhile. */
static void survey(struct agent *agent)
{
	struct domain_guest *guest = domains_of(agent)->first;

	domains_of(agent)->survey_ns = 0;
	for (; guest; guest = guest->next) {
		struct virt_job *job;

		if (guest->stage == DOMAIN_MAKING || guest->stage == DOMAIN_GONE)
			continue;
		job = domain_job(guest, work_survey);
		job->done = done_survey;
		job->given_up = give_up_nothing;
		(void)virt_start(job, MAKE_TIMEOUT_MS, NULL);
	}
}

static void expire(struct agent *agent, struct domain_guest *guest)
{
	struct reason why;

	if (guest->stage == DOMAIN_STOPPING) {
		destroy(agent, guest);
	} else if (guest->stage == DOMAIN_GREETING) {
		fail(&why, -ETIMEDOUT,
		     guest->ours ? "its domain runs, but it did not say hello in time"
				 : "its domain runs, but no hello came in time: is brinell-guest "
				   "started in it?");
		fail_start(agent, guest, -ETIMEDOUT, &why);
	}
}

static size_t watch(struct agent *agent, struct pollfd *fds, size_t room)
{
	struct domain_guest *guest = domains_of(agent)->first;
	size_t count = 0;

	if (virt_wake_fd() >= 0 && count < room)
		fds[count++] = (struct pollfd){.fd = virt_wake_fd(), .events = POLLIN};
	for (; guest && count < room; guest = guest->next)
		if (guest->console && console_fd(guest->console) >= 0)
			fds[count++] =
				(struct pollfd){.fd = console_fd(guest->console), .events = POLLIN};
	return count;
}

/* The clock of the guest link wakes the loop ten times a second, so that what is late is seen. */
static void dispatch(struct agent *agent, const struct pollfd *fds, size_t count)
{
	struct domain_guest *guest, *next;
	int64_t now = now_monotonic_ns();

	(void)fds;
	(void)count;
	for (guest = domains_of(agent)->first; guest; guest = guest->next)
		take_console(agent, guest);
	virt_dispatch(agent, on_libvirt_event);
	for (guest = domains_of(agent)->first; guest; guest = next) {
		next = guest->next;
		if (now > guest->until_ns)
			expire(agent, guest);
	}
	if (domains_of(agent)->survey_ns && now > domains_of(agent)->survey_ns)
		survey(agent);
}

/* Guests end with the agent that has made them, also when libvirt does not help. */
static void end_guests(struct agent *agent)
{
	int64_t until = now_monotonic_ns() + CLOSE_TIMEOUT_MS * NSEC_PER_MSEC;
	struct domain_guest *guest, *next;

	for (guest = domains_of(agent)->first; guest; guest = next) {
		next = guest->next;
		json_decref(steal(guest->ticket.id));
		if (guest->ours && guest->stage != DOMAIN_GONE && guest->stage != DOMAIN_MAKING)
			destroy(agent, guest);
		else
			forget(agent, guest);
	}
	while (domains_of(agent)->first && now_monotonic_ns() < until) {
		struct pollfd news = {.fd = virt_wake_fd(), .events = POLLIN};
		bool ending = false;

		for (guest = domains_of(agent)->first; guest; guest = guest->next)
			ending |= guest->stage == DOMAIN_DESTROYING;
		if (!ending)
			break;
		(void)poll(&news, 1, 100);
		virt_dispatch(agent, on_libvirt_event);
	}
}

static void close_domains(struct agent *agent)
{
	end_guests(agent);
	virt_leave_all();
	while (domains_of(agent)->first) {
		struct domain_guest *guest = domains_of(agent)->first;
		pid_t pid;

		if (guest->ours && !qemu_find(guest->domain, guest->uuid, &pid, NULL)) {
			log_warning("guest '%s': libvirt does not end it, its QEMU %d is killed",
				    guest->name, (int)pid);
			kill(pid, SIGKILL);
		}
		forget(agent, guest);
	}
}

static const struct agent_call calls[] = {
	{"guest.start", serve_start},
	{"guest.stop", serve_stop},
	{"guest.resolve", serve_guest_resolve},
	{"guest.monitor", serve_guest_monitor},
	{0},
};

static const struct agent_service domain_service = {
	.name = "domain",
	.roles = AGENT_HOST,
	/* Before the link to the guests. */
	.rank = 20,
	.state_size = sizeof(struct domains),
	.calls = calls,
	.watch = watch,
	.dispatch = dispatch,
	.close = close_domains,
};

REGISTER(agent_service, domain_service);
