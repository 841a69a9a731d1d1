// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: a migration of Xen to another host: the messages to its xl, their order, and what happens at an unexpected message,
 * nothing more, or that the domain does not run. A thread is the other host.
 *
 * rooms: harness/hypervisor
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>

/* Compiled here, against the fake headers: this machine may have none of Xen's. */
#include <harness/hypervisor/xen/remote.c>

#include <cmocka.h>

#define CONFIG "{\"c_info\": {\"name\": \"brinell-g1\"}}"

/*
 * @says:   of the other host, one after the other; each is sent when the mover has sent @hears of its bytes since the last one
 * @heard:  all that was sent to it
 */
struct turn {
	size_t hears;
	const char *says;
	size_t length;
};

static struct {
	const struct turn *turns;
	pthread_t thread;
	int fd;
	uint8_t heard[1024];
	size_t length;
	enum mover_order order;
} there;

enum mover_order mover_take_order(struct mover *mover)
{
	return there.order;
}

int xen_fail(const struct xen_session *session, struct reason *why, int error, const char *format,
	     ...)
{
	return (fail)(why, error, "%s", format);
}

void libxl_domain_config_init(libxl_domain_config *config)
{
	config->kept = 1;
}

void libxl_domain_config_dispose(libxl_domain_config *config)
{
	config->kept = 0;
}

int libxl_retrieve_domain_configuration(libxl_ctx *libxl, uint32_t domain,
					libxl_domain_config *config, const void *how)
{
	assert_int_equal(domain, 7);
	return 0;
}

char *libxl_domain_config_to_json(libxl_ctx *libxl, libxl_domain_config *config)
{
	assert_int_equal(config->kept, 1);
	return strdup(CONFIG);
}

static void *be_there(void *context)
{
	for (const struct turn *turn = there.turns; turn->says; turn++) {
		for (size_t got = 0; got < turn->hears;) {
			ssize_t more =
				read(there.fd, there.heard + there.length, turn->hears - got);

			if (more <= 0)
				break;
			there.length += (size_t)more;
			got += (size_t)more;
		}
		(void)!send(there.fd, turn->says, turn->length, MSG_NOSIGNAL);
	}
	close(there.fd);
	return NULL;
}

int xen_child_start(struct xen_child *child, xen_child_work *work, const void *context, int fd,
		    struct reason *why)
{
	there.fd = dup(fd);
	child->pid = 1;
	return -pthread_create(&there.thread, NULL, be_there, NULL);
}

int xen_child_wait(struct xen_child *child, const char *what, struct reason *why)
{
	if (child->pid)
		pthread_join(there.thread, NULL);
	child->pid = 0;
	return 0;
}

struct fixture {
	struct xen_session session;
	struct hypervisor_job job;
	struct mover mover;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	memset(&there, 0, sizeof(there));
	snprintf(fixture->job.guest, sizeof(fixture->job.guest), "g1");
	fixture->mover = (struct mover){.session = &fixture->session,
					.job = &fixture->job,
					.source = 7,
					.to = -1,
					.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	*state = fixture;
	return remote_take_uri(&fixture->mover, "xen+ssh://root@host-2", NULL);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	if (fixture->mover.to >= 0)
		close(fixture->mover.to);
	xen_child_wait(&fixture->mover.restorer, "", NULL);
	close(fixture->mover.wake);
	free(fixture->mover.host);
	free(fixture);
	return 0;
}

#define SAYS(text) text, sizeof(text) - 1
#define SAYS_ALL(text) text, sizeof(text)
#define READY                                                                                      \
	{                                                                                          \
		0, SAYS("xl migration receiver ready, send binary domain data.\n")                 \
	}
#define HEADER (48 + 4 + sizeof(CONFIG) - 1)
#define RECEIVED                                                                                   \
	{                                                                                          \
		HEADER, SAYS_ALL("domain received, ready to unpause")                              \
	}
#define GO_BYTES sizeof("domain is yours, you are cleared to unpause")

static void uris_name_a_host(void **state)
{
	static const char *const wrong[] = {"qemu+tcp://host/system", "xen+ssh://",
					    "xen+ssh://-oProxyCommand=x", "xen+ssh://a b", "host"};
	struct mover mover = {0};
	struct reason why;

	assert_string_equal(((struct fixture *)*state)->mover.host, "root@host-2");
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(remote_take_uri(&mover, wrong[i], &why), -EINVAL);
		assert_non_null(strstr(why.text, "xen+ssh://[USER@]HOST"));
		assert_null(mover.host);
	}
}

