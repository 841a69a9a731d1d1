// SPDX-License-Identifier: GPL-2.0-only
/*
 * poison - QEMU TCG plugin: memory whose poison is latent until a processor accesses it
 *
 * The firmware model (harness/rig/firmware/firmware.c) arms 64-byte lines in a shared page (harness/rig/firmware/poison.h). While any line
 * is armed, and for some seconds more, every load, store and fetch of every virtual processor is compared with them; else the machine
 * runs code without any instrumentation. A change between the two resets the plugin, which discards all translated code;
 * arming a line in an instrumented machine costs nothing.
 *
 * Precision. The callback of an access runs after the load. A machine check raised there would have the RIP of the next
 * instruction, but the kernel's recovery of copy_from_user (arch/x86/kernel/cpu/mce/severity.c) decodes the consuming
 * instruction. So the plugin raises the machine check as a processor does: it queues it on the consuming virtual processor,
 * and leaves the translated code by QEMU's exit from a faulting access (cpu_loop_exit_restore), which restores the state
 * before the instruction. Registers, flags and RIP are those before the instruction, and no interrupt comes in between: a
 * pending machine check has priority over an external interrupt. The functions for this are not part of the plugin API; a
 * QEMU with loadable modules (as Debian's) exports them, with the same types from 7.2 to 11.1. Where they are missing, the
 * model raises the machine check by the monitor, and the plugin waits for it; RIP is then that of a following instruction.
 *
 * A poisoned fetch is detected at the start of the translation block that contains it: RIP is that of the block's first
 * instruction, where execution can resume, at most a block (two pages) before the poisoned line.
 *
 * Stale breakpoints. A kernel patches its code by a breakpoint in place of the first byte, and replaces it last
 * (arch/x86/kernel/alternative.c, smp_text_poke_batch_finish()). QEMU discards the translation of bytes before a processor stores to them
 * (accel/tcg/cputlb.c, notdirty_write()). Another processor can translate the breakpoint again in between, and would execute it
 * long after it has left the memory: an oops. So all translated code is discarded when a processor comes to such a breakpoint, also
 * while no line is armed.
 *
 * Not detected: accesses by devices (DMA) and by the page-table walker. Prefetch instructions do not access memory under TCG,
 * so they consume no poison, as on metal.
 *
 * Arguments: page=PATH of the shared page.
 *
 * PLUGIN_API is the API version of the QEMU: 1 for 7.2, 2 and more from 8.2 on, 7 from 11.1 on, which accepts no other one. Only functions
 * with the same ABI in 1 and 2 are used, but for those that read instructions; with 7, callbacks have the data of their registration
 * in place of the plugin's number. API 1 reports an atomic read-modify-write once as "read and write", later ones as
 * a read and a write; the read is handled first in both cases.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <linux/futex.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

#include "harness/rig/firmware/poison.h"

#ifndef PLUGIN_API
#error "PLUGIN_API must be the plugin API version of the QEMU that will load this"
#endif

/* The used part of QEMU's plugin ABI (include/qemu/qemu-plugin.h, which Debian does not package). */
typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;
struct qemu_info; /* not read: its layout changed between the versions */
enum {
	CALLBACK_NO_REGISTERS,
	MEMORY_READ_WRITE = 3
};

/* INT3 */
#define BREAKPOINT 0xcc

#if PLUGIN_API < 7
#define CALLBACK(...) (qemu_plugin_id_t id __VA_OPT__(, ) __VA_ARGS__)
#define REGISTRATION(kind) (qemu_plugin_id_t id, kind callback)
#define REGISTER(function, id, callback) function(id, callback)
#else
#define CALLBACK(...) (__VA_ARGS__ __VA_OPT__(, ) void *data)
#define REGISTRATION(kind) (qemu_plugin_id_t id, kind callback, void *data)
#define REGISTER(function, id, callback) function(id, callback, NULL)
#endif

