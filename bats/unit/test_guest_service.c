// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the calls about guests, with a libvirt and files that are made up: what a host has made ready for a guest that
 * was to come is taken back, with its domain, and only after that.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <libvirt/virterror.h>

#include "harness/hypervisor/libvirt/service.h"

#include <cmocka.h>

#define UUID "e3324c6e-a36d-4147-8075-2777e5e87562"
#define RECEIVE                                                                                    \
	"{\"id\":1,\"call\":\"guest.receive\",\"args\":{\"name\":\"g1\",\"uuid\":\"" UUID "\"%s}}"
#define STOP "{\"id\":2,\"call\":\"guest.stop\",\"args\":{\"name\":\"g1\"}}"
#define STATUS "{\"id\":3,\"call\":\"guest.status\",\"args\":{\"name\":\"g1\"}}"

/*
 * @here:   its domain is there, as far as libvirt goes
 * @hangs:  libvirt does not answer
 * @listens: to guests on the vsock
 * @files:  how many guests have what was made for them; @torn: it was taken away under a domain that was there
 * @destroyed: how many domains were
 */
static struct {
	bool here, hangs, listens, torn;
	int files, destroyed;
	struct virt_job *jobs;
	int wake;
} fake;

int virt_wake_fd(void)
{
	return fake.wake;
}

void virt_free(struct virt_job *job)
{
	free(job->text);
	json_decref(job->request);
	free(job->answer);
	json_decref(job->reply);
	free(job);
}

/* As in life, the work is done later. */
int virt_start(struct virt_job *job, int64_t timeout_ms, struct reason *why)
{
	(void)timeout_ms;
	(void)why;
	job->next = fake.jobs;
	fake.jobs = job;
	assert_int_equal(eventfd_write(fake.wake, 1), 0);
	return 0;
}

void virt_dispatch(struct agent *agent, void (*event)(struct agent *agent, json_t *event))
{
	eventfd_t count;

	(void)event;
	(void)eventfd_read(fake.wake, &count);
	while (fake.jobs) {
		struct virt_job *job = fake.jobs;
		struct reason why = {"libvirt does not answer"};

		fake.jobs = job->next;
		if (fake.hangs) {
			job->given_up(agent, job, &why);
		} else {
			job->error = job->work(NULL, job);
			job->done(agent, job);
		}
		virt_free(job);
	}
}

int virt_await(struct virt_job *job, int64_t timeout_ms, struct reason *why)
{
	(void)job;
	(void)timeout_ms;
	(void)why;
	return -ENOSYS;
}

void virt_leave_all(void)
{
}

void virt_tell(json_t *event)
{
	json_decref(event);
}

int virt_fail(struct reason *why, const char *format, ...)
{
	(void)why;
	(void)format;
	return -ENOENT;
}

virDomainPtr virDomainLookupByUUIDString(virConnectPtr connection, const char *uuid)
{
	(void)connection;
	assert_string_equal(uuid, UUID);
	return fake.here ? (virDomainPtr)&fake : NULL;
}

virDomainPtr virDomainLookupByName(virConnectPtr connection, const char *name)
{
	(void)connection;
	(void)name;
	return NULL;
}

int virGetLastErrorCode(void)
{
	return VIR_ERR_NO_DOMAIN;
}

int virDomainDestroy(virDomainPtr domain)
{
	(void)domain;
	fake.here = false;
	fake.destroyed++;
	return 0;
}

int virDomainFree(virDomainPtr domain)
{
	(void)domain;
	return 0;
}

int domain_take_name(const char *call, const json_t *arguments, bool *ours, struct reason *why)
{
	(void)call;
	(void)why;
	*ours = !json_object_get(arguments, "domain");
	return 0;
}

int domain_listen(struct agent *agent, bool ours, unsigned int *port, struct reason *why)
{
	(void)agent;
	(void)ours;
	(void)port;
	(void)why;
	fake.listens = true;
	return 0;
}

void domain_listen_no_more(struct agent *agent)
{
	(void)agent;
	fake.listens = false;
}

int domain_make_files(struct domain_guest *guest, const json_t *arguments, char **xml,
		      struct reason *why)
{
	(void)why;
	fake.files++;
	snprintf(guest->backing, sizeof(guest->backing), "%s",
		 json_text(arguments, "backing", "anonymous"));
	*xml = NULL;
	return 0;
}

int domain_open_console(struct domain_guest *guest, struct reason *why)
{
	(void)guest;
	(void)why;
	return 0;
}

void domain_remove_files(struct domain_guest *guest)
{
	if (!guest->ours)
		return;
	fake.torn |= fake.here;
	fake.files--;
}

struct fixture {
	struct agent *agent;
	struct channel *ends[2];
	char root[32];
};

