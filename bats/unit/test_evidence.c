// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the meaning of lines of the kernel's log and of trace events, in the format that kernels print, and the
 * nature of faults and of errors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "harness/evidence/evidence.h"
#include "harness/evidence/record.h"

#include <cmocka.h>

#define MC KIND_MACHINE_CHECK
#define CE SEVERITY_CORRECTED
#define UE SEVERITY_UNCORRECTED
#define BOTH SEVERITY_ANY

static const struct {
	const char *text;
	enum meaning meaning;
	unsigned char kinds, severities;
	uint64_t pfn;
	const char *device;
} errors[] = {
	{"mce: [Hardware Error]: Machine check events logged", MEANS_HARDWARE_ERROR, MC, BOTH, 0,
	 ""},
	{"mce: [Hardware Error]: CPU 1: Machine Check Exception: 5 Bank 1: be00000000800400",
	 MEANS_HARDWARE_ERROR, KIND_PROCESSOR, UE, 0, ""},
	{"mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 7: 8c00004000010090",
	 MEANS_HARDWARE_ERROR, KIND_MEMORY, CE, 0, ""},
	{"mce: [Hardware Error]: TSC 4b8a3d3c ADDR 11a3f4000 MISC 8c ", MEANS_HARDWARE_ERROR, MC,
	 BOTH, 0x11a3f4, ""},
	{"[Hardware Error]: TSC 0 ADDR 233f6e3c0 MISC d01a000601000000 PPIN 2b6 SYND 100010a801407 "
	 "IPID 9600050f00 ",
	 MEANS_HARDWARE_ERROR, KIND_MEMORY, BOTH, 0, ""},
	{"mce: CPU#1: Unexpected int18 (Machine Check)", MEANS_HARDWARE_ERROR, MC, UE, 0, ""},
	{"mce: Uncorrected hardware memory error in user-access at 11a3f4000", MEANS_HARDWARE_ERROR,
	 MC, UE, 0x11a3f4, ""},
	{"[Hardware Error]: Corrected error, no action required.", MEANS_HARDWARE_ERROR, MC, CE, 0,
	 ""},
	{"[Hardware Error]: Deferred error, no action required.", MEANS_HARDWARE_ERROR, MC, UE, 0,
	 ""},
	{"[Hardware Error]: Uncorrected, software restartable error.", MEANS_HARDWARE_ERROR, MC, UE,
	 0, ""},
	{"[Hardware Error]: System Fatal error.", MEANS_HARDWARE_ERROR, MC, UE, 0, ""},
	{"[Hardware Error]: CPU:0 (19:61:2) MC21_STATUS[Over|CE|MiscV|AddrV|-|-|SyndV|CECC|-|-|-]: "
	 "0xdc2040000400011b",
	 MEANS_HARDWARE_ERROR, MC, CE, 0, ""},
	{"[Hardware Error]: CPU:24 (17:31:0) MC17_STATUS[Over|UE|MiscV|AddrV|PCC|-|SyndV|UECC]: "
	 "0xfe2041000000011b",
	 MEANS_HARDWARE_ERROR, MC, UE, 0, ""},
	{"[Hardware Error]: Error Addr: 0x0000000233f6e3c0", MEANS_HARDWARE_ERROR, MC, BOTH, 0, ""},
	{"[Hardware Error]: IPID: 0x0000009600050f00, Syndrome: 0x000100010a801407",
	 MEANS_HARDWARE_ERROR, KIND_MEMORY, BOTH, 0, ""},
	{"[Hardware Error]: Unified Memory Controller Ext. Error Code: 0, DRAM ECC error.",
	 MEANS_HARDWARE_ERROR, KIND_MEMORY, BOTH, 0, ""},
	{"[Hardware Error]: Load Store Unit Ext. Error Code: 1, An ECC error or L2 poison.",
	 MEANS_HARDWARE_ERROR, MC, BOTH, 0, ""},
	{"[Hardware Error]: Northbridge Error (node 0): DRAM ECC error detected on the NB.",
	 MEANS_HARDWARE_ERROR, KIND_MEMORY, BOTH, 0, ""},
	{"{1}[Hardware Error]: Hardware error from APEI Generic Hardware Error Source: 1",
	 MEANS_HARDWARE_ERROR, 0, 0, 0, ""},
	{"{1}[Hardware Error]: event severity: corrected", MEANS_HARDWARE_ERROR, 0, CE, 0, ""},
	{"{1}[Hardware Error]: event severity: recoverable", MEANS_HARDWARE_ERROR, 0, UE, 0, ""},
	{"{1}[Hardware Error]:   section_type: memory error", MEANS_HARDWARE_ERROR, KIND_MEMORY, 0,
	 0, ""},
	{"{1}[Hardware Error]:   section_type: PCIe error", MEANS_HARDWARE_ERROR, KIND_PCIE, 0, 0,
	 ""},
	{"{1}[Hardware Error]:   section_type: general processor error", MEANS_HARDWARE_ERROR,
	 KIND_PROCESSOR, 0, 0, ""},
	{"{1}[Hardware Error]:   section_type: CXL Protocol Error", MEANS_HARDWARE_ERROR, KIND_CXL,
	 0, 0, ""},
	{"{1}[Hardware Error]:   section type: unknown, 9876ccad-b447-4bdb-b65e-16f193c4f3db",
	 MEANS_HARDWARE_ERROR, KIND_PROCESSOR, 0, 0, ""},
	{"{1}[Hardware Error]:   section type: unknown, 330f1140-72a5-11df-9690-0002a5d5c51b",
	 MEANS_HARDWARE_ERROR, KIND_OTHER, 0, 0, ""},
	{"{1}[Hardware Error]:   physical_address: 0x000000011a3f4000", MEANS_HARDWARE_ERROR,
	 KIND_MEMORY, 0, 0x11a3f4, ""},
	{"{1}[Hardware Error]:   device_id: 0000:00:1c.6", MEANS_HARDWARE_ERROR, KIND_PCIE, 0, 0,
	 "0000:00:1c.6"},
	{"BERT: Error records from previous boot:", MEANS_HARDWARE_ERROR, 0, 0, 0, ""},
	{"EDAC MC1: 1 CE memory scrubbing error on CPU_SrcID#1_Ha#0_Chan#0_DIMM#0 (channel:0 "
	 "slot:0 "
	 "page:0x3a5d70 offset:0x0 grain:32 syndrome:0x0)",
	 MEANS_HARDWARE_ERROR, KIND_MEMORY, CE, 0x3a5d70, ""},
	{"EDAC MC0: 1 CE Cannot decode normalized address on mc#0csrow#3channel#0 (csrow:3 "
	 "channel:0 "
	 "page:0x0 offset:0x0 grain:64 syndrome:0x1)",
	 MEANS_HARDWARE_ERROR, KIND_MEMORY, CE, 0, ""},
	{"EDAC MC0: 1 UE memory read error on CPU_SrcID#0_MC#0_Chan#0_DIMM#0 (channel:0 slot:0 "
	 "page:0x11a3f4 offset:0x400 grain:32)",
	 MEANS_HARDWARE_ERROR, KIND_MEMORY, UE, 0x11a3f4, ""},
	{"EDAC sbridge MC0: HANDLING MCE MEMORY ERROR", MEANS_HARDWARE_ERROR, KIND_MEMORY, 0, 0,
	 ""},
	{"EDAC DEVICE0: CE: xgene-edac instance: l3c0 block: l3c0 count: 1 'xgene-edac'",
	 MEANS_HARDWARE_ERROR, KIND_OTHER, CE, 0, ""},
	{"EDAC PCI: Signaled System Error on 0000:00:1e.0", MEANS_HARDWARE_ERROR, KIND_PCIE, 0, 0,
	 "0000:00:1e.0"},
	{"pcieport 0000:00:1c.6: AER: Multiple Correctable error message received from "
	 "0000:00:1c.6",
	 MEANS_HARDWARE_ERROR, KIND_PCIE, CE, 0, "0000:00:1c.6"},
	{"pcieport 0000:00:1c.6: AER: Corrected error received: 0000:01:00.0", MEANS_HARDWARE_ERROR,
	 KIND_PCIE, CE, 0, "0000:01:00.0"},
	{"pcieport 0000:00:01.0: AER: Uncorrectable (Non-Fatal) error message received from "
	 "0000:01:00.0",
	 MEANS_HARDWARE_ERROR, KIND_PCIE, UE, 0, "0000:01:00.0"},
	/* The port does not know which function sent the message. */
	{"pcieport 0000:00:1c.6: AER: Multiple Corrected error received: 0000:00:00.0",
	 MEANS_HARDWARE_ERROR, KIND_PCIE, CE, 0, ""},
	{"pcieport 0001:00:00.0: AER: Multiple Corrected error received: 0001:00:00.0",
	 MEANS_HARDWARE_ERROR, KIND_PCIE, CE, 0, "0001:00:00.0"},
	{"nvme 0000:01:00.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver "
	 "ID)",
	 MEANS_HARDWARE_ERROR, KIND_PCIE, CE, 0, "0000:01:00.0"},
	{"nvme 0000:01:00.0: PCIe Bus Error: severity=Uncorrectable (Fatal), type=Transaction "
	 "Layer",
	 MEANS_HARDWARE_ERROR, KIND_PCIE, UE, 0, "0000:01:00.0"},
	{"pcieport 0000:00:01.0: DPC: containment event, status:0x1f01 source:0x0000",
	 MEANS_HARDWARE_ERROR, KIND_PCIE, UE, 0, "0000:00:01.0"},
	/* The port contains the error of another function, or its own. */
	{"pcieport 0000:00:01.0: DPC: containment event, status:0x1f05 source:0x3b0a",
	 MEANS_HARDWARE_ERROR, KIND_PCIE, UE, 0, "0000:3b:01.2"},
	{"pcieport 10000:e0:06.0: DPC: containment event, status:0x000b source:0xe100",
	 MEANS_HARDWARE_ERROR, KIND_PCIE, UE, 0, "10000:e1:00.0"},
	{"pcieport 0000:00:01.0: DPC: containment event, status:0x1f07 source:0x3b0a",
	 MEANS_HARDWARE_ERROR, KIND_PCIE, UE, 0, "0000:00:01.0"},
	{"pcieport 0000:00:01.0: DPC: containment event, status:0x1f05, ERR_FATAL received from "
	 "0000:3b:00.0",
	 MEANS_HARDWARE_ERROR, KIND_PCIE, UE, 0, "0000:3b:00.0"},
	{"pcieport 0000:00:01.0: DPC: containment event, status:0x1f01: unmasked uncorrectable "
	 "error detected",
	 MEANS_HARDWARE_ERROR, KIND_PCIE, UE, 0, "0000:00:01.0"},
	{"Memory failure: 0x11a3f4: recovery action for dirty LRU page: Recovered",
	 MEANS_PAGE_HANDLED, KIND_MEMORY, UE, 0x11a3f4, ""},
	{"Memory failure: 0x11a3f4: Sending SIGBUS to memory:412 due to hardware memory corruption",
	 MEANS_SIGBUS_SENT, KIND_MEMORY, UE, 0x11a3f4, ""},
	{"Memory failure: 0x11a3f4: forcibly killing memory:412 because of failure to unmap "
	 "corrupted page",
	 MEANS_KILLED, KIND_MEMORY, UE, 0x11a3f4, ""},
	{"Unpoison: Software-unpoisoned page 0x11a3f4", MEANS_PAGE_HANDLED, KIND_MEMORY,
	 SEVERITY_REPAIRED, 0x11a3f4, ""},
	{"Unpoison: 0x11a3f4: software-unpoisoned page", MEANS_PAGE_HANDLED, KIND_MEMORY,
	 SEVERITY_REPAIRED, 0x11a3f4, ""},
	{"Unpoison: 0x11a3f4: page was already unpoisoned", MEANS_NOTHING, 0, 0, 0, ""},
	{"Injecting memory failure for pfn 0x11a3f4 at process virtual address 0x7f0000000000",
	 MEANS_NOTHING, 0, 0, 0, ""},
	/* Other kernels say the same in other words. */
	{"Memory failure: 0x11a3f4: Killing qemu-kvm:412 due to hardware memory corruption",
	 MEANS_SIGBUS_SENT, KIND_MEMORY, UE, 0x11a3f4, ""},
	{"MCE 0x11a3f4: recovery action for dirty LRU page: Recovered", MEANS_PAGE_HANDLED,
	 KIND_MEMORY, UE, 0x11a3f4, ""},
	{"{1}[Hardware Error]:   section type: unknown, fbcd0a77-c260-417f-85a9-088b1621eba6",
	 MEANS_HARDWARE_ERROR, KIND_CXL | KIND_MEMORY, 0, 0, ""},
	{"MCE 0x11a3f4: dirty LRU page recovery: Recovered", MEANS_PAGE_HANDLED, KIND_MEMORY, UE,
	 0x11a3f4, ""},
	{"GHES: memory:412: synchronous unrecoverable error (SIGBUS)", MEANS_SIGBUS_SENT, MC, UE, 0,
	 ""},
	{"mce: Memory error not recovered", MEANS_HARDWARE_ERROR, MC, UE, 0, ""},
	{"mce: Uncorrected memory error in page 0x11a3f4 ignored", MEANS_HARDWARE_ERROR, MC, UE,
	 0x11a3f4, ""},
	{"EDAC MC0: CE page 0x11a3f4, offset 0x0, grain 0, syndrome 0x0, row 0, channel 0, label "
	 "\"\": amd64_edac",
	 MEANS_HARDWARE_ERROR, KIND_MEMORY, CE, 0x11a3f4, ""},
	{"EDAC igen6 MC0: HANDLING IBECC MEMORY ERROR", MEANS_HARDWARE_ERROR, KIND_MEMORY, 0, 0,
	 ""},
	{"EDAC PCI: Bridge Detected Parity Error on 0000:00:1e.0", MEANS_HARDWARE_ERROR, KIND_PCIE,
	 0, 0, "0000:00:1e.0"},
	{"EDAC PCI0: Non-Parity Error ctl: amd8111 0: x", MEANS_HARDWARE_ERROR, KIND_PCIE, 0, 0,
	 ""},
	{"pcieport 0000:00:1c.6: AER: Correctable Error message received from 0000:01:00.0",
	 MEANS_HARDWARE_ERROR, KIND_PCIE, CE, 0, "0000:01:00.0"},
	{"pcieport 0000:00:1c.6: AER: Multiple Uncorrectable (Non-Fatal) Error messages received, "
	 "first one from 0000:01:00.0 (no details found)",
	 MEANS_HARDWARE_ERROR, KIND_PCIE, UE, 0, "0000:01:00.0"},
	{"pcieport 10000:e0:06.0: AER: Corrected error received: 10000:e1:00.0",
	 MEANS_HARDWARE_ERROR, KIND_PCIE, CE, 0, "10000:e1:00.0"},
	{"nvme 10000:e1:00.0: PCIe Bus Error: severity=Correctable, type=Physical Layer, (Receiver "
	 "ID)",
	 MEANS_HARDWARE_ERROR, KIND_PCIE, CE, 0, "10000:e1:00.0"},
	{"pcieport 0000:00:1c.6: CXL Bus Error: severity=Uncorrectable (Fatal)",
	 MEANS_HARDWARE_ERROR, KIND_PCIE | KIND_CXL, UE, 0, "0000:00:1c.6"},
	/* The types of AMD's banks: a unit of its own has no memory that others use. */
	{"[Hardware Error]: Platform Security Processor Ext. Error Code: 62", MEANS_HARDWARE_ERROR,
	 KIND_OTHER, 0, 0, ""},
	{"[Hardware Error]: System Management Unit Extended Error Code: 9", MEANS_HARDWARE_ERROR,
	 KIND_OTHER, 0, 0, ""},
	{"[Hardware Error]: PCI Express Unit Error: SDP Parity Error logging.",
	 MEANS_HARDWARE_ERROR, KIND_PCIE | KIND_OTHER, 0, 0, ""},
	{"[Hardware Error]: L2 Cache Ext. Error Code: 3", MEANS_HARDWARE_ERROR, MC, 0, 0, ""},
	{"[Hardware Error]: IPID: 0x000000ff03830400, Syndrome: 0x000000005a000001",
	 MEANS_HARDWARE_ERROR, KIND_OTHER, BOTH, 0, ""},
	/* Intel's MISC says that the address is not a physical one, or not exact to a page. */
	{"mce: [Hardware Error]: TSC 539b174dead ADDR 3fe98d264ebd MISC 1 ", MEANS_HARDWARE_ERROR,
	 MC, BOTH, 0, ""},
	{"mce: [Hardware Error]: TSC 0 ADDR 11a3f4000 MISC 9e ", MEANS_HARDWARE_ERROR, MC, BOTH, 0,
	 ""},
	/* On a console, where a program set colours before. */
	{"\\x1b[0m\\x1b[?2004l[   12.345678][  T412] Memory failure: 0x11a3f4: recovery action for "
	 "dirty LRU page: Recovered",
	 MEANS_PAGE_HANDLED, KIND_MEMORY, UE, 0x11a3f4, ""},
	{"[0;1;39m[   12.345678] mce: [Hardware Error]: Machine check events logged",
	 MEANS_HARDWARE_ERROR, MC, BOTH, 0, ""},
	/* Copied with an end of its own, or without the blank there. */
	{"EDAC MC0: 1 CE memory read error on x (channel:0 slot:0 page:0x11a3f4",
	 MEANS_HARDWARE_ERROR, KIND_MEMORY, CE, 0x11a3f4, ""},
	{"mce: [Hardware Error]: TSC 0 ADDR 11a3f4000 MISC 9e", MEANS_HARDWARE_ERROR, MC, BOTH, 0,
	 ""},
	{"mce: [Hardware Error]: TSC 0 ADDR 11a3f4000", MEANS_HARDWARE_ERROR, MC, BOTH, 0x11a3f4,
	 ""},
	/* No errors. */
	{"EDAC PCI0: Giving out device to module i3200_edac controller i3200: DEV 0000:00:00.0 "
	 "(POLLED)",
	 MEANS_NOTHING, 0, 0, 0, ""},
	{"EDAC MC0: Giving out device to module skx_edac controller Skylake Socket#0 IMC#0: DEV "
	 "0000:64:0a.0 (INTERRUPT)",
	 MEANS_NOTHING, 0, 0, 0, ""},
	{"EDAC MC0: 0 CE memory read error on CPU_SrcID#0_MC#0_Chan#0_DIMM#0 (channel:0 slot:0 "
	 "page:0x11a3f4 offset:0x0 grain:32 syndrome:0x0)",
	 MEANS_NOTHING, 0, 0, 0, ""},
	{"pcieport 0000:00:1c.6: AER: enabled with IRQ 122", MEANS_NOTHING, 0, 0, 0, ""},
	{"mce: CPU2: Core temperature is above threshold, cpu clock is throttled (total events = "
	 "1)",
	 MEANS_NOTHING, 0, 0, 0, ""},
	{"mce: CPU0: Thermal monitoring enabled (TM1)", MEANS_NOTHING, 0, 0, 0, ""},
	{"RAS: Soft-offlining pfn: 0x11a3f4", MEANS_NOTHING, 0, 0, 0, ""},
	{"Memory failure: 0x11a3f4: unhandlable page.", MEANS_NOTHING, 0, 0, 0, ""},
};