typedef void(*simple_callback) CALLBACK();
typedef void(*processor_callback) CALLBACK(unsigned int processor);
typedef void (*execute_callback)(unsigned int processor, void *data);
typedef void(*translate_callback) CALLBACK(struct qemu_plugin_tb *tb);
typedef void (*memory_callback)(unsigned int processor, qemu_plugin_meminfo_t info,
				uint64_t address, void *data);

extern void qemu_plugin_reset REGISTRATION(simple_callback);
extern void qemu_plugin_register_flush_cb REGISTRATION(simple_callback);
extern void qemu_plugin_register_vcpu_idle_cb REGISTRATION(processor_callback);
extern void qemu_plugin_register_vcpu_tb_trans_cb REGISTRATION(translate_callback);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
						 execute_callback callback, int flags, void *data);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
						   execute_callback callback, int flags,
						   void *data);
extern void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
					     memory_callback callback, int flags, int rw,
					     void *data);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
							size_t index);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
extern void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *insn);
extern unsigned int qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t info);
extern bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t info);
extern struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(qemu_plugin_meminfo_t info,
							 uint64_t address);
extern bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *hwaddr);
extern uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *hwaddr);
extern void qemu_plugin_outs(const char *text);

__attribute__((visibility("default"))) int qemu_plugin_version = PLUGIN_API;
__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id,
							       const struct qemu_info *info,
							       int argc, char **argv);

/* Functions of QEMU itself. A virtual processor is opaque here; CPUState is the first member of X86CPU. */
struct processor;
union work_data {
	uint64_t number;
	void *pointer;
};

static struct {
	struct processor *(*get)(int index);
	void (*run_on)(struct processor *processor,
		       void (*work)(struct processor *processor, union work_data data),
		       union work_data data);
	void (*leave)(struct processor *processor, uintptr_t program_counter)
		__attribute__((noreturn));
	void (*inject)(void *monitor, struct processor *processor, int bank, uint64_t status,
		       uint64_t mcg_status, uint64_t address, uint64_t misc, int flags);
	void (*forget_callbacks)(struct processor *processor);
	void (*discard_code)(struct processor *processor);
	void *(*watch_state)(void (*changed)(void *context, bool goes_on, int state),
			     void *context);
} qemu;

static struct poison_page *page;
static int notify_fd = -1;
static qemu_plugin_id_t own_id;
static bool resetting;
static uintptr_t ram_start, ram_end, ram_offset;

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Find QEMU's mapping of the file that backs the RAM. */
static void find_ram(void)
{
	unsigned long start, end, offset, inode;
	unsigned int major_number, minor_number;
	char line[4352];
	FILE *maps = fopen("/proc/self/maps", "re");

	ram_start = ram_end = 0;
	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %*s %lx %x:%x %lu", &start, &end, &offset, &major_number,
			   &minor_number, &inode) != 6)
			continue;
		if (inode != page->ram_inode ||
		    makedev(major_number, minor_number) != page->ram_device)
			continue;
		ram_start = start;
		ram_end = end;
		ram_offset = offset;
		break;
	}
	if (maps)
		fclose(maps);
}

/* Return: index of the armed line at an address, or -1. */
static int find_line(uint64_t physical)
{
	for (int i = 0; i < POISON_LINES; i++) {
		struct poison_line *line = &page->lines[i];

		if (atomic_load_explicit(&line->kind, memory_order_acquire) &&
		    atomic_load_explicit(&line->address, memory_order_relaxed) ==
			    (physical & ~(uint64_t)(POISON_LINE_SIZE - 1)))
			return i;
	}
	return -1;
}

/*
 * The number of the processor that executes. @number is what QEMU passes to a callback: if one thread runs all processors, it is
 * that of the processor for which the code was translated (accel/tcg/plugin-gen.c, gen_cpu_index()).
 */
static unsigned int running(unsigned int number)
{
	struct processor **current = dlsym(RTLD_DEFAULT, "current_cpu");
	struct processor *processor;

	for (int i = 0; current && qemu.get && (processor = qemu.get(i)); i++)
		if (processor == *current)
			return (unsigned int)i;
	return number;
}

