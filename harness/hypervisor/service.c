// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guests that this agent starts, watches, migrates and stops through the hypervisor. A domain of the user is looked up by
 * its name, and changed only by explicit calls.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "harness/hypervisor/service.h"
#include "harness/link/guest_service.h"

/*
 * @listens:   domain_listen() is in effect
 * @survey_ns: time of the next survey after a lost connection; 0: none
 */
struct domains {
	struct domain_guest *first;
	bool listens;
	int64_t survey_ns;
};

static const struct agent_service domain_service;

static struct domains *domains_of(const struct agent *agent)
{
	return agent_state(agent, &domain_service);
}

/** domain_first - first guest of the list */
struct domain_guest *domain_first(const struct agent *agent)
{
	return domains_of(agent)->first;
}

/** domain_listens - whether domain_listen() is in effect */
bool *domain_listens(const struct agent *agent)
{
	return &domains_of(agent)->listens;
}

/** domain_find - find a guest by its name. Return: NULL: there is none */
struct domain_guest *domain_find(const struct agent *agent, const char *name)
{
	struct domain_guest *guest = domains_of(agent)->first;

	while (guest && strcmp(guest->name, name) != 0)
		guest = guest->next;
	return guest;
}

/** domain_guest_of_job - find the guest of a job. Return: NULL if it was removed meanwhile, even if another one has its name */
struct domain_guest *domain_guest_of_job(const struct agent *agent,
					 const struct hypervisor_job *job)
{
	struct domain_guest *guest = domain_find(agent, job->guest);

	return guest && strcmp(guest->uuid, job->uuid) == 0 ? guest : NULL;
}

/** domain_guest_find - find the running guest of a call. Return: NULL with a reason */
struct domain_guest *domain_guest_find(const struct agent *agent, const json_t *arguments,
				       const char *call, struct reason *why)
{
	const char *name = json_text(arguments, "name", "");
	struct domain_guest *guest = domain_find(agent, name);

	if (!guest)
		fail(why, -ENOENT, "%s: no guest '%s' was started; call guest.start", call, name);
	else if (guest->stage == DOMAIN_GONE)
		fail(why, -ENOENT, "%s: guest '%s' has ended%s", call, name,
		     strcmp(guest->ending, "migrated") == 0 ? " here: it migrated to another host"
							    : "");
	else if (guest->stage == DOMAIN_AWAITED)
		fail(why, -ENOENT, "%s: guest '%s' has not arrived here yet", call, name);
	else
		return guest;
	return NULL;
}

/** domain_add - add a guest; @domain is the name of its domain if it is not @ours. Return: never NULL */
struct domain_guest *domain_add(struct agent *agent, const char *name, bool ours,
				const char *domain)
{
	__cleanup_free char *directory = format_text(DOMAIN_DIRECTORY "/%s", name);
	struct domain_guest *guest = xzalloc(sizeof(*guest));
	char path[4096];

	guest->name = xstrdup(name);
	guest->ours = ours;
	guest->domain = ours ? format_text(DOMAIN_PREFIX "%s", name) : xstrdup(domain);
	guest->directory = xstrdup(system_path(path, directory));
	guest->started_ns = now_monotonic_ns();
	guest->next = domains_of(agent)->first;
	domains_of(agent)->first = guest;
	return guest;
}

/** domain_remove - remove a guest that has ended, and its files */
void domain_remove(struct agent *agent, struct domain_guest *guest)
{
	struct domain_guest **at = &domains_of(agent)->first;

	domain_migration_free(agent, guest);
	while (*at != guest)
		at = &(*at)->next;
	*at = guest->next;
	(void)guest_link_forget(guest_service_link(agent), guest->name, NULL);
	domain_remove_files(guest);
	json_decref(guest->ticket.id);
	free(guest->boot_id);
	free(guest->kernel);
	free(guest->failure);
	json_decref(guest->software);
	free(guest->name);
	free(guest->domain);
	free(guest->directory);
	free(guest);
	if (!domain_first(agent))
		domain_listen_end(agent);
}

/** domain_survey_later - schedule domain_survey() in @pause_ns */
void domain_survey_later(struct agent *agent, int64_t pause_ns)
{
	domains_of(agent)->survey_ns = now_monotonic_ns() + pause_ns;
}

static void on_console_line(void *context, const char *text, uint64_t lost)
{
	void **pair = context;
	struct domain_guest *guest = pair[1];

	agent_emit(pair[0], "guest-console", now_realtime_ns(), text,
		   json_pack("{s:s, s:o*}", "guest", guest->name, "lost",
			     lost ? json_integer((json_int_t)lost) : NULL));
}

/** domain_take_console - emit lines of a guest's console, without blocking */
void domain_take_console(struct agent *agent, struct domain_guest *guest)
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

/* Handle the timeout of a guest's stage. */
static void expire(struct agent *agent, struct domain_guest *guest)
{
	struct reason why;

	if (guest->stage == DOMAIN_STOPPING) {
		domain_destroy(agent, guest);
	} else if (guest->stage == DOMAIN_GREETING) {
		fail(&why, -ETIMEDOUT,
		     guest->ours ? "its domain runs, but its hello did not arrive in time"
				 : "its domain runs, but no hello came in time: is brinell-guest "
				   "started in it?");
		domain_fail_start(agent, guest, -ETIMEDOUT, &why);
	}
}

static size_t watch(struct agent *agent, struct pollfd *fds, size_t room)
{
	struct domain_guest *guest = domains_of(agent)->first;
	size_t count = 0;

	if (jobs_fd() >= 0 && count < room)
		fds[count++] = (struct pollfd){.fd = jobs_fd(), .events = POLLIN};
	for (; guest && count < room; guest = guest->next)
		if (guest->console && console_fd(guest->console) >= 0)
			fds[count++] =
				(struct pollfd){.fd = console_fd(guest->console), .events = POLLIN};
	return count;
}

/* The guest link wakes the loop ten times a second, so that timeouts are noticed. */
static void dispatch(struct agent *agent, const struct pollfd *fds, size_t count)
{
	struct domain_guest *guest, *next;
	int64_t now = now_monotonic_ns();

	for (guest = domains_of(agent)->first; guest; guest = guest->next)
		domain_take_console(agent, guest);
	jobs_dispatch(agent, domain_on_event);
	for (guest = domains_of(agent)->first; guest; guest = next) {
		next = guest->next;
		domain_migration_tick(agent, guest, now);
		domain_report_rest(agent, guest, now);
		if (now > guest->until_ns)
			expire(agent, guest);
	}
	if (domains_of(agent)->survey_ns && now > domains_of(agent)->survey_ns) {
		domains_of(agent)->survey_ns = 0;
		domain_survey(agent);
	}
}

static const struct agent_call calls[] = {
	{"guest.start", serve_guest_start},	{"guest.stop", serve_guest_stop},
	{"guest.status", serve_guest_status},	{"guest.receive", serve_guest_receive},
	{"guest.migrate", serve_guest_migrate}, {"guest.migration", serve_guest_migration},
	{"guest.balloon", serve_guest_balloon}, {"guest.resolve", serve_guest_resolve},
	{"guest.monitor", serve_guest_monitor}, {0},
};

REGISTERED(agent_service, domain_service) = {
	.name = "domain",
	.roles = AGENT_HOST,
	/* Before the guest link. */
	.rank = 20,
	.state_size = sizeof(struct domains),
	.calls = calls,
	.watch = watch,
	.dispatch = dispatch,
	.close = domain_end_all,
};
