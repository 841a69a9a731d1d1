// SPDX-License-Identifier: GPL-2.0-only
/*
 * Benches of the rig: an emulated host whose supervisor reports console and power, and whose firmware is a model.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "harness/lib/param.h"
#include "harness/bench/bench.h"
#include "harness/rig/host/rig.h"

/* Start of the hypervisor on a busy emulated host. */
#define READY_TIMEOUT_MS 90000
/* Without its snapshot a host boots before the answer. */
#define POWER_TIMEOUT_MS 240000

/*
 * Only an end that the emulated machine caused is an event of the host: QEMU calls those guest-shutdown, guest-reset and guest-panic
 * (qapi/run-state.json, ShutdownCause). A crash of the emulator, a deadline or a power-off is no evidence about the host.
 */
static bool ended_by_itself(const json_t *event)
{
	const char *cause = json_text(event, "cause", "");

	return strncmp(cause, "guest-", strlen("guest-")) == 0 ||
	       (strcmp(cause, "unknown") == 0 && json_number(event, "status", -1) == 0);
}

static void take_power_off(struct bench *bench, const json_t *event)
{
	const char *last_error = json_text(event, "last_error", NULL);
	int signal = (int)json_number(event, "signal", 0);
	__cleanup_free char *text = NULL;

	if (ended_by_itself(event)) {
		bench_host_ended(bench, (int)json_number(event, "status", -1), signal);
		return;
	}
	text = format_text("the rig ended the host (%s%s%s)%s%s",
			   json_text(event, "cause", "unknown"), signal ? ", " : "",
			   signal ? strsignal(signal) : "", last_error ? ": " : "",
			   last_error ?: "");
	bench_host_taken(bench, text);
}

/* A slow boot; its console has a line every few seconds. */
static void show_boot(const struct bench *bench)
{
	const struct bench_options *options = &bench->options;
	const struct rig_profile *profile = rig_profile_find(bench->ops->name);
	double part, seconds = (double)(now_monotonic_ns() - bench->started_ns) / NSEC_PER_SEC;
	__cleanup_free char *text = NULL;

	if (!options->progress || !profile->boot_s || bench->state == HOST_UP)
		return;
	part = seconds / profile->boot_s;
	text = format_text("the host boots: %.0f of about %u s on an idle machine", seconds,
			   profile->boot_s);
	options->progress(options->context, text, part < 0.99 ? part : 0.99);
}

static void rig_event(struct bench *bench, const json_t *event)
{
	const char *kind = json_text(event, "event", "");
	int64_t time_ns = json_number(event, "time_ns", now_realtime_ns());

	if (strcmp(kind, "console") == 0) {
		show_boot(bench);
		bench_report(bench, "console", time_ns, json_text(event, "text", ""), NULL);
	} else if (strcmp(kind, "firmware") == 0) {
		const json_t *data = json_object_get(event, "data");

		bench_report(bench, "firmware", time_ns, json_text(data ?: event, "event", kind),
			     json_deep_copy(data ?: event));
	} else if (strcmp(kind, "lost") == 0) {
		int64_t count = json_number(event, "count", 1);
		__cleanup_free char *text =
			format_text("%lld events of the rig were lost", (long long)count);

		/* Lines of the console may be among them, so no line counts as missing. */
		bench_report(bench, "console", time_ns, text,
			     json_pack("{s:I}", "lost", (json_int_t)count));
	} else if (strcmp(kind, "power") == 0 && json_is(event, "state", "off")) {
		take_power_off(bench, event);
	}
}

static void rig_dispatch(struct bench *bench)
{
	struct reason why = {0};
	json_t *event;
	int got;

	while ((got = rig_receive(bench->private, &event, &why)) > 0) {
		rig_event(bench, event);
		json_decref(event);
	}
	if (got < 0) {
		bench->out_of_band_fd = -1;
		bench_host_taken(bench, "the supervisor of the rig host is gone");
	}
}

static int connect_agent(struct bench *bench, struct reason *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int64_t deadline = now_monotonic_ns() + 10 * NSEC_PER_SEC;
	const char *path = rig_agent_path(bench->private);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail_errno(why, -errno, "socket");
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = -errno;

		if (now_monotonic_ns() > deadline || (error != -ENOENT && error != -ECONNREFUSED)) {
			close(fd);
			return fail_errno(why, error, "the agent's port of rig host %s: %s",
					  bench->name, path);
		}
		/* QEMU creates its sockets some milliseconds after its start, without a notification. */
		poll(NULL, 0, 5);
	}
	bench->agent = channel_new(fd, fd);
	return 0;
}

static int read_power_on(struct bench *bench, struct reason *why)
{
	__cleanup_json json_t *status = NULL;
	int error = rig_call(bench->private, "status", NULL, 5000, &status, why);

	bench->powered_ns = json_number(status, "powered_ns", 0);
	return error;
}