static uint64_t post(unsigned int processor, int index, enum poison_act act, uint64_t physical,
		     bool raised)
{
	uint64_t sequence = atomic_fetch_add(&page->posted, 1) + 1;
	struct poison_post *entry = &page->posts[sequence % POISON_POSTS];

	entry->time_ns = clock_ns(CLOCK_REALTIME);
	entry->address = physical;
	entry->line = (uint32_t)index;
	entry->armed = atomic_load(&page->lines[index].armed);
	entry->act = act;
	entry->processor = processor;
	entry->raised = raised;
	atomic_store_explicit(&entry->sequence, sequence, memory_order_release);
	/* A full socket has notifications pending: nothing is lost. */
	(void)!send(notify_fd, "p", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sequence;
}

static void raise_machine_check(struct processor *processor, union work_data data)
{
	struct poison_post *entry = &page->posts[data.number % POISON_POSTS];
	bool fatal = atomic_load(&page->lines[entry->line].kind) == POISON_FATAL;
	uint64_t status = POISON_STATUS_SRAR_LOAD, mcg_status = POISON_MCG_LOCAL;

	if (entry->act == POISON_WRITE_BACK) {
		status = POISON_STATUS_SRAO_WRITE_BACK;
		mcg_status = POISON_MCG_LOCAL_OPTIONAL;
	} else if (fatal) {
		status = POISON_STATUS_FATAL;
		mcg_status = POISON_MCG_LOCAL_FATAL;
	} else if (entry->act == POISON_FETCH) {
		status = POISON_STATUS_SRAR_FETCH;
	}
	qemu.inject(NULL, processor, POISON_BANK, status, mcg_status, entry->address, POISON_MISC,
		    0);
	atomic_store(&page->raised_ns, clock_ns(CLOCK_MONOTONIC));
	atomic_fetch_sub(&page->raising, 1);
}

static _Unwind_Reason_Code last_frame(struct _Unwind_Context *context, void *program_counter)
{
	*(uintptr_t *)program_counter = _Unwind_GetIP(context);
	return _URC_NO_REASON;
}

/*
 * Abort the current instruction. The outermost frame that unwinding reaches is called from translated code, which has no unwind
 * information, whether it called the plugin directly or through a helper of QEMU.
 */
static void __attribute__((noreturn)) restart_instruction(struct processor *processor)
{
	uintptr_t program_counter = 0;

	_Unwind_Backtrace(last_frame, &program_counter);
	qemu.leave(processor, program_counter);
}

static void consume(unsigned int number, int index, enum poison_act act, uint64_t physical)
{
	struct processor *processor = qemu.leave ? qemu.get((int)number) : NULL;

	if (atomic_load(&page->lines[index].kind) == POISON_CORRECTED) {
		/* A corrected error: the processor receives the correct data, the memory controller writes it back. */
		uint32_t kind = POISON_CORRECTED;

		if (atomic_compare_exchange_strong(&page->lines[index].kind, &kind, 0))
			post(number, index, act, physical, false);
		return;
	}
	if (!processor) {
		uint64_t sequence = post(number, index, act, physical, false);
		uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + 20000000;
		struct timespec pause = {.tv_nsec = 1000000};

		while (atomic_load(&page->answered) < sequence &&
		       clock_ns(CLOCK_MONOTONIC) < deadline)
			syscall(SYS_futex, &page->answered, FUTEX_WAIT,
				(uint32_t)atomic_load(&page->answered), &pause, NULL, 0);
		return;
	}
	atomic_fetch_add(&page->raising, 1);
	if (atomic_load(&page->hold)) {
		/* A broadcast is pending, and a second machine check would reset the machine. */
		atomic_fetch_sub(&page->raising, 1);
		restart_instruction(processor);
	}
	qemu.run_on(processor, raise_machine_check,
		    (union work_data){.number = post(number, index, act, physical, true)});
	restart_instruction(processor);
}

static void store(unsigned int number, int index, uint64_t physical, unsigned int size)
{
	struct poison_line *line = &page->lines[index];
	unsigned int first = physical % POISON_LINE_SIZE;
	uint64_t bytes = (size >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << size) - 1) << first;
	uint64_t before = atomic_fetch_or(&line->stored, bytes);
	uint32_t kind = atomic_load(&line->kind);

	if ((before | bytes) == ~UINT64_C(0)) {
		if (kind && atomic_compare_exchange_strong(&line->kind, &kind, 0))
			post(number, index, POISON_OVERWRITE, physical, false);
	} else if (!before && kind != POISON_CORRECTED) {
		post(number, index, POISON_PARTIAL_STORE, physical, false);
	}
}