static void lines_have_kind_severity_and_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct kernel_line line = kernel_line_read(errors[i].text);

		/* 0 is BOTH. */
		if (line.meaning != errors[i].meaning || line.nature.kinds != errors[i].kinds ||
		    line.nature.severities % BOTH != errors[i].severities % BOTH)
			fail_msg("%s: meaning %d kinds %#x severities %#x", errors[i].text,
				 line.meaning, line.nature.kinds, line.nature.severities);
		if ((line.has_pfn ? line.pfn : 0) != errors[i].pfn ||
		    strcmp(line.device, errors[i].device) != 0)
			fail_msg("%s: names frame %#lx, device '%s'", errors[i].text,
				 line.has_pfn ? line.pfn : 0, line.device);
	}
}

static const struct {
	enum meaning meaning;
	const char *text;
} harms[] = {
	{MEANS_PANIC, "Kernel panic - not syncing: Fatal machine check"},
	{MEANS_PANIC, "(XEN) [   12.345678] Panic on CPU 0:"},
	{MEANS_PANIC, "(XEN) Panic on CPU 0:"},
	{MEANS_STUCK, "watchdog: BUG: soft lockup - CPU#0 stuck for 23s! [memory:412]"},
	{MEANS_STUCK, "watchdog: CPU13: Watchdog detected hard LOCKUP on cpu 13"},
	{MEANS_STUCK, "NMI watchdog: Watchdog detected hard LOCKUP on cpu 3"},
	{MEANS_STUCK, "BUG: workqueue lockup - pool cpus=1 node=0 flags=0x0 nice=0 stuck for 47s!"},
	{MEANS_STUCK, "INFO: task docker:31805 blocked for more than 120 seconds."},
	{MEANS_STUCK,
	 "INFO: task kworker/u8:2:99 <writer> blocked on an rw-semaphore likely owned by "
	 "task x:1 for more than 122 seconds."},
	{MEANS_STUCK, "rcu: INFO: rcu_preempt self-detected stall on CPU"},
	{MEANS_STUCK, "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:"},
	{MEANS_STUCK, "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 3-... }"},
	{MEANS_STUCK, "INFO: rcu_tasks detected stalls on tasks:"},
	{MEANS_STUCK,
	 "rcu: rcu_preempt kthread starved for 5250 jiffies! g1 f0x0 RCU_GP_WAIT_FQS(5)"},
	{MEANS_STUCK, "rcu: rcu_sched kthread timer wakeup didn't happen for 20999 jiffies! g1"},
	{MEANS_STUCK,
	 "smp: csd: Detected non-responsive CSD lock (#1) on CPU#2, waiting 5000000000 ns"},
	{MEANS_STUCK, "BUG: spinlock lockup suspected on CPU#1, kworker/1:1/36"},
	{MEANS_WARNING, "NETDEV WATCHDOG: eth0 (e1000e): transmit queue 0 timed out"},
	{MEANS_OOPS, "BUG: kernel NULL pointer dereference, address: 0000000000000008"},
	{MEANS_OOPS, "BUG: unable to handle page fault for address: ffffa0e980024000"},
	{MEANS_OOPS, "BUG: unable to handle kernel paging request at ffffea0004690000"},
	{MEANS_OOPS, "Oops: invalid opcode: 0000 [#1] PREEMPT SMP NOPTI"},
	{MEANS_OOPS, "invalid opcode: 0000 [#1] SMP PTI"},
	{MEANS_OOPS, "general protection fault, probably for non-canonical address "
		     "0xdead000000000108: 0000 [#1] PREEMPT SMP"},
	{MEANS_OOPS, "kernel BUG at include/linux/memcontrol.h:554!"},
	{MEANS_OOPS, "traps: PANIC: double fault, error_code: 0x0"},
	{MEANS_OOPS, "Fixing recursive fault but reboot is needed!"},
	{MEANS_OOPS, "BUG: TASK stack guard page was hit at 0000000041f6d1d8"},
	{MEANS_OOPS, "BUG: KASAN: slab-use-after-free in folio_memcg+0xa3/0xc0"},
	{MEANS_OOPS, "BUG: KFENCE: use-after-free read in test+0x1/0x2"},
	{MEANS_OOPS, "BUG: KCSAN: data-race in memory_failure / soft_offline_page"},
	{MEANS_OOPS, "BUG: KMSAN: uninit-value in copy_mc_to_user+0x1/0x2"},
	{MEANS_OOPS, "UBSAN: array-index-out-of-bounds in mm/memory-failure.c:100:2"},
	{MEANS_OOPS, "BUG: Bad page state in process memory  pfn:11a3f4"},
	{MEANS_OOPS, "BUG: Bad page map in process memory  pte:8000 pmd:1"},
	{MEANS_OOPS, "BUG: Bad rss-counter state mm:00000000 type:MM_ANONPAGES val:1"},
	{MEANS_OOPS, "BUG: scheduling while atomic: memory/412/0x00000002"},
	{MEANS_OOPS, "BUG: sleeping function called from invalid context at mm/rmap.c:1"},
	{MEANS_OOPS, "BUG kmalloc-64 (Tainted: G    B): Poison overwritten"},
	{MEANS_OOPS,
	 "list_del corruption. prev->next should be ffff8881, but was dead000000000122"},
	{MEANS_OOPS, "list_add corruption. next->prev should be prev (ffff), but was 0000."},
	{MEANS_OOPS, "usercopy: Kernel memory exposure attempt detected from SLUB object 'x'!"},
	{MEANS_WARNING,
	 "WARNING: CPU: 1 PID: 412 at mm/memory-failure.c:1234 memory_failure+0x1/0x2"},
	{MEANS_WARNING,
	 "WARNING: mm/memory-failure.c:1234 at memory_failure+0x1/0x2, CPU#1: x/412"},
	{MEANS_WARNING, "WARNING: possible circular locking dependency detected"},
	{MEANS_WARNING, "WARNING: suspicious RCU usage"},
	{MEANS_WARNING, "refcount_t: underflow; use-after-free."},
	{MEANS_OOPS, "get_swap_device: Bad swap file entry 3ffffffffffff"},
	{MEANS_OOPS, "_swap_info_get: Bad swap offset entry 00000001"},
	{MEANS_OOPS, "Corrupted low memory at 00000000a1b2c3d4 (1000 phys) = 00000001"},
	{MEANS_OOPS, "Slab corruption (Not tainted): kmalloc-64 start=ffff8881, len=64"},
	{MEANS_OOPS, "slab error in cache_free_debugcheck(): cache `x': double free detected"},
	{MEANS_OOPS, "detected buffer overflow in memcpy"},
	{MEANS_OOPS, "strlen: detected buffer overflow: 5 byte read of buffer size 4"},
	{MEANS_OOPS, "CFI failure at foo+0x0/0x10 (target: bar+0x0/0x10; expected type: 0x1)"},
	{MEANS_WARNING, "ODEBUG: free active (active state 0) object: 0 object type: timer_list"},
	{MEANS_WARNING, "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)"},
	{MEANS_WARNING, "memcpy: detected field-spanning write (size 8) of single field \"x\""},
	{MEANS_WARNING, "kobject: 'x' (0000): tried to init an initialized object, something is "
			"seriously wrong."},
	{MEANS_WARNING, "INFO: trying to register non-static key."},
	{MEANS_WARNING, "irq 16: nobody cared (try booting with the \"irqpoll\" option)"},
	{MEANS_WARNING, "__common_interrupt: 1.55 No irq handler for vector"},
	{MEANS_STUCK, "rcu_tasks_wait_gp: rcu_tasks grace period number 9 (since boot) is 1234 "
		      "jiffies old."},
	{MEANS_WARNING, "EXT4-fs error (device sda1): ext4_find_entry:1: inode #2: comm ls: x"},
	{MEANS_WARNING, "EXT4-fs (sda1): Remounting filesystem read-only"},
	{MEANS_WARNING, "XFS (sda1): Corruption detected. Unmount and run xfs_repair"},
	{MEANS_WARNING, "XFS (sda1): Internal error ltbno + ltlen > bno at line 1955 of file x.c"},
	{MEANS_WARNING, "BTRFS error (device sda1): parent transid verify failed on 1"},
	{MEANS_WARNING, "I/O error, dev nvme0n1, sector 0 op 0x0:(READ) flags 0x0 phys_seg 1"},
	{MEANS_WARNING, "critical medium error, dev sda, sector 8 op 0x0:(READ)"},
	{MEANS_WARNING, "Buffer I/O error on dev sda, logical block 0, async page read"},
	{MEANS_WARNING, "nvme nvme0: controller is down; will reset: CSTS=0xffffffff"},
	{MEANS_PANIC, "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000007"},
	{MEANS_STUCK, "softdog: Initiating system reboot"},
	{MEANS_STUCK, "watchdog: watchdog0: pretimeout event"},
	{MEANS_OOPS, "mm/pgtable-generic.c:54: bad pmd ffff8881290408e0(efffff80042bfe00)"},
	{MEANS_OOPS, "huh, entered softirq 3 NET_RX 0000 with preempt_count 00000101, exited with "
		     "00000102?"},
	{MEANS_WARNING, "Write-error on swap-device (8:0:123)"},
	{MEANS_WARNING, "EXT4-fs warning (device sda1): ext4_end_bio:343: I/O error 10 writing to "
			"inode 12 starting block 1)"},
	{MEANS_WARNING, "EXT4-fs (sda1): This should not happen!! Data will be lost"},
	{MEANS_WARNING, "JBD2: Detected IO errors while flushing file data on sda1-8"},
	{MEANS_LOST, "printk: 12 messages suppressed."},
	{MEANS_LOST, "EDAC sbridge: Lost 127 memory errors"},
	{MEANS_ENDED, "Killed process 5252 (qemu) total-vm:1kB, anon-rss:1kB, file-rss:0kB"},
	{MEANS_NOTHING, "oom_reaper: reaped process 412 (BUG: x), now anon-rss:0kB"},
	{MEANS_NOTHING, "1 lock held by BUG: x/412:"},
	{MEANS_STUCK, "rcu: INFO: rcu_preempt detected stall, but suppressed full report due to a "
		      "stuck CSD-lock."},
	{MEANS_STUCK, "sched: CPU 3 need_resched set for > 100000000 ns (25 ticks) without "
		      "schedule"},
	{MEANS_OOPS, "Kernel BUG at __free_pages+0x12/0x30 [verbose debug info unavailable]"},
	{MEANS_WARNING, "XFS (sda1): log I/O error -5"},
	{MEANS_WARNING, "XFS (vda1): metadata I/O error in \"xfs_x\" at daddr 0x1 len 1 error 5"},
	{MEANS_WARNING, "BTRFS: error (device vda1) in btrfs_commit_transaction:2327: errno=-5"},
	{MEANS_WARNING, "Aborting journal on device vda1-8."},
	{MEANS_OOPS, "swap_dup: Bad swap file entry 1"},
	{MEANS_OOPS, "__swap_info_get: Bad swap offset entry 0001"},
	{MEANS_NOTHING, "Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on, data "
			"leaks possible via Spectre v2 BHB attacks!"},
	{MEANS_WARNING, "XFS (sda1): Filesystem has been shut down due to log error (0x2)."},
	{MEANS_LOST, "AER: buffer overflow in recovery for 0000:05:00.0"},
	{MEANS_LOST, "AER recover: Buffer overflow when recovering AER for 0000:00:1c:0"},
	{MEANS_WARNING, "WARNING: at memory_failure+0x1/0x2, CPU#1: x/412"},
	{MEANS_WARNING, "WARNING: [!folio && 1] mm/x.c:12 at memory_failure+0x1/0x2, CPU#1: x/412"},
	{MEANS_WARNING, "No irq handler for 1.55"},
	{MEANS_NOTHING, "BUG: MAX_LOCKDEP_CHAINS too low!"},
	{MEANS_LOST, "mce: CMCI storm detected: switching to poll mode"},
	{MEANS_LOST, "mce: CPU3 BANK7 CMCI storm detected"},
	{MEANS_WARNING, "unchecked MSR access error: WRMSR to 0x17a at rIP: 0xffffffff8106"},
	{MEANS_IOMMU_NOTICE, "DMAR: DRHD: handling fault status reg 2"},
	{MEANS_IOMMU_LOST, "DMAR: DRHD: handling fault status reg 3"},
	{MEANS_IOMMU_LOST, "DMAR: DRHD: handling fault status reg 3 "},
	{MEANS_IOMMU_FAULT, "DMAR: [DMA Read NO_PASID] Request device [00:02.0] fault addr 0x1000 "
			    "[fault reason 0x06] PTE Read access is not set"},
	{MEANS_IOMMU_FAULT, "DMAR:[DMA Write] Request device [03:00.0] fault addr ffff0000"},
	{MEANS_IOMMU_FAULT, "DMAR: [INTR-REMAP] Request device [f0:1f.7] fault index 0x0 [fault "
			    "reason 0x25] Blocked a compatibility format interrupt request"},
	{MEANS_IOMMU_FAILED, "DMAR: VT-d detected Invalidation Queue Error: Reason f"},
	{MEANS_IOMMU_FAILED, "DMAR: VT-d detected Invalidation Time-out Error: SID ffff"},
	{MEANS_IOMMU_FAILED, "DMAR: VT-d detected Invalidation Completion Error: SID ffff"},
	{MEANS_IOMMU_FAILED, "DMAR: QI HEAD: UNKNOWN qw0 = 0x0, qw1 = 0x0"},
	{MEANS_IOMMU_FAILED, "DMAR: Invalidation Time-out Error (ITE) cleared"},
	{MEANS_IOMMU_FAULT, "AMD-Vi: Event logged [IO_PAGE_FAULT device=01:00.0 domain=0x0000 "
			    "address=0x0 flags=0x0000]"},
	{MEANS_IOMMU_FAULT, "iommu ivhd1: AMD-Vi: Event logged [INVALID_DEVICE_REQUEST "
			    "device=0000:00:00.0 pasid=0x00000 address=0xfffffffdf8000000 "
			    "flags=0x0a00]"},
	{MEANS_IOMMU_FAILED, "iommu ivhd0: AMD-Vi: Event logged [IOTLB_INV_TIMEOUT device=63:00.0 "
			     "address=0x42b5b01a0]"},
	{MEANS_IOMMU_FAULT, "iommu ivhd0: AMD-Vi: Event logged [ILLEGAL_DEV_TABLE_ENTRY "
			    "device=0000:63:00.0 pasid=0x00000 address=0x0 flags=0x0080]"},
	{MEANS_IOMMU_FAILED,
	 "iommu ivhd0: AMD-Vi: Event logged [COMMAND_HARDWARE_ERROR address=0x1 "
	 "flags=0x0000]"},
	{MEANS_IOMMU_FAILED, "AMD-Vi: Completion-Wait loop timed out"},
	{MEANS_IOMMU_FAILED, "AMD-Vi: Command buffer timeout"},
	{MEANS_IOMMU_FAILED, "AMD-Vi: IOMMU 0000:00:00.2: Completion-Wait loop timed out"},
	{MEANS_IOMMU_FAULT, "IOMMU: dmar0: Page request in Privilege Mode"},
	{MEANS_IOMMU_FAULT, "IOMMU: dmar3: Address is not canonical"},
	{MEANS_IOMMU_FAULT, "dmar0: Invalid page request: 00000000 00000000"},
	{MEANS_IOMMU_FAULT, "arm-smmu-v3 arm-smmu-v3.0.auto: event 0x10 received:"},
	{MEANS_IOMMU_FAULT, "arm-smmu 12c00000.iommu: Blocked unknown Stream ID 0x10; boot with "
			    "\"arm-smmu.disable_bypass=0\" to allow, but this may have security "
			    "implications"},
	{MEANS_IOMMU_LOST, "arm-smmu-v3 arm-smmu-v3.0.auto: EVTQ overflow detected -- events lost"},
	{MEANS_IOMMU_FAILED, "arm-smmu-v3 arm-smmu-v3.0.auto: CMD_SYNC timeout at 0x00000001 "
			     "[hwprod 0x00000002, hwcons 0x00000001]"},
	{MEANS_IOMMU_FAILED, "arm-smmu 5000000.iommu: Unexpected global fault, this could be "
			     "serious"},
	{MEANS_IOMMU_FAULT, "virtio_iommu virtio0: page fault from EP 8 at 0xdead0000 [W]"},
	{MEANS_NOTHING, "arm-smmu-v3 arm-smmu-v3.0.auto: allocated 65536 entries for evtq"},
	{MEANS_OOPS, "(XEN) Xen BUG at mm.c:123"},
	{MEANS_OOPS, "(XEN) [2026-11-30 09:31:06] Assertion 'x' failed at mm.c:123"},
	{MEANS_OOPS, "(XEN) FATAL PAGE FAULT"},
	{MEANS_OOPS, "(XEN) FATAL TRAP: vec 14, #PF[0009] IN INTERRUPT CONTEXT"},
	{MEANS_OOPS, "(XEN) FATAL TRAP: vector = 6 (invalid opcode)"},
	{MEANS_NOTHING, "(XEN) FATAL TRAP: vec 2, NMI[0000]"},
	{MEANS_NOTHING, "(XEN) FATAL TRAP: vector = 18 (machine check)"},
	{MEANS_STUCK, "(XEN) Watchdog timer detects that CPU3 is stuck!"},
	{MEANS_LOST, "(XEN) printk: 12 messages suppressed."},
	{MEANS_IOMMU_FAILED,
	 "(XEN) AMD-Vi: IOTLB_INV_TIMEOUT: 00000001 00000002 00000003 00000004"},
	{MEANS_LOST, "** 155 printk messages dropped **"},
	{MEANS_LOST, "blk_print_req_error: 5 callbacks suppressed"},
	/* Lines of the network and of audit are left out. */
	{MEANS_NOTHING, "net_ratelimit: 12 callbacks suppressed"},
	{MEANS_NOTHING, "kauditd_printk_skb: 38 callbacks suppressed"},
	{MEANS_NOTHING, "kvm_set_msr_common: 21 callbacks suppressed"},
	{MEANS_NOTHING, "kvm_msr_ignored_check: 3 callbacks suppressed"},
	{MEANS_LOST, "kvm_vm_ioctl: 3 callbacks suppressed"},
	/* Names of processes and groups. */
	{MEANS_NOTHING, "BUG: x invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE), "
			"order=0, oom_score_adj=0"},
	{MEANS_NOTHING, "BUG: x: page allocation failure: order:4, mode:0x40dc0(GFP_KERNEL), "
			"nodemask=(null),cpuset=/,mems_allowed=0"},
	{MEANS_NOTHING, "CPU: 1 UID: 0 PID: 999 Comm: BUG: x Not tainted 6.12.0 #1"},
	{MEANS_NOTHING, "oom-kill:constraint=CONSTRAINT_NONE,task_memcg=/user.slice/BUG: x,task=a"},
	{MEANS_NOTHING, "UBSAN: x (412): drop_caches: 3"},
	{MEANS_NOTHING,
	 "[  41234]  1000 41234     1234      567    45056        0             0 BUG: x"},
	{MEANS_NOTHING, "task:BUG: x          state:D stack:0     pid:412   tgid:412"},
	{MEANS_LOST, "** 1 printk messages dropped ** [   12.3] CPU 1"},
	{MEANS_IOMMU_LIMITED, "dmar_fault: 214 callbacks suppressed"},
	{MEANS_IOMMU_LOST, "amd_iommu_report_page_fault: 5 callbacks suppressed"},
	{MEANS_IOMMU_LOST, "AMD-Vi: IOMMU event log overflow"},
	{MEANS_IOMMU_LOST, "AMD-Vi: IOMMU Event log restarting"},
	{MEANS_IOMMU_LOST, "DMAR: IOMMU: dmar0: PRQ overflow detected"},
	/* What the kernel reports of user programs, or of itself without harm. */
	{MEANS_ENDED,
	 "traps: a.out[412] general protection fault ip:401136 sp:7ffc error:0 in a.out"},
	{MEANS_ENDED, "a.out[412]: segfault at 0 ip 0000000000401136 sp 00007ffc error 6 in a.out"},
	{MEANS_ENDED,
	 "Out of memory: Killed process 5252 (qemu-system-x86) total-vm:8911872kB, "
	 "anon-rss:4194304kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:9000kB oom_score_adj:0"},
	{MEANS_ENDED,
	 "Memory cgroup out of memory: Killed process 5252 (qemu) total-vm:1kB, anon-rss:1kB"},
	{MEANS_LOST, "mce: MCE records pool full!"},
	{MEANS_LOST, "Memory failure: buffer overflow when queuing memory failure at 0x11a3f4"},
	{MEANS_HARDWARE_ERROR, "NMI: PCI system error (SERR) for reason b1 on CPU 0."},
	{MEANS_HARDWARE_ERROR, "NMI: IOCK error (debug interrupt?) for reason 61 on CPU 0."},
	{MEANS_WARNING, "Uhhuh. NMI received for unknown reason 2d on CPU 3."},
	{MEANS_NOTHING, "Showing busy workqueues and worker pools:"},
	{MEANS_NOTHING, "DMAR: DRHD base: 0x000000fed90000 flags: 0x0"},
	{MEANS_NOTHING, "AMD-Vi: Interrupt remapping enabled"},
	{MEANS_NOTHING, "rcu: \tRCU CPU stall warnings timeout set to 60 (rcu_cpu_stall_timeout)."},
	{MEANS_NOTHING, "watchdog: Enabled. Permanently consumes one hw-PMU counter."},
};

