/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_RIG_POISON_H
#define BRINELL_RIG_POISON_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * The page that the firmware model shares with the TCG plugin inside QEMU. The model arms and disarms lines; the plugin
 * reports accesses of the processors. After each post the plugin sends one byte to the datagram socket at
 * POISON_NOTIFY_SUFFIX beside the page, so that neither side polls. Neither side trusts an index that it reads here.
 */
#define POISON_MAGIC UINT64_C(0x31656e696c6e6f70)
#define POISON_NOTIFY_SUFFIX ".notify"
#define POISON_LINE_SIZE 64
#define POISON_LINES 128
#define POISON_POSTS 256

/* Error that a processor consumes when it touches the line. */
enum poison_kind {
	POISON_UNCORRECTED = 1,
	POISON_FATAL,
	POISON_CORRECTED,
	POISON_CACHED, /* uncorrected, still in a cache; found too when a cache line is flushed */
};

/* Access of the processor. */
enum poison_act {
	POISON_LOAD = 1,
	POISON_FETCH,
	POISON_PARTIAL_STORE,
	POISON_OVERWRITE,
	POISON_WRITE_BACK,
};

/* Machine check as the plugin raises it, by IA32_MCi_STATUS, _ADDR, _MISC and IA32_MCG_STATUS (SDM volume 3, 17.3). */
#define POISON_BANK 9
#define POISON_STATUS_SRAR_LOAD UINT64_C(0xbd80000000100134)
#define POISON_STATUS_SRAR_FETCH UINT64_C(0xbd80000000100150)
#define POISON_STATUS_SRAO_WRITE_BACK UINT64_C(0xbd0000000000017a)
#define POISON_STATUS_FATAL UINT64_C(0xbe80000000100134)
/* RIPV, EIPV, MCIP, LMCE_S: the machine check is signalled to the consuming processor only. */
#define POISON_MCG_LOCAL 0xf
/* RIPV, MCIP, LMCE_S: not caused by the instruction that it interrupts. */
#define POISON_MCG_LOCAL_OPTIONAL 0xd
/* MCIP, LMCE_S: the program can not go on. */
#define POISON_MCG_LOCAL_FATAL 0xc
#define POISON_MISC 0x86

struct poison_line {
	_Atomic uint64_t address; /* physical, multiple of 64; valid when kind is not 0 */
	_Atomic uint64_t stored;  /* one bit a byte that was stored since it was armed */
	_Atomic uint32_t kind;
	_Atomic uint32_t armed; /* differs at every arming, so that old news differ from new */
};

/* A message of the plugin; a ring, @sequence is the last thing written (0: never used). */
struct poison_post {
	_Atomic uint64_t sequence;
	uint64_t time_ns; /* CLOCK_REALTIME */
	uint64_t address; /* physical, of the first byte accessed in the line */
	uint32_t line;
	uint32_t armed;
	uint32_t act;
	uint32_t processor;
	uint32_t raised; /* the plugin has raised the machine check itself */
	uint32_t unused;
};

struct poison_page {
	uint64_t magic;
	uint64_t ram_device; /* of the file that backs the RAM, to find its mapping in QEMU */
	uint64_t ram_inode;
	_Atomic uint32_t generation;   /* odd: instrument; the model counts on at every change */
	_Atomic uint32_t acknowledged; /* the generation that the plugin has in force */
	_Atomic uint32_t present; /* process id of the QEMU whose plugin has the page open, or 0 */
	_Atomic uint32_t hold; /* the model is about to broadcast a machine check: raise none now */
	_Atomic uint32_t raising;   /* machine checks that the plugin is raising at this moment */
	_Atomic uint64_t raised_ns; /* CLOCK_MONOTONIC of the last one raised */
	_Atomic uint64_t offsets;   /* bit n: some armed line is line n of its 4 KiB page */
	_Atomic uint64_t posted;    /* sequence of the last post */
	_Atomic uint64_t
		answered; /* without its own way of raising, the plugin waits for its post to be answered */
	struct poison_line lines[POISON_LINES];
	struct poison_post posts[POISON_POSTS];
};

#endif