/* API 1: enum qemu_plugin_mem_rw lies above the 16 bits of the memory operation; 1 reads, 2 writes, 3 does both. */
static bool reads(qemu_plugin_meminfo_t info)
{
	return PLUGIN_API == 1 ? info >> 16 & 1 : !qemu_plugin_mem_is_store(info);
}

static void touch(unsigned int number, qemu_plugin_meminfo_t info, uint64_t address,
		  unsigned int size)
{
	struct qemu_plugin_hwaddr *hwaddr = qemu_plugin_get_hwaddr(info, address);
	uint64_t physical;
	int index;

	if (!hwaddr || qemu_plugin_hwaddr_is_io(hwaddr))
		return;
	physical = qemu_plugin_hwaddr_phys_addr(hwaddr);
	index = find_line(physical);
	if (index < 0)
		return;
	number = running(number);
	if (reads(info))
		consume(number, index, POISON_LOAD, physical);
	else
		store(number, index, physical, size);
}

static void on_memory(unsigned int number, qemu_plugin_meminfo_t info, uint64_t address, void *data)
{
	uint64_t offsets = atomic_load_explicit(&page->offsets, memory_order_relaxed);
	unsigned int line = address >> 6 & 63;
	unsigned int size, here;

	/* The common case: no armed line has this offset in its page, nor the next offset. */
	if (!((offsets >> line | offsets >> ((line + 1) & 63)) & 1))
		return;
	size = 1u << qemu_plugin_mem_size_shift(info);
	here = POISON_LINE_SIZE - address % POISON_LINE_SIZE;
	if (here > size)
		here = size;
	if (offsets >> line & 1)
		touch(number, info, address, here);
	if (here < size && offsets >> ((line + 1) & 63) & 1)
		touch(number, info, address + here, size - here);
}

/* @data: a line that holds code of the block */
static void on_block(unsigned int number, void *data)
{
	uint64_t physical = (uintptr_t)data;
	int index;

	if (!(atomic_load_explicit(&page->offsets, memory_order_relaxed) >> (physical >> 6 & 63) &
	      1))
		return;
	index = find_line(physical);
	if (index >= 0)
		consume(running(number), index, POISON_FETCH, physical);
}

/*
 * A processor flushes a cache line. Its address is in registers that these plugin APIs can not read: the first poisoned line
 * of kind POISON_CACHED is used.
 */
static void on_flush_line(unsigned int number, void *data)
{
	struct processor *processor;

	number = running(number);
	processor = qemu.leave ? qemu.get((int)number) : NULL;
	atomic_fetch_add(&page->raising, 1);
	/* While a broadcast is pending, the line stays in the cache. */
	for (int i = 0; i < POISON_LINES && !atomic_load(&page->hold); i++) {
		uint32_t kind = POISON_CACHED;
		uint64_t sequence;

		if (!atomic_compare_exchange_strong(&page->lines[i].kind, &kind,
						    POISON_UNCORRECTED))
			continue;
		sequence = post(number, i, POISON_WRITE_BACK, atomic_load(&page->lines[i].address),
				processor != NULL);
		if (!processor)
			break;
		/* It decrements "raising". */
		qemu.run_on(processor, raise_machine_check, (union work_data){.number = sequence});
		return;
	}
	atomic_fetch_sub(&page->raising, 1);
}