static void every_harm_has_a_meaning(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(harms); i++) {
		__cleanup_free char *console = format_text("[   12.345678] %s", harms[i].text);

		if (kernel_line_read(harms[i].text).meaning != harms[i].meaning ||
		    kernel_line_read(console).meaning != harms[i].meaning)
			fail_msg("%s: meaning %d", harms[i].text,
				 kernel_line_read(harms[i].text).meaning);
	}
}

static const struct {
	const char *text, *device;
	bool has_iova;
	uint64_t iova;
} accesses[] = {
	{"DMAR: [DMA Write NO_PASID] Request device [0000:00:04.0] fault addr 0xdead0000 [fault "
	 "reason "
	 "0x05] PTE Write access is not set",
	 "0000:00:04.0", true, 0xdead0000},
	{"DMAR: [DMA Read PASID 0x12] Request device [0001:c9:05.1] fault addr 0x1000000000000000 "
	 "[fault reason 0x79] SM: Read/Write permission error in second-level paging entry",
	 "0001:c9:05.1", true, 1ull << 60},
	{"DMAR: [DMA Read NO_PASID] Request device [00:02.0] fault addr 0x1000 [fault reason 0x06] "
	 "PTE "
	 "Read access is not set",
	 "0000:00:02.0", true, 0x1000},
	{"DMAR:[DMA Write] Request device [03:00.0] fault addr ffff0000", "0000:03:00.0", true,
	 0xffff0000},
	{"DMAR: [INTR-REMAP] Request device [f0:1f.7] fault index 0x0 [fault reason 0x25] Blocked "
	 "a "
	 "compatibility format interrupt request",
	 "0000:f0:1f.7", false, 0},
	{"vfio-pci 0000:01:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0018 "
	 "address=0x4d953b000 "
	 "flags=0x0020]",
	 "0000:01:00.0", true, 0x4d953b000},
	{"AMD-Vi: Event logged [IO_PAGE_FAULT device=01:00.0 domain=0x0000 address=0x0 "
	 "flags=0x0000]",
	 "0000:01:00.0", true, 0},
	{"iommu ivhd1: AMD-Vi: Event logged [INVALID_DEVICE_REQUEST device=0002:00:00.0 "
	 "pasid=0x00000 "
	 "address=0xfffffffdf8000000 flags=0x0a00]",
	 "0002:00:00.0", true, 0xfffffffdf8000000},
	{"AMD-Vi: Event logged [RMP_PAGE_FAULT device=0000:3b:00.0, vmg_tag=0x0000, gpa=0x1000, "
	 "flags_rmp=0x00, flags=0x0000]",
	 "0000:3b:00.0", true, 0x1000},
	{"arm-smmu-v3 arm-smmu-v3.0.auto: event: F_TRANSLATION client: 0000:01:00.0 sid: 0x100 "
	 "ssid: 0x0 iova: 0xdead0000 ipa: 0x0",
	 "0000:01:00.0", true, 0xdead0000},
	{"arm-smmu 5000000.iommu: Unhandled context fault: fsr=0x402, iova=0xdead0000, "
	 "fsynr=0x10, cbfrsynra=0x1, cb=0",
	 "", true, 0xdead0000},
	{"(XEN) [VT-D]DMAR:[DMA Write] Request device [0000:00:1f.2] fault addr dead0000",
	 "0000:00:1f.2", true, 0xdead0000},
	{"(XEN) [2026-11-30 09:31:06] AMD-Vi: IO_PAGE_FAULT: 0000:3b:00.0 d0 addr "
	 "00000000fee00000 flags 0x20 RW",
	 "0000:3b:00.0", true, 0xfee00000},
	{"nvme 10000:3b:00.0: AMD-Vi: Event logged [RMP_PAGE_FAULT vmg_tag=0x0000, gpa=0x2000, "
	 "flags_rmp=0x00, flags=0x0000]",
	 "10000:3b:00.0", true, 0x2000},
};