static int rig_bench_start(struct bench *bench, struct reason *why)
{
	const struct bench_options *options = &bench->options;
	bool pair = bench->next != bench;
	uint64_t memory = 0;
	int error = 0;

	if (bench->private) {
		__cleanup_json json_t *cycle = json_pack("{s:s}", "action", "cycle");

		error = rig_call(bench->private, "power", cycle, POWER_TIMEOUT_MS, NULL, why);
		/* Drop late events of the previous host. */
		rig_dispatch(bench);
	} else {
		struct rig *rig;

		(void)parse_size(json_text(options->rig, "memory", "0"), &memory);
		error = rig_start(
			&(struct rig_options){
				.profile = bench->ops->name,
				.kernel = options->kernel,
				.modules = options->modules,
				.artifacts = options->artifacts,
				.memory_mib = (unsigned int)(memory >> 20),
				.processors =
					(unsigned int)json_number(options->rig, "processors", 0),
				.einj_revision =
					(unsigned int)json_number(options->rig, "einj-revision", 0),
				.counts_instructions =
					json_is(options->rig, "clock", "instructions"),
				.arguments = json_text(options->rig, "kernel-arguments", NULL),
				.host_number = pair ? bench->number + 1 : 0,
				.link = bench->number ? rig_link_path(bench->next->private) : NULL,
				.deadline_s = options->deadline_s,
				.progress = options->progress,
				.context = options->context,
			},
			&rig, why);
		if (error)
			return error;
		bench->private = rig;
		bench->emulator = format_text("QEMU %u.%u", rig_qemu_version(rig) / 100,
					      rig_qemu_version(rig) % 100);
		bench->out_of_band_fd = rig_control_fd(rig);
	}
	if (!error)
		error = read_power_on(bench, why) ?: connect_agent(bench, why);
	/* From here on, a host that goes down during boot has died. */
	if (!error)
		bench->state = HOST_LOST;
	return error;
}

static int rig_bench_firmware(struct bench *bench, const json_t *request, struct reason *why)
{
	if (!bench->private)
		return fail(why, -EHOSTDOWN, "firmware: the rig host is not up");
	return rig_call(bench->private, "firmware", request, 5000, NULL, why);
}

static int rig_bench_ready(struct bench *bench, struct reason *why)
{
	const struct rig_profile *profile = rig_profile_find(bench->ops->name);
	__cleanup_json json_t *arguments = NULL;
	__cleanup_json json_t *reply = NULL;
	json_t *argv = json_array();
	int error;

	for (const char *const *word = profile->ready; word && *word; word++)
		json_array_append_new(argv, json_string(*word));
	arguments = json_pack("{s:o, s:i}", "argv", argv, "timeout_ms", READY_TIMEOUT_MS);
	error = bench_call(bench, "run", arguments, READY_TIMEOUT_MS + 5000, &reply, why);
	if (!error && json_number(reply, "status", -1) != 0)
		/* The host is up, so this is not a death. */
		error = fail(why, -ENODEV,
			     "the hypervisor does not start on rig host %s; the end of "
			     "see its console",
			     bench->host);
	return error;
}

/* Names and addresses of the hosts in the network of a pair (start-libvirt). */
static void rig_bench_reach(const struct bench *bench, char **uri, char **address)
{
	*uri = format_text("qemu+tcp://host-%u/system", bench->number + 1);
	*address = format_text("tcp://10.0.0.%u", bench->number + 1);
}

/* ssh has root of the other host run xl there (start-xen). */
static void rig_xen_reach(const struct bench *bench, char **uri, char **address)
{
	*uri = format_text("xen+ssh://root@host-%u", bench->number + 1);
	*address = NULL;
}

static void rig_bench_stop(struct bench *bench)
{
	if (!bench->private)
		return;
	rig_stop(bench->private);
	bench->private = NULL;
	bench->out_of_band_fd = -1;
}

#define RIG_BENCH_OF(id, ...)                                                                      \
	REGISTERED(bench_ops, bench_##id) = {.limited = true,                                      \
					     .is_rig = true,                                       \
					     .start = rig_bench_start,                             \
					     .dispatch = rig_dispatch,                             \
					     .stop = rig_bench_stop,                               \
					     __VA_ARGS__}

#define RIG_BENCH(id, ...) RIG_BENCH_OF(id, .firmware = rig_bench_firmware, __VA_ARGS__)

RIG_BENCH(intel, .name = "intel", .hosts = 1,
	  .summary = "rig: an emulated Intel host with EINJ, machine checks and VT-d");
RIG_BENCH(kvm, .name = "kvm", .hosts = 1, .ready = rig_bench_ready,
	  .summary = "rig: an emulated AMD host that runs KVM guests, with vsock");
RIG_BENCH(gmem, .name = "gmem", .hosts = 1, .ready = rig_bench_ready,
	  .summary = "rig: a kvm host whose VMs can have private memory");
RIG_BENCH(gmem_pair, .name = "gmem-pair", .hosts = 2, .ready = rig_bench_ready,
	  .reach = rig_bench_reach,
	  .summary = "rig: two gmem hosts with a network between them, for live migration");
RIG_BENCH(kvm_pair, .name = "kvm-pair", .hosts = 2, .ready = rig_bench_ready,
	  .reach = rig_bench_reach,
	  .summary = "rig: two kvm hosts with a network between them, for live migration");
RIG_BENCH(xen, .name = "xen", .hosts = 1, .local_migration = true, .ready = rig_bench_ready,
	  .summary = "rig: an emulated host that runs guests on Xen");
RIG_BENCH(xen_pair, .name = "xen-pair", .hosts = 2, .ready = rig_bench_ready,
	  .reach = rig_xen_reach,
	  .summary = "rig: two xen hosts with a network between them, for live migration by ssh");
/* Bochs has no firmware model. */
RIG_BENCH_OF(xen_ept, .name = "xen-ept", .hosts = 1, .local_migration = true,
	     .ready = rig_bench_ready, .slowness = 10,
	     .summary = "rig: a xen host with EPT, emulated by Bochs: slow");