/* CLFLUSH (0F AE /7), CLFLUSHOPT (66 before it) and CLWB (66 0F AE /6) of memory. */
static bool flushes_line(const uint8_t *code, size_t size)
{
	size_t at = 0;
	bool operand_size = false;

	while (at < size && (code[at] == 0x66 || (code[at] & 0xf0) == 0x40)) {
		operand_size |= code[at] == 0x66;
		at++;
	}
	if (size - at < 3 || code[at] != 0x0f || code[at + 1] != 0xae || code[at + 2] >> 6 == 3)
		return false;
	return (code[at + 2] >> 3 & 7) == 7 || (operand_size && (code[at + 2] >> 3 & 7) == 6);
}

static void discard_code(struct processor *processor, union work_data data)
{
	qemu.discard_code(processor);
}

/* @data: the byte of the breakpoint in QEMU's mapping of the RAM */
static void on_breakpoint(unsigned int number, void *data)
{
	struct processor *processor;

	if (*(const volatile uint8_t *)data == BREAKPOINT)
		return;
	processor = qemu.get((int)running(number));
	fputs("a breakpoint is no longer in memory: discarding all translated code\n", stderr);
	/* The processor does it before it goes on, and not here: the restart needs the translation of the instruction. */
	qemu.run_on(processor, discard_code, (union work_data){0});
	restart_instruction(processor);
}

/*
 * Watch a breakpoint, which ends its block. The memory may already hold the first byte of what replaces it: NOP, CALL, or JMP of
 * several bytes, which is no instruction of one byte.
 */
static void watch_breakpoint(struct qemu_plugin_tb *tb)
{
	static const uint8_t firsts[] = {BREAKPOINT, 0x0f, 0x2e, 0x66, 0xe8, 0xe9, 0xeb};
	struct qemu_plugin_insn *last = qemu_plugin_tb_get_insn(tb, qemu_plugin_tb_n_insns(tb) - 1);
	uint8_t *host = qemu_plugin_insn_haddr(last);

	if (qemu_plugin_insn_size(last) == 1 && host && memchr(firsts, *host, sizeof(firsts)))
		qemu_plugin_register_vcpu_insn_exec_cb(last, on_breakpoint, CALLBACK_NO_REGISTERS,
						       host);
}

static void on_translate_unarmed CALLBACK(struct qemu_plugin_tb *tb)
{
	watch_breakpoint(tb);
}

/* All lines of a block are compared when it runs, because a line may be armed after the translation. */
static void on_translate CALLBACK(struct qemu_plugin_tb *tb)
{
	uint64_t line = UINT64_MAX;

	if (qemu.discard_code)
		watch_breakpoint(tb);
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uintptr_t host = (uintptr_t)qemu_plugin_insn_haddr(insn);
		size_t size = qemu_plugin_insn_size(insn);

		qemu_plugin_register_vcpu_mem_cb(insn, on_memory, CALLBACK_NO_REGISTERS,
						 MEMORY_READ_WRITE, NULL);
		if (!size || host < ram_start || host >= ram_end)
			continue;
		if (host % 4096 + size <= 4096 && flushes_line((const uint8_t *)host, size))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_flush_line,
							       CALLBACK_NO_REGISTERS, NULL);
		/* First and last byte: an instruction is shorter than a line. */
		for (size_t byte = 0; byte<size; byte += size> 1 ? size - 1 : 1) {
			uint64_t physical = host - ram_start + ram_offset + byte;

			if ((physical & ~(uint64_t)(POISON_LINE_SIZE - 1)) == line)
				continue;
			line = physical & ~(uint64_t)(POISON_LINE_SIZE - 1);
			qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, CALLBACK_NO_REGISTERS,
							     (void *)(uintptr_t)line);
		}
	}
}

/*
 * In QEMU 7.2 a processor keeps a pointer to the callbacks of its last instruction if that ended its block, and QEMU frees
 * them together with the translated code. Later versions clear the pointer, and lack this function.
 */
static void forget_callbacks(void)
{
	struct processor *processor;

	if (!qemu.forget_callbacks || !qemu.get)
		return;
	for (int i = 0; (processor = qemu.get(i)); i++)
		qemu.forget_callbacks(processor);
}

