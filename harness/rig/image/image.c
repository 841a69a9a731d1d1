// SPDX-License-Identifier: GPL-2.0-only
/*
 * Boot files of a host: kernel, archive, and for some a disk. Scripts build them. Each has a hash of all its inputs in its name.
 */
#include <errno.h>
#include <string.h>

#include "harness/lib/elf.h"
#include "harness/rig/image/image.h"

#define KEPT_IMAGES 6

/** rig_image_release - free the paths of rig_image_ensure() */
void rig_image_release(struct rig_image *image)
{
	free(image->kernel);
	free(image->initramfs);
	free(image->system);
	free(image->hypervisor);
	free(image->bochs);
	free(image->release);
	memset(image, 0, sizeof(*image));
}

/* The root file system has no C library: programs must be static. */
static bool is_static(const char *path)
{
	struct elf_links links = {0};
	bool found = elf_links_read(&links, path, NULL) == 0 && links.program && !links.interpreter;

	elf_links_release(&links);
	return found;
}

/* Verify an entry of the cache. A damaged one is logged, and built again. */
static int verify(const char *path, const char *what, json_t **facts)
{
	struct reason damage = {""};
	int error = image_verify(path, facts, &damage);

	if (error == -EBADMSG)
		log_warning("the cached %s %s is damaged (%s); building it again", what,
			    strrchr(path, '/') + 1, damage.text);
	return error;
}

static int find_part(const char *name, char **path, struct reason *why)
{
	if (rig_find_file(name, path) == 0)
		return 0;
	return fail(why, -ENOENT, "%s is neither beside the program nor in %s: run make", name,
		    RIG_DIR);
}

/* Get Debian's kernel, or the user's; @modules: directory of its modules, removed with @job. */
static int ensure_kernel(struct image_job *job, const struct rig_profile *profile,
			 struct rig_image *image, char **modules, struct reason *why)
{
	const struct rig_options *options = job->options;
	int error;

	image_job_ask_each(job, "module", profile->modules);
	image_job_ask_each(job, "guest-module", profile->guest_modules);
	if (!options->kernel) {
		/* Older entries of the cache lack the configuration: this gives new ones another name. */
		image_job_ask(job, "config", "yes");
		error = image_kernel_ensure(job, modules, &image->release, why);
		image->kernel = error ? NULL : format_text("%s/vmlinuz", *modules);
		image->stock = true;
		return error;
	}
	image->kernel = realpath(options->kernel, NULL);
	error = image_kernel_check(options->kernel, &image->release, why);
	if (!error && options->modules) {
		__cleanup_free char *tree = realpath(options->modules, NULL);

		image_job_ask(job, "tree", tree);
		error = image_job_run(job, "modules", NULL, why);
		*modules = error ? NULL : format_text("%s/ready", job->work);
	}
	return error;
}

/* KVM's modules with private memory; a kernel of the user comes with its own. @path: owned by the caller, or NULL. */
static int ensure_kvm(struct image_job *job, const char *modules, const char *release, char **path,
		      struct reason *why)
{
	__cleanup_free char *final = NULL;
	__cleanup_json json_t *kernel = NULL;
	__cleanup_json json_t *facts = NULL;
	int error = image_verify(modules, &kernel, why);

	image_job_ask(job, "release", release);
	image_job_ask(job, "version", json_text(kernel, "version", ""));
	if (!error)
		error = image_job_name(job, "kvm", &final, why);
	if (error)
		return error;
	if (verify(final, "modules of KVM", NULL)) {
		error = image_job_run(job, "build", &facts, why)
				?: image_job_publish(job, facts, final, why);
		if (error)
			return error;
		image_cache_prune(job->cache, "kvm-", 2);
	}
	*path = steal(final);
	return 0;
}

/* A refresh may find that the packages are those of the cached disk, with the facts @known. */
static int make_system(struct image_job *job, const char *final, const json_t *known,
		       const char *prefix, struct reason *why)
{
	__cleanup_json json_t *facts = NULL;
	int error = image_job_run(job, "find", &facts, why);

	if (error || json_equal(facts, known))
		return error;
	error = image_job_run(job, "fetch", NULL, why) ?: image_job_publish(job, facts, final, why);
	/* The others were made for another brinell, or with another busybox. */
	if (!error)
		image_cache_prune(job->cache, prefix, 1);
	return error;
}

