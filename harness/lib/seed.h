/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_LIB_SEED_H
#define BRINELL_LIB_SEED_H

/* The item of QEMU's fw_cfg device that has random bytes for the kernel of an emulated host, as hexadecimal digits. */
#define SEED_ITEM "opt/brinell/seed"
#define SEED_BYTES 32

#endif