/* What names this process as the one that takes a guest in. */
static void make_machine(const char *root)
{
	__cleanup_free char *process = format_text("%s/proc/%d", root, (int)getpid());
	__cleanup_free char *guest = format_text("%s" DOMAIN_DIRECTORY "/g1", root);
	static const char stat[] = "1 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 1234 20";

	assert_int_equal(make_directories(process), 0);
	assert_int_equal(make_directories(guest), 0);
	assert_int_equal(write_file_atomically(process, "stat", stat, strlen(stat)), 0);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int fds[2];

	memset(&fake, 0, sizeof(fake));
	fake.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	strcpy(fixture->root, "/tmp/brinell-test-XXXXXX");
	if (!mkdtemp(fixture->root) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -1;
	make_machine(fixture->root);
	system_root_set(fixture->root);
	for (int i = 0; i < 2; i++)
		fixture->ends[i] = channel_new(fds[i], fds[i]);
	fixture->agent = agent_new(AGENT_HOST);
	agent_attach(fixture->agent, fixture->ends[0]);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_free char *command = format_text("rm -rf %s", fixture->root);

	if (fixture->agent)
		agent_free(fixture->agent);
	channel_free(fixture->ends[0]);
	channel_free(fixture->ends[1]);
	close(fake.wake);
	system_root_set("");
	free(fixture);
	return system(command);
}

/* The answer to a call: NULL when it is fine, else the name of its error. */
static char *ask(struct fixture *fixture, const char *call)
{
	__cleanup_json json_t *request = json_loads(call, 0, NULL);
	int64_t until = now_monotonic_ns() + 10 * NSEC_PER_SEC;

	assert_non_null(request);
	assert_int_equal(channel_send(fixture->ends[1], request, 1000), 0);
	while (now_monotonic_ns() < until) {
		struct pollfd ready = {.fd = channel_fd(fixture->ends[1]), .events = POLLIN};
		__cleanup_json json_t *message = NULL;

		assert_int_equal(agent_turn(fixture->agent, 100), 0);
		if (poll(&ready, 1, 0) > 0)
			assert_true(channel_fill(fixture->ends[1]) >= 0);
		while (channel_next(fixture->ends[1], &message, NULL) > 0) {
			if (json_equal(json_object_get(message, "id"),
				       json_object_get(request, "id"))) {
				const char *name =
					json_text(json_object_get(message, "error"), "name", NULL);

				return name ? strdup(name) : NULL;
			}
			json_decref(steal(message));
		}
	}
	fail_msg("no answer to %s", call);
	return NULL;
}

static void ok(struct fixture *fixture, const char *call)
{
	__cleanup_free char *error = ask(fixture, call);

	if (error)
		fail_msg("%s: %s", call, error);
}

static void refused(struct fixture *fixture, const char *call, const char *name)
{
	__cleanup_free char *error = ask(fixture, call);

	assert_non_null(error);
	assert_string_equal(error, name);
}

static void receive(struct fixture *fixture, const char *more)
{
	__cleanup_free char *call = format_text(RECEIVE, more);

	ok(fixture, call);
}

static void one_that_never_came_is_taken_back(void **state)
{
	receive(*state, "");
	assert_int_equal(fake.files, 1);
	assert_true(fake.listens);
	ok(*state, STOP);
	assert_int_equal(fake.files, 0);
	assert_int_equal(fake.destroyed, 0);
	assert_false(fake.listens);
	refused(*state, STOP, "ENOENT");
	/* And it can be awaited anew. */
	receive(*state, "");
	ok(*state, STOP);
}

/* Its domain is here, and libvirt has not told so yet. */
static void one_that_has_just_come_is_ended(void **state)
{
	receive(*state, "");
	fake.here = true;
	ok(*state, STOP);
	assert_int_equal(fake.destroyed, 1);
	assert_int_equal(fake.files, 0);
	assert_false(fake.torn);
}

static void one_of_the_user_is_left_alone(void **state)
{
	receive(*state, ",\"kind\":\"domain\",\"domain\":\"mine\"");
	fake.here = true;
	ok(*state, STOP);
	assert_int_equal(fake.destroyed, 0);
	assert_true(fake.here);
}

/* What could not be ended is still awaited, and neither runs here nor is forgotten. */
static void one_that_can_not_be_ended_stays(void **state)
{
	receive(*state, "");
	fake.hangs = true;
	refused(*state, STOP, "ETIMEDOUT");
	assert_int_equal(fake.files, 1);
	fake.hangs = false;
	refused(*state,
		"{\"id\":4,\"call\":\"guest.resolve\",\"args\":{\"name\":\"g1\",\"gpa\":0}}",
		"ENOENT");
	ok(*state, STOP);
	assert_int_equal(fake.files, 0);
}

static void one_can_be_announced_twice(void **state)
{
	receive(*state, "");
	receive(*state, "");
	assert_int_equal(fake.files, 1);
	/* With other pages behind it, it is made ready anew. */
	receive(*state, ",\"backing\":\"hugetlb\"");
	assert_int_equal(fake.files, 1);
	refused(*state, "{\"id\":1,\"call\":\"guest.start\",\"args\":{\"name\":\"g1\"}}", "EEXIST");
}

static void an_agent_that_ends_takes_all_back(void **state)
{
	struct fixture *fixture = *state;

	receive(fixture, "");
	fake.here = true;
	agent_free(fixture->agent);
	fixture->agent = NULL;
	assert_int_equal(fake.destroyed, 1);
	assert_int_equal(fake.files, 0);
}

int main(void)
{
#define SERVICE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		SERVICE_TEST(one_that_never_came_is_taken_back),
		SERVICE_TEST(one_that_has_just_come_is_ended),
		SERVICE_TEST(one_of_the_user_is_left_alone),
		SERVICE_TEST(one_that_can_not_be_ended_stays),
		SERVICE_TEST(one_can_be_announced_twice),
		SERVICE_TEST(an_agent_that_ends_takes_all_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
