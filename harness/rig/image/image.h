/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_RIG_IMAGE_H
#define BRINELL_RIG_IMAGE_H

#include "harness/rig/profile.h"

/**
 * struct rig_image - boot files of a host; freed by rig_image_release()
 * @kernel:    path of the bzImage
 * @initramfs: path of the newc archive
 * @system:    path of the disk with the root file system, or NULL
 * @hypervisor: path of the multiboot image that boots below the kernel, or NULL
 * @bochs:     path of the directory of the emulator Bochs, or NULL: QEMU of this machine
 * @release:   of the kernel, as uname -r prints it; "" if a user's kernel lacks it
 * @stock:     Debian's kernel, not one of the user
 * @built:     this call built the archive or the disk
 */
struct rig_image {
	char *kernel;
	char *initramfs;
	char *system;
	char *hypervisor;
	char *bochs;
	char *release;
	bool stock;
	bool built;
};

int rig_image_ensure(const struct rig_options *options, struct rig_image *image,
		     struct reason *why);
void rig_image_release(struct rig_image *image);
int rig_image_clean(unsigned long long *bytes, struct reason *why);
int image_kernel_check(const char *path, char **release, struct reason *why);

/*
 * Below: internals of the builder, exported for the tests.
 */

/**
 * struct image_command - a program to run
 * @argv:    NULL-terminated
 * @line:    called for each line of its standard output, without its newline; may be NULL
 * @context: for @line
 */
struct image_command {
	const char *const *argv;
	void (*line)(void *context, const char *line);
	void *context;
};

int image_run(const struct image_command *command, struct reason *why);
int image_remove_tree(const char *path, unsigned long long *bytes);
uint64_t image_hash(uint64_t hash, const void *data, size_t length);
#define IMAGE_HASH_START 0xcbf29ce484222325ull

/* A directory of files with a manifest of their checksums. */
int image_seal(const char *directory, json_t *facts, struct reason *why);
int image_verify(const char *directory, json_t **facts, struct reason *why);
int image_publish(const char *temporary, const char *final, struct reason *why);

int image_cache_directory(char **path, struct reason *why);
int image_cache_lock(const char *cache, int *lock, rig_progress_fn progress, void *context,
		     struct reason *why);
void image_cache_prune(const char *cache, const char *prefix, int keep);

/**
 * struct image_job - an entry of the cache that a script builds
 * @options: for progress
 * @cache:   directory of the cache
 * @script:  path
 * @work:    working directory of the script
 * @request: for the script: lines "KEY VALUE"
 * @size:    of @request
 * @stream:  writes @request
 * @key:     hash of all inputs
 * @error:   -errno of a file that could not be read for @key
 * @why:     its reason
 */
struct image_job {
	const struct rig_options *options;
	const char *cache;
	char *script;
	char *work;
	char *request;
	size_t size;
	FILE *stream;
	uint64_t key;
	int error;
	struct reason why;
};

void image_job_open(struct image_job *job, const char *script, const char *cache,
		    const struct rig_options *options);
int image_job_name(struct image_job *job, const char *kind, char **path, struct reason *why);
void image_job_close(struct image_job *job);
void image_job_ask(struct image_job *job, const char *key, const char *value);
void image_job_ask_each(struct image_job *job, const char *key, const char *const *values);
void image_job_ask_file(struct image_job *job, const char *key, const char *path);
int image_job_run(struct image_job *job, const char *verb, json_t **facts, struct reason *why);
int image_job_publish(struct image_job *job, json_t *facts, const char *final, struct reason *why);
int image_kernel_ensure(struct image_job *job, char **directory, char **release,
			struct reason *why);

#endif
