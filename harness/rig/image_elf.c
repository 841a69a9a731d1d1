// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which libraries a program is linked with, read from the file: nothing of it is run, as ldd would.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "harness/rig/image.h"

/**
 * struct elf_file - a program or library in memory
 * @bytes:  the whole file
 * @size:   of it
 * @header: of it
 */
struct elf_file {
	const char *bytes;
	size_t size;
	Elf64_Ehdr header;
};

/* Copies a part of the file, which may lie at any address. Return: is the file that long. */
static bool part(const struct elf_file *file, uint64_t offset, void *target, size_t size)
{
	if (offset > file->size || size > file->size - offset)
		return false;
	memcpy(target, file->bytes + offset, size);
	return true;
}

static bool segment(const struct elf_file *file, unsigned int number, Elf64_Phdr *found)
{
	if (number >= file->header.e_phnum || file->header.e_phentsize != sizeof(*found))
		return false;
	return part(file, file->header.e_phoff + number * sizeof(*found), found, sizeof(*found));
}

/* Where in the file an address of the running program comes from; 0 when nowhere. */
static uint64_t file_offset(const struct elf_file *file, uint64_t address)
{
	Elf64_Phdr load;

	for (unsigned int i = 0; segment(file, i, &load); i++)
		if (load.p_type == PT_LOAD && address >= load.p_vaddr &&
		    address - load.p_vaddr < load.p_filesz)
			return load.p_offset + (address - load.p_vaddr);
	return 0;
}

static bool entry(const struct elf_file *file, const Elf64_Phdr *dynamic, size_t number,
		  Elf64_Dyn *found)
{
	if (number >= dynamic->p_filesz / sizeof(*found))
		return false;
	return part(file, dynamic->p_offset + number * sizeof(*found), found, sizeof(*found)) &&
	       found->d_tag != DT_NULL;
}

static int take_names(const struct elf_file *file, const Elf64_Phdr *dynamic, json_t *names)
{
	uint64_t strings = 0;
	Elf64_Dyn item;

	for (size_t i = 0; entry(file, dynamic, i, &item); i++)
		if (item.d_tag == DT_STRTAB)
			strings = file_offset(file, item.d_un.d_ptr);
	if (!strings)
		return -EBADMSG;
	for (size_t i = 0; entry(file, dynamic, i, &item); i++) {
		uint64_t offset = strings + item.d_un.d_val;

		if (item.d_tag != DT_NEEDED)
			continue;
		if (offset >= file->size ||
		    !memchr(file->bytes + offset, '\0', file->size - offset))
			return -EBADMSG;
		json_array_append_new(names, json_string(file->bytes + offset));
	}
	return 0;
}

/**
 * image_elf_needed - the libraries that a program or a library asks for itself
 * @path:  file
 * @names: array; receives names such as "libc.so.6"
 *
 * Return: 0, also for a file that is no x86-64 program and for one without libraries; -EBADMSG for
 * a damaged one, or another -errno.
 */
int image_elf_needed(const char *path, json_t *names, struct reason *why)
{
	__cleanup_free char *bytes = NULL;
	struct elf_file file = {0};
	const Elf64_Ehdr *header = &file.header;
	Elf64_Phdr candidate;
	int error = read_small_file(path, &bytes, &file.size);

	if (error)
		return fail(why, error, "cannot read %s: %s", path, strerror(-error));
	file.bytes = bytes;
	if (!part(&file, 0, &file.header, sizeof(file.header)) ||
	    memcmp(header->e_ident, ELFMAG, SELFMAG) || header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_machine != EM_X86_64)
		return 0;
	for (unsigned int i = 0; !error && segment(&file, i, &candidate); i++)
		if (candidate.p_type == PT_DYNAMIC)
			error = take_names(&file, &candidate, names);
	return error ? fail(why, error, "%s is a damaged program", path) : 0;
}