/* @directory: receives the entry of the cache; owned by the caller; @built: is set when it was made */
static int ensure_system(struct image_job *job, const struct rig_system *system,
			 const char *busybox, bool *built, char **directory, struct reason *why)
{
	__cleanup_free char *kind = format_text("system-%s", system->name);
	__cleanup_free char *prefix = format_text("%s-", kind);
	__cleanup_free char *final = NULL;
	__cleanup_json json_t *facts = NULL;
	int error;

	image_job_ask(job, "suite", system->suite);
	image_job_ask_each(job, "package", system->packages);
	image_job_ask_each(job, "unused", system->unused);
	image_job_ask_each(job, "keep", system->keep);
	image_job_ask(job, "hypervisor", system->hypervisor);
	image_job_ask_each(job, "sysroot", system->sysroot);
	if (system->here)
		image_job_ask(job, "here", "yes");
	else
		image_job_ask_file(job, "busybox", busybox);
	error = image_job_name(job, kind, &final, why);
	if (error)
		return error;
	error = verify(final, system->here ? "emulator" : "root file system", &facts);
	if (error || job->options->refresh) {
		error = make_system(job, final, facts, prefix, why);
		*built = *built || !error;
		if (error && !facts)
			return error;
		if (error)
			log_warning("cannot look for newer packages (%s); using those of "
				    "the cache",
				    why->text);
	}
	*directory = steal(final);
	return 0;
}

/*
 * An agent for the libraries of the host, built with them. @system: of the cache, with the sysroot. @program: receives its
 * path; owned by the caller.
 */
static int ensure_agent(struct image_job *job, const struct rig_profile *profile,
			const char *system, char **program, struct reason *why)
{
	__cleanup_free char *object_name = format_text("%s.o", profile->agent);
	__cleanup_free char *sysroot = format_text("%s/sysroot.tar", system);
	__cleanup_free char *manifest = format_text("%s/manifest.json", system);
	__cleanup_json json_t *facts = NULL;
	__cleanup_free char *object = NULL;
	__cleanup_free char *final = NULL;
	__cleanup_free char *top = NULL;
	int error = find_part(object_name, &object, why);

	image_job_ask(job, "name", profile->agent);
	image_job_ask_each(job, "library", profile->agent_libraries);
	for (const char *const *name = profile->agent_sources; !error && *name; name++) {
		__cleanup_free char *path = NULL;

		error = find_part(*name, &path, why);
		if (error)
			break;
		image_job_ask_file(job, "source", path);
		free(top);
		top = xstrndup(path, strlen(path) - strlen(*name) - 1);
	}
	if (error)
		return error;
	image_job_ask_file(job, "object", object);
	image_job_ask(job, "top", top);
	image_job_ask(job, "sysroot", sysroot);
	/* Instead of the content of the sysroot: its checksum. */
	image_job_ask_file(job, "sysroot-manifest", manifest);
	error = image_job_name(job, "agent", &final, why);
	if (error)
		return error;
	if (verify(final, "agent", NULL)) {
		error = image_job_run(job, "build", &facts, why)
				?: image_job_publish(job, facts, final, why);
		if (error)
			return error;
		image_cache_prune(job->cache, "agent-", KEPT_IMAGES);
	}
	*program = format_text("%s/%s", final, profile->agent);
	return 0;
}

static int ensure_archive(struct image_job *job, const struct rig_profile *profile,
			  const char *busybox, const char *modules, const char *built_agent,
			  const char *kvm, struct rig_image *image, struct reason *why)
{
	const char *program = profile->agent ?: "brinell-agent";
	const struct {
		const char *key;
		const char *name;
	} parts[] = {
		{"agent", built_agent ?: program},
		{"init", "init"},
		{"start", profile->start},
	};
	__cleanup_free char *kind = format_text("image-%s", profile->name);
	__cleanup_free char *final = NULL;
	__cleanup_json json_t *facts = NULL;
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		__cleanup_free char *path = NULL;

		if (parts[i].name && *parts[i].name == '/')
			path = xstrdup(parts[i].name);
		else if (parts[i].name)
			error = find_part(parts[i].name, &path, why);
		if (error)
			return error;
		if (i == 0 && !profile->system && !is_static(path))
			return fail(why, -EINVAL, "%s is no static program for x86-64: run make",
				    path);
		image_job_ask_file(job, parts[i].key, path);
	}
	for (const char *const *guest = profile->guests; guest && *guest; guest++) {
		__cleanup_free char *path = NULL;

		error = find_part(*guest, &path, why);
		if (error)
			return error;
		image_job_ask_file(job, "guest", path);
	}
	image_job_ask(job, "profile", profile->name);
	image_job_ask(job, "release", image->release);
	image_job_ask(job, "disk", profile->system ? "yes" : NULL);
	if (profile->bochs) {
		__cleanup_free char *directory = xstrndup(
			image->system, (size_t)(strrchr(image->system, '/') - image->system));
		__cleanup_free char *manifest = format_text("%s/manifest.json", directory);

		image_job_ask(job, "root", image->system);
		/* Instead of the content of the disk: its checksum. */
		image_job_ask_file(job, "root-manifest", manifest);
	}
	image_job_ask_file(job, "busybox", busybox);
	image_job_ask_file(job, "kernel", profile->guest_modules ? image->kernel : NULL);
	image_job_ask_file(job, "modules", modules);
	image_job_ask_file(job, "kvm", kvm);
	error = image_job_name(job, kind, &final, why);
	if (error)
		return error;
	if (verify(final, "image", NULL)) {
		if (job->options->progress)
			job->options->progress(job->options->context,
					       "building the host's root file system (about 1 s)",
					       0.95);
		error = image_job_run(job, "make", &facts, why)
				?: image_job_publish(job, facts, final, why);
		if (error)
			return error;
		image->built = true;
		image_cache_prune(job->cache, "image-", KEPT_IMAGES);
	}
	image->initramfs = format_text("%s/initramfs", final);
	return 0;
}

