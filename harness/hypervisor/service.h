/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_HYPERVISOR_SERVICE_H
#define BRINELL_HYPERVISOR_SERVICE_H

#include "harness/hypervisor/domain.h"
#include "harness/hypervisor/hypervisor.h"

struct migration;

/**
 * enum domain_stage - stage of a guest on this host
 * @DOMAIN_MAKING:   the hypervisor creates or looks up its domain
 * @DOMAIN_GREETING: waiting for its hello
 * @DOMAIN_AWAITED:  waiting for it to come from another host
 * @DOMAIN_ARRIVING: its domain exists, and does not run yet
 * @DOMAIN_RUNNING:  guest.start was answered, or its migration has arrived
 * @DOMAIN_STOPPING: guest.stop waits for its end
 * @DOMAIN_DESTROYING: the hypervisor destroys it
 * @DOMAIN_GONE:     it has ended here; kept until guest.stop
 */
enum domain_stage {
	DOMAIN_MAKING,
	DOMAIN_GREETING,
	DOMAIN_AWAITED,
	DOMAIN_ARRIVING,
	DOMAIN_RUNNING,
	DOMAIN_STOPPING,
	DOMAIN_DESTROYING,
	DOMAIN_GONE,
};

/**
 * struct domain_guest - a guest that this agent has started or found
 * @ours:    the agent creates its domain, or receives a domain of brinell, and ends it
 * @received: it comes from another host; @arrived: it runs here
 * @ticket:  of the call that waits
 * @until_ns: timeout of @stage
 * @port:    of the vsock, in its kernel command line
 * @huge_pages: number of pages that were added to the pool of the host for it
 * @backing: requested backing of its memory
 * @software: names and versions of its software, from the hypervisor; NULL before
 * @boot_id, @kernel: of its last hello; NULL before
 * @ending:  how it ended, in the terms of the hypervisor; empty before
 * @shutdown_by: origin of its end, from the hypervisor: "guest" (also a reset of its processor) or "host"; or empty
 * @failure: reason of a failed guest.start, with @failure_errno; reported when its domain is gone; owned, or NULL
 * @failures: rate limit of memory failures that the hypervisor reports
 * @migration: to another host, or NULL
 */
struct domain_guest {
	struct domain_guest *next;
	char *name, *domain, *directory;
	char uuid[UUID_BYTES];
	bool ours, received, arrived, graceful;
	enum domain_stage stage;
	struct console *console;
	struct agent_ticket ticket;
	int64_t until_ns, started_ns, made_ns, hello_ns;
	unsigned int cid, port;
	uint64_t huge_pages;
	pid_t pid;
	char backing[16];
	json_t *software;
	char *boot_id, *kernel;
	char ending[24], shutdown_by[16];
	char *failure;
	int failure_errno;
	struct domain_flood failures;
	struct migration *migration;
};

/* service.c: the guests of this agent */
struct domain_guest *domain_first(const struct agent *agent);
bool *domain_listens(const struct agent *agent);
struct domain_guest *domain_find(const struct agent *agent, const char *name);
struct domain_guest *domain_guest_find(const struct agent *agent, const json_t *arguments,
				       const char *call, struct reason *why);
struct domain_guest *domain_add(struct agent *agent, const char *name, bool ours,
				const char *domain);
void domain_remove(struct agent *agent, struct domain_guest *guest);
void domain_take_console(struct agent *agent, struct domain_guest *guest);
void domain_survey_later(struct agent *agent, int64_t pause_ns);
struct domain_guest *domain_guest_of_job(const struct agent *agent,
					 const struct hypervisor_job *job);

/* guest_job.c: jobs about a guest */
struct hypervisor_job *job_new(const struct domain_guest *guest, hypervisor_work *work);
int job_answered(struct agent *agent, struct hypervisor_job *job, int64_t timeout_ms,
		 struct reason *why);

/* micro.c: files of a micro guest */
int domain_make_files(struct domain_guest *guest, const json_t *arguments, char **description,
		      struct reason *why);
int domain_open_console(struct domain_guest *guest, struct reason *why);
void domain_remove_files(struct domain_guest *guest);
int domain_take_name(const char *call, const json_t *arguments, bool *ours, struct reason *why);
int domain_listen(struct agent *agent, bool ours, unsigned int *port, struct reason *why);
void domain_listen_end(struct agent *agent);

/* start.c */
json_t *domain_facts(const struct domain_guest *guest);
void domain_take_description(struct domain_guest *guest, const struct hypervisor_job *job);
int domain_link(struct agent *agent, struct domain_guest *guest, const json_t *description,
		struct reason *why);
void domain_fail_start(struct agent *agent, struct domain_guest *guest, int error,
		       const struct reason *why);
void domain_fail_ended(struct agent *agent, struct domain_guest *guest);
void domain_answer_failure(struct agent *agent, struct domain_guest *guest);

/* stop.c */
void domain_destroy(struct agent *agent, struct domain_guest *guest);
void domain_answer_stop(struct agent *agent, struct domain_guest *guest, int error,
			const struct reason *why);
void domain_end_all(struct agent *agent);

/* events.c */
void domain_on_event(struct agent *agent, json_t *event);
void domain_report_rest(struct agent *agent, struct domain_guest *guest, int64_t now_ns);
void domain_survey(struct agent *agent);

/* receive.c */
void domain_arrival_event(struct agent *agent, struct domain_guest *guest, const char *state);
bool domain_is_incoming(const struct domain_guest *guest);

/* migrate.c */
bool domain_is_of_stream(const char *what);
bool domain_is_leaving(const struct domain_guest *guest);
void domain_migration_event(struct agent *agent, struct domain_guest *guest, const json_t *event);
void domain_migration_tick(struct agent *agent, struct domain_guest *guest, int64_t now);
void domain_migration_free(struct agent *agent, struct domain_guest *guest);

agent_serve_fn serve_guest_start, serve_guest_stop, serve_guest_status, serve_guest_balloon,
	serve_guest_receive, serve_guest_migrate, serve_guest_migration, serve_guest_resolve,
	serve_guest_monitor;

#endif
