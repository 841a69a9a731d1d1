// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell agent: the host side, started by the controller.
 */
#include "harness/agent/agent.h"
#include "harness/lib/registry.h"

REGISTERED(command, command_agent) = {
	.name = "agent",
	.summary = "the host side, started by the controller",
	.usage = agent_usage,
	.run = agent_main,
};