static void a_refused_access_names_device_and_address(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(accesses); i++) {
		struct kernel_line line = kernel_line_read(accesses[i].text);

		if (line.meaning != MEANS_IOMMU_FAULT || line.nature.kinds != KIND_IOMMU ||
		    strcmp(line.device, accesses[i].device) != 0 ||
		    line.has_iova != accesses[i].has_iova || line.iova != accesses[i].iova)
			fail_msg("%s: device '%s', address 0x%llx", accesses[i].text, line.device,
				 (unsigned long long)line.iova);
	}
}

static struct kernel_line read_event(const char *event, const char *fields, const char *text)
{
	__cleanup_json json_t *data =
		json_pack("{s:s, s:o}", "event", event, "fields", json_loads(fields, 0, NULL));

	return trace_event_read(data, text);
}

static void trace_events_have_kind_severity_and_place(void **state)
{
	struct kernel_line line;

	(void)state;
	line = read_event("ras:extlog_mem_event", "{}",
			  "extlog_mem_event: {1} Corrected error: single-bit ECC physical addr: "
			  "00000003a5d7a040 (mask lsb: c) node: 1 card: 0");
	assert_int_equal(line.nature.kinds, KIND_MEMORY);
	assert_int_equal(line.nature.severities, CE);
	assert_true(line.has_pfn && line.pfn == 0x3a5d7a);
	line = read_event("ras:extlog_mem_event", "{\"pa\": \"0x3a5d7a040\"}",
			  "extlog_mem_event: {1} Corrected error");
	assert_true(line.has_pfn && line.pfn == 0x3a5d7a);
	line = read_event("ras:mc_event", "{}",
			  "mc_event: 1 Corrected error: memory read on CPU_SrcID#0 (mc:0 "
			  "location:0:0:-1 address:0x00000000 grain:32 syndrome:0x0)");
	assert_false(line.has_pfn);
	assert_int_equal(line.nature.severities, CE);
	line = read_event(
		"ras:aer_event", "{}",
		"aer_event: 0000:00:1c.6 PCIe Bus Error: severity=Corrected, Receiver Error");
	assert_string_equal(line.device, "0000:00:1c.6");
	assert_int_equal(line.nature.kinds, KIND_PCIE);
	/* A normalized address, and the same with poison. */
	line = read_event(
		"mce:mce_record", "{\"addr\": \"0x233f6e3c0\", \"status\": \"0xdc2040000400011b\"}",
		"mce_record: CPU: 2, MC21: dc2040000400011b, IPID: 0000009600050f00, ADDR: "
		"0000000233f6e3c0");
	assert_false(line.has_pfn);
	assert_int_equal(line.nature.kinds, KIND_MEMORY);
	line = read_event(
		"mce:mce_record",
		"{\"addr\": \"0x233f6e3c0\", \"status\": \"0xbc2848000400011b\", \"ipid\": "
		"\"0x9600050f00\"}",
		"mce_record: CPU: 2");
	assert_true(line.has_pfn && line.pfn == 0x233f6e);
	assert_int_equal(line.nature.severities, UE);
	/* Intel: MISC says that the address is a linear one (mode 1 in bits 8:6). */
	line = read_event(
		"mce:mce_record",
		"{\"addr\": \"0x11a3f4000\", \"status\": \"0xbd80000000100134\", \"misc\": "
		"\"0x4c\"}",
		"mce_record: CPU: 0");
	assert_false(line.has_pfn);
	/* Without MISC the address is of no use on Intel, unless the record is made of one of firmware; on AMD poison shows it. */
	line = read_event("mce:mce_record",
			  "{\"addr\": \"0x11a3f4000\", \"status\": \"0x8400004000010090\", "
			  "\"misc\": \"0x0\", \"cpuvendor\": 0}",
			  "mce_record: CPU: 0");
	assert_int_equal(line.nature.kinds, KIND_MEMORY);
	assert_false(line.has_pfn);
	line = read_event("mce:mce_record",
			  "{\"addr\": \"0x11a3f4000\", \"status\": \"0x940000000000009f\", "
			  "\"misc\": \"0x0\", \"cpuvendor\": 0}",
			  "mce_record: CPU: 0");
	assert_true(line.has_pfn && line.pfn == 0x11a3f4);
	line = read_event("mce:mce_record",
			  "{\"addr\": \"0x11a3f4000\", \"status\": \"0x9400080000010135\", "
			  "\"misc\": \"0x0\", \"cpuvendor\": 2}",
			  "mce_record: CPU: 0");
	assert_true(line.has_pfn && line.pfn == 0x11a3f4);
	line = read_event("iommu:io_page_fault", "{}",
			  "io_page_fault: IOMMU:vfio-pci 0000:01:00.0 iova=0x00000000dead0000 "
			  "flags=0x0020");
	assert_int_equal(line.meaning, MEANS_IOMMU_FAULT);
	assert_int_equal(line.nature.kinds, KIND_IOMMU);
	assert_string_equal(line.device, "0000:01:00.0");
	assert_true(line.has_iova && line.iova == 0xdead0000);
	assert_int_equal(read_event("sched:sched_switch", "{}", "x").meaning, MEANS_NOTHING);
	/* The words of a flag, a label or a message are not the severity. */
	line = read_event("ras:aer_event", "{}",
			  "aer_event: 10000:e1:00.0 PCIe Bus Error: severity=Corrected, Advisory "
			  "Non-Fatal, TLP Header=Not available");
	assert_string_equal(line.device, "10000:e1:00.0");
	assert_int_equal(line.nature.severities, CE);
	line = read_event("ras:aer_event", "{}",
			  "aer_event: 0000:0d:00.0 CXL Bus Error: severity=Uncorrected, non-fatal, "
			  "Uncorrectable Internal Error, TLP Header=Not available");
	assert_string_equal(line.device, "0000:0d:00.0");
	assert_int_equal(line.nature.kinds, KIND_PCIE | KIND_CXL);
	assert_int_equal(line.nature.severities, UE);
	line = read_event("ras:mc_event", "{}",
			  "mc_event: 2 Corrected errors: memory read error on Fatal DIMM (mc:0 "
			  "location:0:0:-1 address:0x00000abc grain:32 syndrome:0x0 recoverable)");
	assert_int_equal(line.nature.severities, CE);
	assert_false(line.has_pfn);
	line = read_event("ras:extlog_mem_event", "{}",
			  "extlog_mem_event: {1} corrected error: scrub uncorrected error physical "
			  "addr: 000000011a200000 (mask lsb: 15) node: 1");
	assert_int_equal(line.nature.severities, CE);
	assert_int_equal(line.pages, 512);
	assert_int_equal(read_event("ras:mc_event", "{}",
				    "mc_event: 1 Info error: x on y (mc:0 location:0:0:-1 "
				    "address:0x11a3f4000 grain:32 syndrome:0x0)")
				 .meaning,
			 MEANS_NOTHING);
	assert_int_equal(read_event("ras:mc_event", "{}",
				    "mc_event: 1 Corrected error: x info error on y (mc:0 "
				    "address:0x11a3f4000 grain:32 syndrome:0x0)")
				 .meaning,
			 MEANS_HARDWARE_ERROR);
	assert_int_equal(read_event("ras:non_standard_event", "{\"sev\": 0}",
				    "severity: 0; sec type:adcc7698-47b4-db4b-b65e-16f193c4f3db")
				 .meaning,
			 MEANS_NOTHING);
	/* A guest of AMD has deferred errors, and no type of the bank. */
	line = read_event("mce:mce_record",
			  "{\"addr\": \"0x11a3f4000\", \"status\": \"0x9c00180000000000\", "
			  "\"misc\": \"0x8c\", \"ipid\": \"0x0\", \"cpuvendor\": 2}",
			  "mce_record: CPU: 0");
	assert_int_equal(line.nature.severities, UE);
	assert_int_equal(line.nature.kinds, MC);
	assert_true(line.has_pfn && line.pfn == 0x11a3f4);
	/* CXL: a protocol error that was corrected, and a broken medium with the address in the memory of the host. */
	line = read_event("cxl:cxl_aer_correctable_error", "{}",
			  "cxl_aer_correctable_error: memdev=mem0 host=0000:0d:00.0 serial=1: "
			  "status: 'Cache Data ECC Error'");
	assert_int_equal(line.nature.kinds, KIND_CXL);
	assert_int_equal(line.nature.severities, CE);
	line = read_event("cxl:cxl_general_media", "{}",
			  "cxl_general_media: memdev=mem0 host=0000:0d:00.0 serial=1 log=Failure : "
			  "time=1 uuid=x len=128 flags='' handle=1 related_handle=0 "
			  "maint_op_class=0 : dpa=10000 dpa_flags='' "
			  "descriptor='UNCORRECTABLE_EVENT|THRESHOLD_EVENT' type='ECC Error' "
			  "transaction_type='Host Read' channel=1 rank=1 device=1 comp_id=00 "
			  "validity_flags='' hpa=11a3f4000 region=region0 region_uuid=x");
	assert_int_equal(line.nature.kinds, KIND_CXL | KIND_MEMORY);
	assert_int_equal(line.nature.severities, UE);
	assert_true(line.has_pfn && line.pfn == 0x11a3f4);
}

