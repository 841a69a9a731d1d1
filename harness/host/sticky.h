/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_HOST_STICKY_H
#define BRINELL_HOST_STICKY_H

#include "harness/host/change.h"

#define STICKY_FILE_LIMIT 96

/**
 * enum sticky_format - how the content of a kernel file is written back
 * @STICKY_TEXT:     as it was read
 * @STICKY_BARE_HEX: it prints hexadecimal digits without 0x, but takes them for decimal ("%llx" of mce-inject)
 * @STICKY_LINE:     it takes only whole lines, newline included (components of EINJv2, flags of mce-inject)
 * @STICKY_OVERRIDE: it prints "(null)" for nothing, which a newline sets (driver_override of a device)
 */
enum sticky_format {
	STICKY_TEXT,
	STICKY_BARE_HEX,
	STICKY_LINE,
	STICKY_OVERRIDE,
};

/**
 * struct sticky_file - a file whose content persists after an injection
 * @path:   absolute
 * @format: for putting it back
 * @saved:  what was read, without the newline; NULL when it can not be read; owned
 * @set:    it was written since
 */
struct sticky_file {
	char *path;
	enum sticky_format format;
	char *saved;
	bool set;
};

/** struct sticky - the files that one injection sets */
struct sticky {
	struct sticky_file files[STICKY_FILE_LIMIT];
	size_t count;
};

struct sticky_file *sticky_save(struct sticky *sticky, const char *path, enum sticky_format format);
int sticky_set(struct sticky *sticky, struct change *change, const char *path, const char *text,
	       struct reason *why);
int sticky_undo(struct sticky *sticky, struct change *change, const char *path, const char *text,
		struct reason *why);
int sticky_restore(struct sticky *sticky, struct change *change, struct reason *why);
bool sticky_left(void);
void sticky_recover(struct change *change);
void sticky_free(struct sticky *sticky);

#endif
