// SPDX-License-Identifier: GPL-2.0-only
/*
 * Platform code of the guest program: hypercalls, traps, a timer of 20 ms, the clock, and machine checks. Hypercalls go
 * through the hypercall page, which Xen fills with the instruction of this processor.
 */
#include "guest.h"

#define XEN_CPUID_FIRST 0x40000000u
#define XEN_SIGNATURE 0x566e6558u /* "XenV" */
#define HYPERCALL_SCHED_OP 29u
#define SCHEDOP_SHUTDOWN 2u
#define SHUTDOWN_CRASH 3u

#define MSR_APIC_BASE 0x1bu
#define APIC_BASE_X2APIC (3u << 10)
#define MSR_X2APIC_EOI 0x80bu
#define MSR_X2APIC_SPURIOUS 0x80fu
#define MSR_X2APIC_TIMER 0x832u
#define MSR_X2APIC_COUNT 0x838u
#define MSR_X2APIC_DIVIDE 0x83eu
#define APIC_ENABLED (1u << 8)
#define APIC_PERIODIC (1u << 17)
#define APIC_DIVIDE_BY_1 0xbu
/* Of the virtual APIC, which counts 100 MHz (APIC_BUS_CYCLE_NS in Xen). */
#define TICK_COUNT 2000000u

#define MSR_MCG_CAP 0x179u
#define MSR_MCG_STATUS 0x17au
#define MSR_MC_STATUS(bank) (0x401u + 4 * (bank))
#define MSR_MC_ADDR(bank) (0x402u + 4 * (bank))
#define MSR_MC_MISC(bank) (0x403u + 4 * (bank))
#define STATUS_VALID (1ull << 63)
#define STATUS_ACTION_REQUIRED (1ull << 55)

#define TRAP_MACHINE_CHECK 18u
#define TRAP_TIMER 32u
#define TRAPS 33u
#define CHECKS 8u

struct gate {
	uint16_t low, segment, flags, middle;
	uint32_t high, reserved;
};

/* docs/misc/pvh.pandoc and xen/include/public/arch-x86/hvm/start_info.h */
struct start_info {
	uint32_t magic, version, flags, modules;
	uint64_t module_list, command_line, rsdp, memory_map;
	uint32_t memory_map_entries, reserved;
};

struct memory_map_entry {
	uint64_t address, size;
	uint32_t type, reserved;
};

extern uint8_t trap_entries[], hypercall_page[];
void *touch_return[5];

static struct gate gates[TRAPS];
static uint64_t pool_end, clock_khz, clock_begin;
static const char *command_line;
static struct machine_check checks[CHECKS];
static volatile unsigned int checks_made, checks_taken;
static volatile bool touching;

static uint64_t read_msr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static void write_msr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static void cpuid(uint32_t leaf, uint32_t words[static 4])
{
	__asm__ volatile("cpuid"
			 : "=a"(words[0]), "=b"(words[1]), "=c"(words[2]), "=d"(words[3])
			 : "a"(leaf), "c"(0));
}

/** hypercall - of two arguments. Return: as Xen answers */
long hypercall(unsigned int number, uint64_t first, const void *second)
{
	long result;

	__asm__ volatile("call *%[entry]"
			 : "=a"(result), "+D"(first), "+S"(second)
			 : [entry] "r"(hypercall_page + number * 32)
			 : "rdx", "rcx", "r8", "r9", "r10", "r11", "memory");
	return result;
}

void *memcpy(void *to, const void *from, size_t length)
{
	void *begin = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length)::"memory");
	return begin;
}

void *memset(void *to, int byte, size_t length)
{
	void *begin = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(length) : "a"(byte) : "memory");
	return begin;
}

/** debug_print - write a line to Xen's log */
void debug_print(const char *text)
{
	for (; *text; text++)
		__asm__ volatile("outb %0, $0xe9" ::"a"(*text));
	__asm__ volatile("outb %0, $0xe9" ::"a"((char)'\n'));
}

/** platform_shutdown - end the domain. @reason: SHUTDOWN_* of xen/include/public/sched.h */
void platform_shutdown(unsigned int reason)
{
	(void)hypercall(HYPERCALL_SCHED_OP, SCHEDOP_SHUTDOWN, &reason);
	for (;;)
		__asm__ volatile("hlt");
}

/** now_ns - time since the start of the program, by the TSC */
uint64_t now_ns(void)
{
	uint64_t ticks = __builtin_ia32_rdtsc() - clock_begin;

	return ticks / clock_khz * 1000000 + ticks % clock_khz * 1000000 / clock_khz;
}

/** platform_wait - wait for an interrupt, 20 ms at most */
void platform_wait(void)
{
	__asm__ volatile("hlt" ::: "memory");
}

/** touch_begin - start a section until touch_end() that a machine check may interrupt; see TOUCH_INTERRUPTED() */
bool touch_begin(void)
{
	touching = true;
	return true;
}

void touch_end(void)
{
	touching = false;
}

