/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_RIG_IMAGE_H
#define BRINELL_RIG_IMAGE_H

#include "harness/rig/profile.h"

/**
 * struct rig_image - what a host boots; rig_image_release() when done
 * @kernel:    path of the bzImage
 * @initramfs: path of the newc archive
 * @system:    path of the disk with the root file system, or NULL
 * @release:   of the kernel, as uname -r says it; "" for a kernel of the user that does not tell
 * @stock:     Debian's kernel, not one of the user
 * @built:     the archive or the disk was made by this call
 */
struct rig_image {
	char *kernel;
	char *initramfs;
	char *system;
	char *release;
	bool stock;
	bool built;
};

int rig_image_ensure(const struct rig_options *options, struct rig_image *image,
		     struct reason *why);
void rig_image_release(struct rig_image *image);
int rig_image_clean(unsigned long long *bytes, struct reason *why);

/*
 * Below: the parts of the builder, apart for the tests.
 */

/**
 * struct image_command - a program to run
 * @argv:        NULL-terminated
 * @environment: one NAME=VALUE to add, or NULL
 * @directory:   to run it in, or NULL
 * @input:       file descriptor of its standard input, or 0 for none
 * @output:      file descriptor of its standard output, or 0: read here
 * @line:        gets each line of its output, without newline; may be NULL
 * @context:     for @line
 */
struct image_command {
	const char *const *argv;
	const char *environment;
	const char *directory;
	int input;
	int output;
	void (*line)(void *context, const char *text);
	void *context;
};

int image_run(const struct image_command *command, struct reason *why);
int image_run_text(const char *const *argv, const char *environment, char **text,
		   struct reason *why);
int image_remove_tree(const char *path, unsigned long long *bytes);
int image_check_space(const char *path, unsigned long long bytes, const char *what,
		      struct reason *why);
uint64_t image_hash(uint64_t hash, const void *data, size_t length);
#define IMAGE_HASH_START 0xcbf29ce484222325ull

/* A directory of files with a manifest of their checksums: whole, or not there. */
int image_seal(const char *directory, json_t *facts, struct reason *why);
int image_verify(const char *directory, json_t **facts, struct reason *why);
int image_publish(const char *temporary, const char *final, struct reason *why);

int image_cache_directory(char **path, struct reason *why);
int image_cache_lock(const char *cache, int *lock, rig_progress_fn progress, void *context,
		     struct reason *why);

/**
 * struct image_apt - apt with a configuration of its own
 * @options:     for progress; borrowed
 * @directory:   with its configuration, lists and cache
 * @environment: APT_CONFIG=...
 * @site:        mirror
 * @release:     code name of the machine's own release
 */
struct image_apt {
	const struct rig_options *options;
	char *directory;
	char *environment;
	char *site;
	char *release;
};

/**
 * struct image_packages - what to fetch
 * @names: of packages
 * @bytes: of the download
 * @what:  one or two words for progress
 * @from:  progress when it begins
 * @to:    progress when it ends
 */
struct image_packages {
	json_t *names;
	unsigned long long bytes;
	const char *what;
	double from;
	double to;
};

int image_apt_open(struct image_apt *apt, const char *cache, const char *name,
		   const struct rig_options *options, struct reason *why);
void image_apt_close(struct image_apt *apt);
int image_apt_update(struct image_apt *apt, const char *suite, struct reason *why);
int image_apt_show(const struct image_apt *apt, const char *package, char **paragraph,
		   struct reason *why);
int image_apt_fetch(struct image_apt *apt, const struct image_packages *packages, const char *work,
		    struct reason *why);
char *image_apt_field(const char *paragraph, const char *field);

/**
 * struct image_kernel - an unpacked kernel in the cache
 * @directory: holds vmlinuz and modules/
 * @release:   uname -r
 * @version:   of the Debian package
 */
struct image_kernel {
	char *directory;
	char *release;
	char *version;
};

int image_kernel_ensure(const char *cache, const struct rig_options *options,
			const struct rig_profile *profile, struct image_kernel *kernel,
			struct reason *why);
void image_kernel_release(struct image_kernel *kernel);
int image_kernel_check(const char *path, char **release, struct reason *why);
int image_modules_pick(const char *tree, const char *const *names, const char *list,
		       const char *target, struct reason *why);
int image_modules_pick_all(const char *tree, const struct rig_profile *profile, const char *target,
			   struct reason *why);

/* What is unpacked without root belongs to root in the file system. */
int image_system_ensure(const char *cache, const struct rig_options *options,
			const struct rig_profile *profile, const char *busybox,
			struct rig_image *image, struct reason *why);
int image_link_applets(const char *root, const char *directory, const char *busybox,
		       struct reason *why);

/**
 * struct image_parts - what goes into an archive
 * @profile:  the host
 * @release:  of the kernel
 * @modules:  directory of picked modules, or NULL
 * @busybox:  static busybox
 * @agent:     program that serves the host; static where there is no system
 * @guest:    brinell-guest, or NULL
 * @init:     script
 * @start:    script that is started beside the agent, or NULL
 * @kernel:   bzImage that the host's guests boot, or NULL
 */
struct image_parts {
	const struct rig_profile *profile;
	const char *release;
	const char *modules;
	const char *busybox;
	const char *agent;
	const char *guest;
	const char *init;
	const char *start;
	const char *kernel;
};

int image_archive_build(const struct image_parts *parts, const char *directory, const char *archive,
			struct reason *why);
int image_find_busybox(char **path, struct reason *why);

#endif
