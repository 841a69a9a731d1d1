// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls guest.resolve and guest.monitor, and struct guest_monitor for injectors.
 */
#include <errno.h>
#include <inttypes.h>

#include "harness/hypervisor/service.h"
#include "harness/lib/param.h"
#include "inject/guest_monitor.h"

#define PAGE_BYTES 4096u
#define TIMEOUT_MS 10000

/* Addresses are strings, as those of workloads: some JSON readers have numbers of 53 bits only. */
static void put_hexadecimal(json_t *reply, const char *key, uint64_t number)
{
	json_object_set_new(reply, key, json_sprintf("0x%" PRIx64, number));
}

static int work_resolve(void *session, struct hypervisor_job *job)
{
	const struct hypervisor *hypervisor = hypervisor_here();
	uint64_t gpa = job->number, hva;
	struct host_page page;
	pid_t pid;
	int error = hypervisor->address(session, job);

	hva = job->number;
	if (!error)
		error = hypervisor->process(job->domain, job->uuid, &pid, &job->why);
	if (!error)
		error = host_page_find(pid, hva, &page, &job->why);
	/* The process may have ended in between, and its number may be reused. */
	if (!error)
		error = hypervisor->process(job->domain, job->uuid, &pid, &job->why);
	if (error)
		return error;
	job->reply = json_pack("{s:i, s:b, s:b, s:b, s:b, s:b}", "pid", (int)pid, "present",
			       page.present, "swapped", page.swapped, "zero_page", page.zero,
			       "huge", page.huge, "poisoned", page.poisoned);
	put_hexadecimal(job->reply, "gpa", gpa);
	put_hexadecimal(job->reply, "hva", hva);
	put_hexadecimal(job->reply, "page_size", page.page_size);
	if (page.flags_known)
		put_hexadecimal(job->reply, "flags", page.flags);
	if (page.pfn) {
		put_hexadecimal(job->reply, "pfn", page.pfn);
		put_hexadecimal(job->reply, "hpa", page.pfn * PAGE_BYTES + hva % PAGE_BYTES);
	}
	return 0;
}

int serve_guest_resolve(struct agent *agent, const json_t *arguments, json_t **reply,
			struct reason *why)
{
	struct domain_guest *guest = domain_guest_find(agent, arguments, "guest.resolve", why);
	const json_t *gpa = json_object_get(arguments, "gpa");
	uint64_t address = 0;
	struct hypervisor_job *job;

	if (!guest)
		return -ENOENT;
	if (json_is_integer(gpa) && json_integer_value(gpa) >= 0)
		address = (uint64_t)json_integer_value(gpa);
	else if (!json_is_string(gpa) || parse_number(json_string_value(gpa), &address))
		return fail(why, -EINVAL,
			    "guest.resolve: 'gpa' must be an address, such as \"0x1234000\"");
	job = job_new(guest, work_resolve);
	job->number = address;
	return job_answered(agent, job, json_number(arguments, "timeout_ms", TIMEOUT_MS), why);
}

static int work_monitor(void *session, struct hypervisor_job *job)
{
	json_t *parsed;
	int error = hypervisor_here()->command(session, job);

	if (error)
		return error;
	parsed = job->number ? NULL : json_loads(job->answer, 0, NULL);
	if (parsed)
		job->reply = json_pack("{s:o}", "answer", parsed);
	else
		job->reply = json_pack("{s:s}", "answer", mend_text(job->answer));
	return 0;
}

static char *quote_command(const char *name)
{
	__cleanup_json json_t *command = json_pack("{s:s}", "execute", name);

	return json_dumps(command, JSON_COMPACT);
}

int serve_guest_monitor(struct agent *agent, const json_t *arguments, json_t **reply,
			struct reason *why)
{
	struct domain_guest *guest = domain_guest_find(agent, arguments, "guest.monitor", why);
	const json_t *command = json_object_get(arguments, "command");
	bool human = json_is_true(json_object_get(arguments, "human"));
	struct hypervisor_job *job;
	int error;

	if (!guest)
		return -ENOENT;
	/* The monitor can damage a guest in any way. */
	error = machine_is_expendable(why);
	if (error)
		return error;
	if (!json_is_string(command) && (human || !json_is_object(command)))
		return fail(why, -EINVAL, "guest.monitor: 'command' must be a text%s",
			    human ? "" : ", or a QMP command as an object");
	job = job_new(guest, work_monitor);
	/* A QMP command may be given as its name only. */
	if (!json_is_string(command))
		job->text = json_dumps(command, JSON_COMPACT);
	else if (human || *json_string_value(command) == '{')
		job->text = xstrdup(json_string_value(command));
	else
		job->text = quote_command(json_string_value(command));
	job->number = human;
	return job_answered(agent, job, TIMEOUT_MS, why);
}

static struct domain_guest *find_for_injector(const struct agent *agent, const char *name,
					      struct reason *why)
{
	__cleanup_json json_t *arguments = json_pack("{s:s}", "name", name);

	return domain_guest_find(agent, arguments, "inject", why);
}

/* Blocks the agent's loop, because an injection ends before its call is answered. */
static int command_qemu(struct agent *agent, const char *name, const char *text, int64_t timeout_ms,
			char **answer, struct reason *why)
{
	const struct domain_guest *guest = find_for_injector(agent, name, why);
	struct hypervisor_job *job;
	int error;

	if (!guest)
		return -ENOENT;
	job = job_new(guest, hypervisor_here()->command);
	job->number = true;
	job->text = xstrdup(text);
	error = job_await(job, timeout_ms, why);
	if (error)
		return error;
	error = job->error;
	if (error)
		*why = job->why;
	else
		*answer = job->answer ? steal(job->answer) : xstrdup("");
	job_free(job);
	return error;
}

static int find_qemu(struct agent *agent, const char *name, pid_t *pid, struct reason *why)
{
	const struct domain_guest *guest = find_for_injector(agent, name, why);

	return guest ? hypervisor_here()->process(guest->domain, guest->uuid, pid, why) : -ENOENT;
}

static bool is_qemu(void)
{
	return hypervisor_here()->qemu;
}

REGISTERED(guest_monitor, hypervisor_monitor) = {
	.name = "hypervisor",
	.here = is_qemu,
	.command = command_qemu,
	.process = find_qemu,
};