/* What earlier agents recorded: the line of trace_pipe, and no fields. */
static const struct {
	const char *event, *text;
	unsigned char kinds, severities;
	uint64_t pfn, bank;
} whole_lines[] = {
	{"ras:mc_event",
	 "kworker/0:1-93 [000] d..1. 12.345678: mc_event: 1 Corrected error: memory read on x "
	 "(mc:0 location:0:0:-1 address:0x11a3f4000 grain:32 syndrome:0x0)",
	 KIND_MEMORY, CE, 0x11a3f4, 0},
	{"ras:extlog_mem_event",
	 "a: b-93 [000] d..1. 12.345678: extlog_mem_event: {1} corrected error: scrub uncorrected "
	 "error physical addr: 000000011a3f4000 (mask lsb: c) node: 1",
	 KIND_MEMORY, CE, 0x11a3f4, 0},
	{"cxl:cxl_general_media",
	 "cat-93 [000] d..1. 12.345678: cxl_general_media: memdev=mem0 host=0000:0d:00.0 serial=1 "
	 "log=Failure : dpa=10000 dpa_flags='' descriptor='' type='ECC Error' hpa=11a3f4000",
	 KIND_CXL | KIND_MEMORY, CE, 0x11a3f4, 0},
	{"mce:mce_record",
	 "memory-412 [000] d..1. 12.345678: mce_record: CPU: 0, MCGc/s: f000c14/0, MC17: "
	 "8c00004000010090, IPID: 0000000000000000, ADDR: 000000011a3f4000, MISC: "
	 "000000000000008c, SYND: 0000000000000000, RIP: 00:<0000000000000000>, TSC: 1, PPIN: 0, "
	 "vendor: 0, CPUID: 606a6",
	 KIND_MEMORY, CE, 0x11a3f4, 17},
	{"mce:mce_record",
	 "mce_record: CPU: 0, MCGc/s: f000c14/0, MC7: bd80000000100134, ADDR/MISC/SYND: "
	 "000000011a3f4000/000000000000008c/0000000000000000, RIP: 33:<00007f3a5c200000>, TSC: 1, "
	 "PROCESSOR: 0:606a6",
	 MC, UE, 0x11a3f4, 7},
	/* The address is a linear one. */
	{"mce:mce_record",
	 "mce_record: CPU: 0, MCGc/s: f000c14/0, MC7: 9c00004000010135, ADDR/MISC/SYND: "
	 "000000011a3f4000/000000000000004c/0000000000000000, RIP: 00:<0>, PROCESSOR: 0:606a6",
	 KIND_PROCESSOR, CE, 0, 7},
	{"mce:mce_record",
	 "mce_record: CPU: 3, MCGc/s: 0/0, MC21: dc2040000400011b, IPID: 0000009600050f00, ADDR: "
	 "0000000233f6e3c0, MISC: d01a000001000000, SYND: 1, vendor: 2, CPUID: a20f12",
	 KIND_MEMORY, CE, 0, 21},
};

