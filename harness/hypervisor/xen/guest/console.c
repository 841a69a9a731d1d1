// SPDX-License-Identifier: GPL-2.0-only
/*
 * The console of the domain: two rings in a page (xen/include/public/io/console.h) that xenconsoled serves. After a
 * migration the page is empty (handle_hvm_params() in tools/libs/guest/xg_sr_restore_x86_hvm.c), and the event channel has
 * changed.
 */
#include <stdarg.h>

#include "guest.h"

#define HYPERCALL_HVM_OP 34u
#define HYPERCALL_EVENT_CHANNEL_OP 32u
#define HVMOP_GET_PARAM 1u
#define HVM_PARAM_CONSOLE_PFN 17u
#define HVM_PARAM_CONSOLE_EVTCHN 18u
#define EVTCHNOP_SEND 4u
#define DOMID_SELF 0x7ff0u
#define OUT_BYTES (32u << 10)
#define LINE_BYTES 4096u

long hypercall(unsigned int number, uint64_t first, const void *second);

struct ring {
	char in[1024];
	char out[2048];
	volatile uint32_t in_taken, in_made, out_taken, out_made;
};

struct hvm_param {
	uint16_t domain;
	uint32_t index;
	uint64_t value;
};

/*
 * @made:    producer index of the ring, as this side wrote it
 * @pending: output that is not in the ring yet, @kept bytes; a line that does not fit is dropped
 * @begin:   start of the present line
 */
static struct ring *ring;
static uint32_t port, made;
static char pending[OUT_BYTES];
static size_t kept, begin;
static bool overflow;
static char line_in[LINE_BYTES];
static size_t line_used;

static uint64_t ask(uint32_t index)
{
	struct hvm_param param = {.domain = DOMID_SELF, .index = index};

	return hypercall(HYPERCALL_HVM_OP, HVMOP_GET_PARAM, &param) ? 0 : param.value;
}

/** console_changed - check the console. Return: true if it was emptied, because its reader is new */
bool console_changed(void)
{
	if (ring && ring->out_made == made)
		return false;
	ring = (struct ring *)(ask(HVM_PARAM_CONSOLE_PFN) * PAGE_BYTES);
	port = (uint32_t)ask(HVM_PARAM_CONSOLE_EVTCHN);
	made = ring ? ring->out_made : 0;
	kept = begin = line_used = 0;
	return true;
}

/** console_flush - copy pending output to the ring, as far as it fits */
void console_flush(void)
{
	size_t sent = 0;

	while (ring && sent < kept && made - ring->out_taken < sizeof(ring->out))
		ring->out[made++ % sizeof(ring->out)] = pending[sent++];
	if (!sent)
		return;
	__sync_synchronize();
	ring->out_made = made;
	memcpy(pending, pending + sent, kept - sent);
	kept -= sent;
	(void)hypercall(HYPERCALL_EVENT_CHANNEL_OP, EVTCHNOP_SEND, &port);
}

/** console_is_blocked - whether output is pending */
bool console_is_blocked(void)
{
	return kept || (ring && ring->out_taken != made);
}

/** console_line - read a complete line of input, without its newline. Return: false: there is none yet */
bool console_line(char *line, size_t room)
{
	bool taken = false, whole = false;

	while (ring && !whole && ring->in_taken != ring->in_made) {
		char byte = ring->in[ring->in_taken % sizeof(ring->in)];

		ring->in_taken++;
		taken = true;
		whole = byte == '\n';
		if (!whole && line_used < LINE_BYTES - 1)
			line_in[line_used++] = byte;
	}
	if (taken)
		(void)hypercall(HYPERCALL_EVENT_CHANNEL_OP, EVTCHNOP_SEND, &port);
	if (!whole || line_used >= room)
		return false;
	memcpy(line, line_in, line_used);
	line[line_used] = '\0';
	line_used = 0;
	return true;
}

static void put(char byte)
{
	if (kept < OUT_BYTES)
		pending[kept++] = byte;
	else
		overflow = true;
}

static void put_number(uint64_t value, unsigned int base)
{
	char digits[24];
	size_t count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (count)
		put(digits[--count]);
}

/** out_begin - start a line of output; out_end() completes it */
void out_begin(void)
{
	begin = kept;
	overflow = false;
}

/** out - add to the line. @format: only %s, %lu and %lx */
void out(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	for (; *format; format++) {
		if (*format != '%') {
			put(*format);
			continue;
		}
		if (*++format == 's') {
			for (const char *text = va_arg(arguments, const char *); *text; text++)
				put(*text);
			continue;
		}
		put_number(va_arg(arguments, uint64_t), *++format == 'x' ? 16 : 10);
	}
	va_end(arguments);
}

void out_end(void)
{
	put('\n');
	if (overflow)
		kept = begin;
	console_flush();
}

bool text_is(const char *one, const char *other)
{
	while (*one && *one == *other) {
		one++;
		other++;
	}
	return *one == *other;
}

/* Return: value of a key anywhere in the line, because the host's agent sends each key once; NULL: there is none. */
static const char *find_value(const char *line, const char *key)
{
	for (; *line; line++) {
		const char *at = line, *name = key;

		if (*at++ != '"')
			continue;
		while (*name && *name == *at) {
			name++;
			at++;
		}
		if (*name || *at++ != '"' || *at++ != ':')
			continue;
		while (*at == ' ')
			at++;
		return at;
	}
	return NULL;
}

/** json_find_text - find the string of a key. Return: false: there is none, it does not fit, or has escapes */
bool json_find_text(const char *line, const char *key, char *value, size_t room)
{
	const char *at = find_value(line, key);
	size_t length = 0;

	if (!at || *at++ != '"')
		return false;
	for (; *at && *at != '"'; at++) {
		if (*at == '\\' || length + 1 >= room)
			return false;
		value[length++] = *at;
	}
	value[length] = '\0';
	return *at == '"';
}

static unsigned int digit(char byte)
{
	if (byte >= '0' && byte <= '9')
		return (unsigned int)(byte - '0');
	return byte >= 'a' && byte <= 'f' ? (unsigned int)(byte - 'a') + 10 : 16;
}

/** json_find_number - find the non-negative number of a key, also as a string. Return: false: there is none */
bool json_find_number(const char *line, const char *key, uint64_t *value)
{
	const char *at = find_value(line, key);
	unsigned int base = 10;

	if (at && *at == '"')
		at++;
	if (at && at[0] == '0' && at[1] == 'x') {
		base = 16;
		at += 2;
	}
	if (!at || digit(*at) >= base)
		return false;
	for (*value = 0; digit(*at) < base; at++)
		*value = *value * base + digit(*at);
	return true;
}
