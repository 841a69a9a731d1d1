/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_EVIDENCE_BANK_STATUS_H
#define BRINELL_EVIDENCE_BANK_STATUS_H

/* IA32_MCi_STATUS, Intel SDM volume 3B, 16.3.2.2; bits 43, 44 and 46 of AMD's APM volume 2, 9.3.2.1 */
#define STATUS_VALID (1ull << 63)
#define STATUS_OVERFLOW (1ull << 62)
#define STATUS_UNCORRECTED (1ull << 61)
#define STATUS_ENABLED (1ull << 60)
#define STATUS_MISC_VALID (1ull << 59)
#define STATUS_ADDRESS_VALID (1ull << 58)
#define STATUS_CONTEXT_CORRUPT (1ull << 57)
#define STATUS_SIGNALED (1ull << 56)
#define STATUS_ACTION_REQUIRED (1ull << 55)
#define STATUS_CORRECTED_ECC (1ull << 46)
#define STATUS_DEFERRED (1ull << 44)
#define STATUS_POISON (1ull << 43)
#define STATUS_COUNT_ONE (1ull << 38)

/* Compound error codes of the SDM, 16.9.2 and 16.9.3: a memory read on channel 0, a patrol scrub, and those of the caches. */
#define CODE_MEMORY_READ 0x0090
/* arch/x86/kernel/cpu/mce/apei.c, apei_mce_report_mem_error() */
#define CODE_FIRMWARE 0x009f
#define CODE_PATROL_SCRUB 0x00c0
#define CODE_LLC_WRITE_BACK 0x017a
#define CODE_DATA_LOAD 0x0134
#define CODE_INSTRUCTION_FETCH 0x0150

/* IA32_MCi_MISC: a physical address (mode 2 in bits 8:6), valid down to a page. */
#define MISC_PHYSICAL_PAGE 0x8c

#endif