static void a_domain_is_handed_over(void **state)
{
	static const struct turn turns[] = {READY,
					    RECEIVED,
					    {GO_BYTES,
					     SAYS_ALL("my copy unpause results are as follows")},
					    {0, "\0", 1},
					    {0}};
	struct mover *mover = &((struct fixture *)*state)->mover;
	uint32_t word;

	there.turns = turns;
	assert_int_equal(remote_open(mover), 0);
	assert_int_equal(remote_received(mover), 0);
	assert_false(mover->handed_over);
	assert_int_equal(remote_run(mover), 0);
	xen_child_wait(&mover->restorer, "", NULL);
	assert_int_equal(there.length, HEADER + GO_BYTES);
	/* struct save_file_header of tools/xl/xl.h */
	assert_memory_equal(there.heard, "Xen saved domain, xl format\n \0 \r", 32);
	memcpy(&word, there.heard + 32, sizeof(word));
	assert_int_equal(word, 0x01020304);
	memcpy(&word, there.heard + 36, sizeof(word));
	assert_int_equal(word, 3);
	memcpy(&word, there.heard + 44, sizeof(word));
	assert_int_equal(word, 4 + sizeof(CONFIG) - 1);
	memcpy(&word, there.heard + 48, sizeof(word));
	assert_int_equal(word, sizeof(CONFIG) - 1);
	assert_memory_equal(there.heard + 52, CONFIG, sizeof(CONFIG) - 1);
	assert_string_equal((char *)there.heard + HEADER,
			    "domain is yours, you are cleared to unpause");
}

static void another_greeting_is_refused(void **state)
{
	static const struct turn turns[] = {
		{0, SAYS("Permission denied (publickey,password). Try again, please ....")}, {0}};
	struct fixture *fixture = *state;

	there.turns = turns;
	assert_int_equal(remote_open(&fixture->mover), -EPROTO);
	assert_non_null(strstr(fixture->job.why.text, "root@host-2"));
}

static void a_connection_that_ends_is_noticed(void **state)
{
	static const struct turn turns[] = {READY, {HEADER, "", 0}, {0}};
	struct fixture *fixture = *state;

	there.turns = turns;
	assert_int_equal(remote_open(&fixture->mover), 0);
	assert_int_equal(remote_received(&fixture->mover), -EPIPE);
	assert_non_null(strstr(fixture->job.why.text, "before it had the domain"));
	assert_false(fixture->mover.handed_over);
}

static void a_domain_that_does_not_run_there_comes_back(void **state)
{
	static const struct turn turns[] = {READY,
					    RECEIVED,
					    {GO_BYTES,
					     SAYS_ALL("my copy unpause results are as follows")},
					    {0, "\5", 1},
					    {0}};
	struct fixture *fixture = *state;

	there.turns = turns;
	assert_int_equal(remote_open(&fixture->mover), 0);
	assert_int_equal(remote_received(&fixture->mover), 0);
	assert_int_equal(remote_run(&fixture->mover), -EREMOTEIO);
	assert_false(fixture->mover.handed_over);
}

/* The worst moment: it may run there. */
static void a_timeout_after_the_last_message_is_no_answer(void **state)
{
	static const struct turn turns[] = {READY, RECEIVED, {GO_BYTES, "", 0}, {0}};
	struct fixture *fixture = *state;

	there.turns = turns;
	assert_int_equal(remote_open(&fixture->mover), 0);
	assert_int_equal(remote_received(&fixture->mover), 0);
	assert_int_equal(remote_run(&fixture->mover), -EPIPE);
	assert_true(fixture->mover.handed_over);
}

static void a_wait_can_be_cancelled(void **state)
{
	static const struct turn turns[] = {READY, {HEADER + 1, "", 0}, {0}};
	struct fixture *fixture = *state;

	there.turns = turns;
	assert_int_equal(remote_open(&fixture->mover), 0);
	there.order = MOVER_CANCEL;
	assert_int_equal(eventfd_write(fixture->mover.wake, 1), 0);
	assert_int_equal(remote_received(&fixture->mover), -ECANCELED);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(uris_name_a_host),
		TEST(a_domain_is_handed_over),
		TEST(another_greeting_is_refused),
		TEST(a_connection_that_ends_is_noticed),
		TEST(a_domain_that_does_not_run_there_comes_back),
		TEST(a_timeout_after_the_last_message_is_no_answer),
		TEST(a_wait_can_be_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