static void whole_lines_of_a_trace_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(whole_lines); i++) {
		struct kernel_line line =
			read_event(whole_lines[i].event, "{}", whole_lines[i].text);

		if (line.meaning != MEANS_HARDWARE_ERROR ||
		    line.nature.kinds != whole_lines[i].kinds ||
		    line.nature.severities != whole_lines[i].severities ||
		    (line.has_pfn ? line.pfn : 0) != whole_lines[i].pfn ||
		    (line.has_bank ? line.bank : 0) != whole_lines[i].bank)
			fail_msg("%s: kinds %#x severities %#x frame %#lx bank %lu",
				 whole_lines[i].text, line.nature.kinds, line.nature.severities,
				 line.has_pfn ? line.pfn : 0, line.bank);
	}
	assert_int_equal(read_event("ras:mc_event", "{}",
				    "mc_event: 0 Corrected errors: x on y (mc:0 location:0:0:-1 "
				    "address:0x11a3f4000 grain:32 syndrome:0x0)")
				 .meaning,
			 MEANS_NOTHING);
}

/* Each line of a report, with what all of it says; 0 frames: none is named. */
static const struct {
	struct {
		const char *text;
		unsigned char kinds, severities;
		uint64_t pfn, pages;
	} lines[8];
} reports[] = {
	/* AMD: the status alone reads like one of Intel's caches. */
	{{{"mce: [Hardware Error]: CPU 2: Machine Check: 0 Bank 17: dc2040000000011b", KIND_MEMORY,
	   CE, 0, 0},
	  {"mce: [Hardware Error]: TSC 0 ADDR 11a3f4000 SYND a0a IPID 9600050f00 ", KIND_MEMORY, CE,
	   0, 0},
	  {"mce: [Hardware Error]: PROCESSOR 2:a20f12 TIME 1664379131 SOCKET 0 APIC 4 microcode 1",
	   0, 0, 0, 0}}},
	/* A guest of AMD: a deferred error, without a type of the bank. */
	{{{"mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 9: 9c00180000000000", MC, UE,
	   0x11a3f4, 0},
	  {"mce: [Hardware Error]: TSC 0 ADDR 11a3f4000 MISC 8c ", MC, UE, 0x11a3f4, 0},
	  {"mce: [Hardware Error]: PROCESSOR 2:a20f12 TIME 1664379131 SOCKET 0 APIC 0 microcode 1",
	   0, 0, 0, 0}}},
	/* Intel: the address of an error that was corrected. */
	{{{"mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 7: 8c00004000010090", KIND_MEMORY,
	   CE, 0x11a3f4, 0},
	  {"random: crng init done", 0, 0, 0, 0},
	  {"mce: [Hardware Error]: TSC 4b8a3d3c ADDR 11a3f4000 MISC 8c ", KIND_MEMORY, CE, 0x11a3f4,
	   0},
	  {"mce: [Hardware Error]: PROCESSOR 0:606a6 TIME 1664379131 SOCKET 0 APIC 0 microcode 1",
	   0, 0, 0, 0},
	  {"mce: [Hardware Error]: CPU 1: Machine Check: 0 Bank 3: 9c00004000010135",
	   KIND_PROCESSOR, CE, 0x5, 0},
	  {"mce: [Hardware Error]: TSC 4b8a3d3c ADDR 5000 MISC 8c ", KIND_PROCESSOR, CE, 0x5, 0}}},
	/* In pieces, with lines of other processors in between. */
	{{{"mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 7: 8c00004000010090", KIND_MEMORY,
	   CE, 0x11a3f4, 0},
	  {"mce: [Hardware Error]: TSC 4b8a3d3c ", KIND_MEMORY, CE, 0x11a3f4, 0},
	  {"random: crng init done", 0, 0, 0, 0},
	  {"ADDR 11a3f4000 ", 0, 0, 0x11a3f4, 0},
	  {"MISC 8c ", 0, 0, 0, 0},
	  {"mce: [Hardware Error]: PROCESSOR 0:606a6 TIME 1664379131 SOCKET 0 APIC 0 microcode 1",
	   0, 0, 0, 0}}},
	{{{"mce: [Hardware Error]: CPU 2: Machine Check: 0 Bank 17: dc2040000000011b", KIND_MEMORY,
	   CE, 0, 0},
	  {"mce: [Hardware Error]: TSC 0 ", KIND_MEMORY, CE, 0, 0},
	  {"ADDR 11a3f4000 ", 0, 0, 0x11a3f4, 0},
	  {"SYND a0a IPID 9600050f00 ", 0, 0, 0, 0}}},
	{{{"[Hardware Error]: Corrected error, no action required.", KIND_MEMORY, CE, 0, 0},
	  {"[Hardware Error]: CPU:0 (19:61:2) MC21_STATUS[-|CE|MiscV|AddrV|-", KIND_MEMORY, CE, 0,
	   0},
	  {"random: crng init done", 0, 0, 0, 0},
	  {"|-|SyndV|CECC|-|-|-]: 0x9c2040000000011b", 0, CE, 0, 0},
	  {"[Hardware Error]: IPID: 0x0000009600050f00, Syndrome: 0x1", KIND_MEMORY, CE, 0, 0}}},
	/* The decoder for AMD: poison has a physical address. */
	{{{"[Hardware Error]: Deferred error, no action required.", KIND_MEMORY, UE, 0, 0},
	  {"[Hardware Error]: CPU:1 (19:61:2) MC21_STATUS[-|-|MiscV|AddrV|-|-|SyndV|UECC|Deferred|-"
	   "|-]: 0x9c2030000001085b",
	   KIND_MEMORY, UE, 0, 0},
	  {"[Hardware Error]: Error Addr: 0x000000011a3f4000", KIND_MEMORY, UE, 0, 0},
	  {"[Hardware Error]: IPID: 0x0000009600050f00, Syndrome: 0x1", KIND_MEMORY, UE, 0, 0},
	  {"[Hardware Error]: Corrected error, no action required.", KIND_PCIE | KIND_OTHER, CE, 0,
	   0},
	  {"[Hardware Error]: CPU:0 (19:61:2) MC22_STATUS[-|CE|MiscV|AddrV|-|-|SyndV|CECC|-|-|-]: "
	   "0x9c2040000000011b",
	   KIND_PCIE | KIND_OTHER, CE, 0, 0},
	  {"[Hardware Error]: IPID: 0x0000004600050f00, Syndrome: 0x1", KIND_PCIE | KIND_OTHER, CE,
	   0, 0}}},
	/* Firmware: sections have a severity and a kind of their own. */
	{{{"{1}[Hardware Error]: Hardware error from APEI Generic Hardware Error Source: 1",
	   KIND_MEMORY | KIND_PCIE, CE, 0, 0},
	  {"{1}[Hardware Error]: event severity: corrected", KIND_MEMORY | KIND_PCIE, CE, 0, 0},
	  {"{1}[Hardware Error]:  Error 0, type: corrected", 0, CE, 0, 0},
	  {"{1}[Hardware Error]:   section_type: memory error", KIND_MEMORY, CE, 0, 0},
	  {"{1}[Hardware Error]:   physical_address: 0x000000011a3f4000", KIND_MEMORY, CE, 0x11a3f4,
	   0},
	  {"{1}[Hardware Error]:  Error 1, type: recoverable", 0, UE, 0, 0},
	  {"{1}[Hardware Error]:   section_type: PCIe error", KIND_PCIE, UE, 0, 0},
	  {"{1}[Hardware Error]:   device_id: 0000:3b:00.0", KIND_PCIE, UE, 0, 0}}},
	/* An address that is known to 2 MiB; what is only information is no error. */
	{{{"{7}[Hardware Error]: event severity: fatal", KIND_MEMORY, UE, 0, 0},
	  {"{7}[Hardware Error]:   section_type: memory error", KIND_MEMORY, UE, 0, 512},
	  {"{7}[Hardware Error]:   physical_address: 0x000000011a200000", KIND_MEMORY, UE, 0x11a200,
	   512},
	  {"{7}[Hardware Error]:   physical_address_mask: 0x00003fffffe00000", 0, 0, 0, 0},
	  {"{8}[Hardware Error]: event severity: info", 0, 0, 0, 0},
	  {"{8}[Hardware Error]:   section_type: memory error", 0, 0, 0, 0},
	  {"{8}[Hardware Error]:   physical_address: 0x000000011a3f4000", 0, 0, 0x11a3f4, 0}}},
};