static int ensure(const struct rig_options *options, const struct rig_profile *profile,
		  const char *cache, struct rig_image *image, struct reason *why)
{
	struct image_job kernel, kvm, system, bochs, agent, archive;
	const char *busybox = is_static("/usr/bin/busybox") ? "/usr/bin/busybox"
			      : is_static("/bin/busybox")   ? "/bin/busybox"
							    : NULL;
	__cleanup_free char *directory = NULL;
	__cleanup_free char *program = NULL;
	__cleanup_free char *modules = NULL;
	__cleanup_free char *private_kvm = NULL;
	int error = 0;

	if (!busybox)
		return fail(why, -ENOENT,
			    "no static busybox in /usr/bin or /bin: run ./setup, or install "
			    "busybox-static");
	image_job_open(&kernel, "make-kernel", cache, options);
	image_job_open(&kvm, "make-kvm", cache, options);
	image_job_open(&system, "make-system", cache, options);
	image_job_open(&bochs, "make-system", cache, options);
	image_job_open(&agent, "make-agent", cache, options);
	image_job_open(&archive, "make-archive", cache, options);
	error = ensure_kernel(&kernel, profile, image, &modules, why);
	if (!error && profile->private_vms && image->stock)
		error = ensure_kvm(&kvm, modules, image->release, &private_kvm, why);
	if (!error && profile->system)
		error = ensure_system(&system, profile->system, busybox, &image->built, &directory,
				      why);
	if (!error && profile->system)
		image->system = format_text("%s/root.erofs", directory);
	if (!error && profile->system && profile->system->hypervisor)
		image->hypervisor = format_text("%s/hypervisor", directory);
	if (!error && profile->bochs)
		error = ensure_system(&bochs, profile->bochs, NULL, &image->built, &image->bochs,
				      why);
	if (!error && profile->agent_sources)
		error = ensure_agent(&agent, profile, directory, &program, why);
	if (!error)
		error = ensure_archive(&archive, profile, busybox, modules, program, private_kvm,
				       image, why);
	image_job_close(&kernel);
	image_job_close(&kvm);
	image_job_close(&system);
	image_job_close(&bochs);
	image_job_close(&agent);
	image_job_close(&archive);
	return error;
}

/**
 * rig_image_ensure - provide kernel and root file system of a host
 * @options: profile, kernel, modules, refresh, progress
 * @image:   receives the paths; rig_image_release()
 *
 * Uses the cache if its entries are intact and built from the same inputs; else builds them. Does not need root.
 *
 * Return: 0 or -errno with the reason; then no incomplete entry is left.
 */
int rig_image_ensure(const struct rig_options *options, struct rig_image *image, struct reason *why)
{
	const struct rig_profile *profile = rig_profile_find(options->profile);
	__cleanup_free char *cache = NULL;
	__cleanup_close int lock = -1;
	int error;

	memset(image, 0, sizeof(*image));
	if (!profile)
		return fail(why, -EINVAL, "there is no rig profile '%s'", options->profile);
	error = image_cache_directory(&cache, why)
		?: image_cache_lock(cache, &lock, options->progress, options->context, why)
		?: ensure(options, profile, cache, image, why);
	if (error)
		rig_image_release(image);
	else if (options->progress)
		options->progress(options->context, "ready", 1);
	return error;
}
