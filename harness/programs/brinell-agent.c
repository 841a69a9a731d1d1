// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell-agent: the agent as a static program, which runs on any host that it is copied to.
 */
#include "harness/agent/agent.h"

int main(int argc, char **argv)
{
	return agent_main(argc, argv);
}
