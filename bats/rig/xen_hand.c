// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: xen_hand balloon DOMAIN PFN    takes the page out of the domain, as a balloon does
 *        xen_hand end DOMAIN            has the domain switched off
 * In the first domain of Xen, whose libraries it uses: it may be built where there are none.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* xenctrl.h, and public/sched.h of Xen. */
typedef void *(*open_fn)(void *logger, void *other, unsigned int flags);
typedef int (*shutdown_fn)(void *control, uint32_t domain, int reason);
typedef int (*decrease_fn)(void *control, uint32_t domain, unsigned long count, unsigned int order,
			   unsigned long *pfns);
#define REASON_POWEROFF 0

static void *function(const char *name)
{
	void *library = dlopen("libxenctrl.so.4.20", RTLD_NOW);
	void *found = library ? dlsym(library, name) : NULL;

	if (!found) {
		fprintf(stderr, "xen_hand: %s\n", dlerror());
		exit(1);
	}
	return found;
}

int main(int argc, char **argv)
{
	void *control = ((open_fn)function("xc_interface_open"))(NULL, NULL, 0);
	uint32_t domain = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 0;
	unsigned long pfn = argc > 3 ? strtoul(argv[3], NULL, 0) : 0;

	if (!control || !domain)
		return 2;
	if (strcmp(argv[1], "balloon") == 0)
		return ((decrease_fn)function("xc_domain_decrease_reservation_exact"))(
			control, domain, 1, 0, &pfn);
	return ((shutdown_fn)function("xc_domain_shutdown"))(control, domain, REASON_POWEROFF);
}
