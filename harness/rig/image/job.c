// SPDX-License-Identifier: GPL-2.0-only
/*
 * Building an entry of the cache: the request, the script that executes it (see make-common), and the hash in the name of the
 * result.
 */
#include <errno.h>
#include <string.h>

#include "harness/rig/image/image.h"

/**
 * image_hash - FNV-1a of 64 bits
 * @hash: IMAGE_HASH_START, or the previous result
 */
uint64_t image_hash(uint64_t hash, const void *data, size_t length)
{
	const unsigned char *bytes = data;

	while (length--)
		hash = (hash ^ *bytes++) * 0x100000001b3ull;
	return hash;
}

/**
 * image_job_open - start a job
 * @job:     receives it; freed by image_job_close()
 * @script:  name of a script of brinell
 * @cache:   directory of the cache, its lock is held; borrowed
 * @options: for progress; borrowed
 */
void image_job_open(struct image_job *job, const char *script, const char *cache,
		    const struct rig_options *options)
{
	*job = (struct image_job){.options = options, .cache = cache, .key = IMAGE_HASH_START};
	if (rig_find_file(script, &job->script))
		job->error = fail(&job->why, -ENOENT,
				  "%s is neither in the source tree of brinell nor in %s", script,
				  RIG_DIR);
	job->stream = open_memstream(&job->request, &job->size);
}

/** image_job_close - remove the working directory and free the job */
void image_job_close(struct image_job *job)
{
	if (job->work)
		image_remove_tree(job->work, NULL);
	if (job->stream)
		fclose(job->stream);
	free(job->script);
	free(job->work);
	free(job->request);
}

static void hash_text(struct image_job *job, const char *text)
{
	job->key = image_hash(job->key, text, strlen(text) + 1);
}

static void hash_file(struct image_job *job, const char *path)
{
	__cleanup_free char *data = NULL;
	size_t length = 0;
	int error = job->error ? 0 : read_small_file(path, &data, &length);

	job->key = image_hash(job->key, &length, sizeof(length));
	job->key = image_hash(job->key, data, length);
	if (error)
		job->error = fail_errno(&job->why, error, "cannot read %s", path);
}

/** image_job_ask - add a line to the request; @value NULL: none */
void image_job_ask(struct image_job *job, const char *key, const char *value)
{
	if (!value)
		return;
	fprintf(job->stream, "%s %s\n", key, value);
	hash_text(job, key);
	hash_text(job, value);
}

/** image_job_ask_each - add a line to the request for each value of a NULL-terminated list; @values NULL: none */
void image_job_ask_each(struct image_job *job, const char *key, const char *const *values)
{
	for (; values && *values; values++)
		image_job_ask(job, key, *values);
}

/** image_job_ask_file - add a line with a path to the request, and the file's content to the hash; @path NULL: none */
void image_job_ask_file(struct image_job *job, const char *key, const char *path)
{
	struct dirent **items = NULL;
	int count = path ? scandir(path, &items, NULL, alphasort) : 0;

	if (!path)
		return;
	fprintf(job->stream, "%s %s\n", key, path);
	hash_text(job, key);
	if (count < 0)
		hash_file(job, path);
	for (int i = 0; i < count; i++) {
		__cleanup_free char *file = format_text("%s/%s", path, items[i]->d_name);

		hash_text(job, items[i]->d_name);
		if (items[i]->d_type == DT_REG)
			hash_file(job, file);
		free(items[i]);
	}
	free(items);
}

/**
 * image_job_name - compute the name of the result from request and script
 * @kind: prefix of the name
 * @path: receives the path in the cache; owned by the caller
 *
 * Return: 0, or -errno for a file that can not be read.
 */
int image_job_name(struct image_job *job, const char *kind, char **path, struct reason *why)
{
	hash_file(job, job->script);
	*path = format_text("%s/%s-%016llx", job->cache, kind, (unsigned long long)job->key);
	return job->error ? fail(why, job->error, "%s", job->why.text) : 0;
}

static void take_line(void *context, const char *line)
{
	const struct rig_options *options = context;
	double fraction;
	int text = 0;

	if (strncmp(line, "warning ", 8) == 0)
		log_warning("%s", line + 8);
	else if (sscanf(line, "progress %lf %n", &fraction, &text) == 1 && options->progress)
		options->progress(options->context, line + text, fraction);
}

static int prepare(struct image_job *job, struct reason *why)
{
	__cleanup_free char *work = format_text("%s/.new-XXXXXX", job->cache);
	int error = job->error;

	if (error)
		return fail(why, error, "%s", job->why.text);
	if (!mkdtemp(work))
		return fail_errno(why, -errno, "cannot make a directory in %s", job->cache);
	job->work = steal(work);
	fflush(job->stream);
	error = write_file_atomically(job->work, "request", job->request, job->size);
	return error ? fail_errno(why, error, "cannot write to %s", job->work) : 0;
}

/**
 * image_job_run - run the script with the request
 * @verb:  for the script
 * @facts: receives the content of its facts.json; owned by the caller; may be NULL
 *
 * Several runs share the working directory. Return: 0 or -errno with the script's reason.
 */
int image_job_run(struct image_job *job, const char *verb, json_t **facts, struct reason *why)
{
	__cleanup_free char *path = NULL;
	int error = job->work ? 0 : prepare(job, why);
	const char *const argv[] = {job->script, verb, job->work, NULL};
	struct image_command command = {
		.argv = argv, .line = take_line, .context = (void *)job->options};

	if (!error)
		error = image_run(&command, why);
	if (error || !facts)
		return error;
	path = format_text("%s/facts.json", job->work);
	json_decref(*facts);
	*facts = json_load_file(path, 0, NULL);
	return *facts ? 0 : fail(why, -EBADMSG, "%s %s wrote no facts", job->script, verb);
}

/**
 * image_job_publish - move the result of the script into the cache
 * @facts: for its manifest; borrowed
 * @final: path
 *
 * Return: 0 or -errno.
 */
int image_job_publish(struct image_job *job, json_t *facts, const char *final, struct reason *why)
{
	__cleanup_free char *ready = format_text("%s/ready", job->work);

	return image_seal(ready, facts, why) ?: image_publish(ready, final, why);
}
