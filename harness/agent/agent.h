/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_AGENT_AGENT_H
#define BRINELL_AGENT_AGENT_H

#include "harness/lib/protocol.h"

int agent_serve(struct channel *channel);
int agent_main(int argc, char **argv);

extern const char agent_usage[];

#endif