static void lines_of_a_report_agree(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reports); i++) {
		struct kernel_line lines[8], *pointers[8];
		size_t count = 0;

		for (; count < 8 && reports[i].lines[count].text; count++) {
			lines[count] = kernel_line_read(reports[i].lines[count].text);
			pointers[count] = &lines[count];
		}
		kernel_lines_join(pointers, count);
		for (size_t k = 0; k < count; k++) {
			const struct kernel_line *line = &lines[k];
			bool error = line->meaning == MEANS_HARDWARE_ERROR;

			if (line->nature.severities % BOTH !=
				    reports[i].lines[k].severities % BOTH ||
			    (error ? line->nature.kinds : 0) !=
				    (error ? reports[i].lines[k].kinds : 0) ||
			    (line->has_pfn ? line->pfn : 0) != reports[i].lines[k].pfn ||
			    line->pages != reports[i].lines[k].pages ||
			    (reports[i].lines[k].kinds && !error))
				fail_msg("%s: meaning %d kinds %#x severities %#x, %lu frames from "
					 "%#lx",
					 reports[i].lines[k].text, line->meaning,
					 line->nature.kinds, line->nature.severities, line->pages,
					 line->has_pfn ? line->pfn : 0);
		}
	}
	/* A section that is dumped in hex before the one that names a page. */
	{
		struct kernel_line lines[603], *pointers[603];

		for (size_t i = 0; i < 603; i++) {
			lines[i] = kernel_line_read(
				i == 0	   ? "{1}[Hardware Error]: event severity: corrected"
				: i == 601 ? "{1}[Hardware Error]:   section_type: memory error"
				: i == 602 ? "{1}[Hardware Error]:   physical_address: "
					     "0x000000011a3f4000"
					   : "{1}[Hardware Error]:   00000010: 00100000 00000000");
			pointers[i] = &lines[i];
		}
		kernel_lines_join(pointers, 603);
		assert_int_equal(lines[602].nature.severities, CE);
	}
	/* What panics name. */
	assert_int_equal(
		kernel_line_read(
			"Kernel panic - not syncing: Memory failure: 0x777: unrecoverable page")
			.pfn,
		0x777);
	assert_int_equal(kernel_line_read("Kernel panic - not syncing: UE memory read error on "
					  "CPU_SrcID#0 (channel:0 slot:0 page:0x777 offset:0x0 "
					  "grain:32)")
				 .pfn,
			 0x777);
	/* A grain of 16 KiB is four frames. */
	assert_int_equal(kernel_line_read("EDAC MC0: 1 CE x on y (channel:0 slot:0 page:0x777 "
					  "offset:0x0 grain:16384 syndrome:0x0)")
				 .pages,
			 4);
}

