/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_FAKE_XEN_HVM_PARAMS_H
#define BRINELL_UNIT_FAKE_XEN_HVM_PARAMS_H

/* xen/include/public/hvm/params.h */
#define HVM_PARAM_CALLBACK_IRQ 0

#endif
