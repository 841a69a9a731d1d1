/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_XEN_GUEST_H
#define BRINELL_XEN_GUEST_H

/*
 * The guest program of Xen domains: freestanding, one processor, no library. It uses the protocol of brinell-guest
 * (docs/guest-program.md) on its console.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES 4096ul
/* Pages of workloads begin here, above the program. */
#define POOL_BEGIN (16ul << 20)

/**
 * struct machine_check - a pending machine check
 * @bank, @status, @address, @misc, @global: of its MSRs (Intel SDM volume 3, chapter 17)
 * @during_touch: it came while a workload touched its memory
 */
struct machine_check {
	unsigned int bank;
	uint64_t status, address, misc, global;
	bool during_touch;
};

/* platform.c: Xen and the processor */
void platform_begin(uint64_t start_info);
uint64_t platform_pool_end(void);
const char *platform_command_line(void);
uint64_t now_ns(void);
void platform_wait(void);
void platform_shutdown(unsigned int reason) __attribute__((noreturn));
bool machine_check_take(struct machine_check *check);
bool touch_begin(void);
void touch_end(void);

/* A machine check during a touch returns here a second time, with true. */
extern void *touch_return[5];
#define TOUCH_INTERRUPTED() (__builtin_setjmp(touch_return) != 0)

/* console.c: lines through the ring that xenconsoled serves */
bool console_changed(void);
bool console_is_blocked(void);
bool console_line(char *line, size_t room);
void console_flush(void);
void debug_print(const char *text);

/* text.c */
void out_begin(void);
void out(const char *format, ...) __attribute__((format(printf, 1, 2)));
void out_end(void);
bool text_is(const char *one, const char *other);
bool json_find_text(const char *line, const char *key, char *value, size_t room);
bool json_find_number(const char *line, const char *key, uint64_t *value);

/* work.c: workloads and heartbeats */
bool work_start(const char *line, uint64_t id);
bool work_touch(const char *line, uint64_t id);
bool work_stop(const char *line, uint64_t id);
void work_step(void);
void work_machine_check(const struct machine_check *check);

void *memcpy(void *to, const void *from, size_t length);
void *memset(void *to, int byte, size_t length);

#endif