static struct nature fault(const char *injector, const char *arguments)
{
	__cleanup_json json_t *intent =
		json_pack("{s:s, s:{s:s, s:o}}", "type", "intent", "body", "injector", injector,
			  "arguments", json_loads(arguments, 0, NULL));
	struct record record;

	record_read(&record, intent);
	return record.intent.fault;
}

static void faults_have_a_kind_and_a_severity(void **state)
{
	struct nature memory_ce = fault("einj", "{\"type\": \"memory-correctable\"}");
	struct nature memory_ue = fault("einj", "{\"type\": \"memory-uncorrectable-fatal\"}");
	struct nature pcie = fault("einj", "{\"type\": \"pcie-correctable\"}");

	(void)state;
	assert_int_equal(memory_ce.kinds, KIND_MEMORY);
	assert_int_equal(memory_ce.severities, CE);
	assert_int_equal(memory_ue.severities, UE);
	assert_int_equal(pcie.kinds, KIND_PCIE);
	assert_false(nature_overlaps(memory_ce, memory_ue));
	assert_false(nature_overlaps(memory_ce, pcie));
	assert_int_equal(fault("hwpoison", "{}").kinds, KIND_MEMORY);
	assert_int_equal(fault("mce-inject", "{\"preset\": \"corrected\"}").severities, CE);
	assert_int_equal(fault("mce-inject", "{\"preset\": \"srar\"}").severities, UE);
	assert_int_equal(fault("mce-inject", "{\"status\": \"0xbe00000000800400\"}").kinds,
			 KIND_PROCESSOR);
	assert_int_equal(fault("einj", "{\"type\": \"vendor\"}").kinds, KIND_ANY);
	assert_int_equal(fault("panic", "{}").kinds, KIND_OTHER);
}

/* What an injector declares goes before what is known of its name. */
static void faults_are_declared_by_words(void **state)
{
	const struct nature natures[] = {
		{KIND_MEMORY, CE}, {KIND_CXL | KIND_PCIE, UE}, {KIND_MACHINE_CHECK, CE | UE}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(natures); i++) {
		__cleanup_json json_t *intent =
			json_pack("{s:s, s:{s:s, s:o}}", "type", "intent", "body", "injector",
				  "panic", "fault", nature_words(natures[i]));
		struct record record;

		record_read(&record, intent);
		assert_int_equal(record.intent.fault.kinds, natures[i].kinds);
		assert_int_equal(record.intent.fault.severities, natures[i].severities);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_have_kind_severity_and_place),
		cmocka_unit_test(every_harm_has_a_meaning),
		cmocka_unit_test(a_refused_access_names_device_and_address),
		cmocka_unit_test(lines_of_a_report_agree),
		cmocka_unit_test(trace_events_have_kind_severity_and_place),
		cmocka_unit_test(whole_lines_of_a_trace_are_read),
		cmocka_unit_test(faults_have_a_kind_and_a_severity),
		cmocka_unit_test(faults_are_declared_by_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