static void take_machine_check(void)
{
	uint64_t global = read_msr(MSR_MCG_STATUS);
	unsigned int banks = read_msr(MSR_MCG_CAP) & 0xff;
	bool required = false;

	for (unsigned int bank = 0; bank < banks; bank++) {
		uint64_t status = read_msr(MSR_MC_STATUS(bank));

		if (!(status & STATUS_VALID))
			continue;
		if (checks_made - checks_taken < CHECKS)
			checks[checks_made++ % CHECKS] =
				(struct machine_check){.bank = bank,
						       .status = status,
						       .address = read_msr(MSR_MC_ADDR(bank)),
						       .misc = read_msr(MSR_MC_MISC(bank)),
						       .global = global,
						       .during_touch = touching};
		required |= (status & STATUS_ACTION_REQUIRED) != 0;
		write_msr(MSR_MC_STATUS(bank), 0);
	}
	write_msr(MSR_MCG_STATUS, 0);
	/* The interrupted instruction would consume the error again: skip the section. */
	if (required && touching) {
		touching = false;
		__builtin_longjmp(touch_return, 1);
	}
}

/** machine_check_take - take the oldest pending machine check. Return: whether there is one */
bool machine_check_take(struct machine_check *check)
{
	if (checks_taken == checks_made)
		return false;
	*check = checks[checks_taken % CHECKS];
	checks_taken++;
	return true;
}

static void print_hex(const char *what, uint64_t value)
{
	char text[64];
	size_t length = 0;

	for (; what[length]; length++)
		text[length] = what[length];
	for (int shift = 60; shift >= 0; shift -= 4)
		text[length++] = "0123456789abcdef"[value >> shift & 0xf];
	text[length] = '\0';
	debug_print(text);
}

/* From head.S, with interrupts off. */
void guest_trap(unsigned int number, uint64_t rip);

void guest_trap(unsigned int number, uint64_t rip)
{
	if (number == TRAP_TIMER) {
		write_msr(MSR_X2APIC_EOI, 0);
	} else if (number == TRAP_MACHINE_CHECK) {
		take_machine_check();
	} else {
		print_hex("brinell-guest-xen: trap ", number);
		print_hex("brinell-guest-xen: at ", rip);
		platform_shutdown(SHUTDOWN_CRASH);
	}
}

static void load_gates(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) table = {sizeof(gates) - 1, (uint64_t)gates};

	for (unsigned int i = 0; i < TRAPS; i++) {
		uint64_t entry = (uint64_t)trap_entries + i * 16;

		gates[i] = (struct gate){.low = (uint16_t)entry,
					 .segment = 8,
					 .flags = 0x8e00,
					 .middle = (uint16_t)(entry >> 16)};
	}
	__asm__ volatile("lidt %0" ::"m"(table));
}

/* The firmware of an HVM guest leaves the PIT running, whose interrupt vector is that of a trap. */
static void mask_legacy_interrupts(void)
{
	__asm__ volatile("outb %0, $0x21" ::"a"((uint8_t)0xff));
	__asm__ volatile("outb %0, $0xa1" ::"a"((uint8_t)0xff));
}

static void start_timer(void)
{
	write_msr(MSR_APIC_BASE, read_msr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
	write_msr(MSR_X2APIC_SPURIOUS, APIC_ENABLED | (TRAP_TIMER - 1));
	write_msr(MSR_X2APIC_DIVIDE, APIC_DIVIDE_BY_1);
	write_msr(MSR_X2APIC_TIMER, TRAP_TIMER | APIC_PERIODIC);
	write_msr(MSR_X2APIC_COUNT, TICK_COUNT);
}

/* Leaf 3 of Xen has the frequency of the counter, leaf 2 the register that fills the hypercall page (arch-x86/cpuid.h). */
static void find_xen(void)
{
	uint32_t words[4], base = XEN_CPUID_FIRST;

	for (cpuid(base, words); words[1] != XEN_SIGNATURE && base < XEN_CPUID_FIRST + 0x10000;
	     cpuid(base, words))
		base += 0x100;
	cpuid(base + 2, words);
	write_msr(words[1], (uint64_t)hypercall_page);
	cpuid(base + 3, words);
	clock_khz = words[2] ? words[2] : 1000000;
	clock_begin = __builtin_ia32_rdtsc();
}

static void read_start_info(const struct start_info *info)
{
	const struct memory_map_entry *map = (const void *)info->memory_map;

	command_line = info->command_line ? (const char *)info->command_line : "";
	for (uint32_t i = 0; info->version && i < info->memory_map_entries; i++)
		if (map[i].type == 1 && map[i].address <= POOL_BEGIN &&
		    map[i].address + map[i].size > POOL_BEGIN)
			pool_end = (map[i].address + map[i].size) & ~(PAGE_BYTES - 1);
}

/** platform_pool_end - end of the memory of workloads, which begins at POOL_BEGIN; 0: there is none */
uint64_t platform_pool_end(void)
{
	return pool_end;
}

const char *platform_command_line(void)
{
	return command_line;
}

/** platform_begin - initialize the platform, first. @start_info: physical address */
void platform_begin(uint64_t start_info)
{
	load_gates();
	find_xen();
	read_start_info((const struct start_info *)start_info);
	mask_legacy_interrupts();
	start_timer();
	__asm__ volatile("sti");
}
