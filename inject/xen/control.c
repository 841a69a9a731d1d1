// SPDX-License-Identifier: GPL-2.0-only
/*
 * Xen through libxenctrl.
 */
#include "inject/xen_control.h"
