// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell-agent: the agent alone, static, so that it runs on any host it is copied to.
 */
#include "harness/agent/agent.h"

int main(int argc, char **argv)
{
	return agent_main(argc, argv);
}