static void on_flush CALLBACK()
{
	forget_callbacks();
}

static void on_idle CALLBACK(unsigned int processor);

static void on_reset CALLBACK()
{
	uint32_t generation = atomic_load(&page->generation);

	forget_callbacks();
	REGISTER(qemu_plugin_register_vcpu_idle_cb, own_id, on_idle);
	if (generation & 1) {
		REGISTER(qemu_plugin_register_flush_cb, own_id, on_flush);
		find_ram();
		REGISTER(qemu_plugin_register_vcpu_tb_trans_cb, own_id, on_translate);
	} else if (qemu.discard_code) {
		REGISTER(qemu_plugin_register_vcpu_tb_trans_cb, own_id, on_translate_unarmed);
	}
	resetting = false;
	atomic_store(&page->acknowledged, generation);
	(void)!send(notify_fd, "a", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void follow_page(void)
{
	if (resetting || atomic_load(&page->generation) == atomic_load(&page->acknowledged))
		return;
	resetting = true;
	REGISTER(qemu_plugin_reset, own_id, on_reset);
}

/*
 * Runs when a processor halts, and on every processor when the machine is stopped, but not if one thread runs all of them
 * (accel/tcg/tcg-accel-ops-rr.c); always under QEMU's big lock.
 */
static void on_idle CALLBACK(unsigned int processor)
{
	follow_page();
}

static void read_page(struct processor *processor, union work_data data)
{
	follow_page();
}

/* The machine is stopped, or goes on. A plugin can be reset in the thread of a processor only. */
static void on_state(void *context, bool goes_on, int state)
{
	qemu.run_on(qemu.get(0), read_page, (union work_data){0});
}

static int open_page(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (page == MAP_FAILED)
		return -errno;
	if (page->magic != POISON_MAGIC)
		return -EPROTO;
	notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify_fd < 0)
		return -errno;
	if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s%s", path,
			     POISON_NOTIFY_SUFFIX) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	return connect(notify_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

/**
 * qemu_plugin_install - entry point that QEMU calls before it makes the machine
 *
 * Return: 0, or non-zero with a message: then QEMU does not start.
 */
int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	int error = -EINVAL;

	own_id = id;
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "page=", 5))
			error = open_page(argv[i] + 5);
	if (error) {
		char text[512];

		snprintf(text, sizeof(text),
			 "poison: can not use the page that page= names: %s (is the firmware model "
			 "running?)\n",
			 strerror(-error));
		qemu_plugin_outs(text);
		return error;
	}
	*(void **)&qemu.get = dlsym(RTLD_DEFAULT, "qemu_get_cpu");
	*(void **)&qemu.run_on = dlsym(RTLD_DEFAULT, "async_run_on_cpu");
	*(void **)&qemu.forget_callbacks = dlsym(RTLD_DEFAULT, "qemu_plugin_disable_mem_helpers");
	*(void **)&qemu.inject = dlsym(RTLD_DEFAULT, "cpu_x86_inject_mce");
	if (qemu.get && qemu.run_on && qemu.inject)
		*(void **)&qemu.leave = dlsym(RTLD_DEFAULT, "cpu_loop_exit_restore");
	/* With API 1 a host has one processor. */
	if (qemu.leave && PLUGIN_API > 1)
		*(void **)&qemu.discard_code =
			dlsym(RTLD_DEFAULT, "tb_flush") ?: dlsym(RTLD_DEFAULT, "queue_tb_flush");
	if (qemu.discard_code)
		REGISTER(qemu_plugin_register_vcpu_tb_trans_cb, id, on_translate_unarmed);
	*(void **)&qemu.watch_state = dlsym(RTLD_DEFAULT, "qemu_add_vm_change_state_handler");
	if (qemu.get && qemu.run_on && qemu.watch_state)
		qemu.watch_state(on_state, NULL);
	atomic_store(&page->present, (uint32_t)getpid());
	REGISTER(qemu_plugin_register_vcpu_idle_cb, id, on_idle);
	return 0;
}
