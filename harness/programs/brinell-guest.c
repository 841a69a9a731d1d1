// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell-guest: a static program, which runs in any guest that it is copied to.
 */
#include "harness/guestd/guestd.h"

int main(int argc, char **argv)
{
	return guest_main(argc, argv);
}
