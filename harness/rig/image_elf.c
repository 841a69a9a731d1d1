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
 * @bytes: the whole file
 * @size:  of it
 */
struct elf_file {
	const char *bytes;
	size_t size;
};

/* Part of the file, or NULL when it is not that long. */
static const void *part(const struct elf_file *file, uint64_t offset, uint64_t size)
{
	return offset <= file->size && size <= file->size - offset ? file->bytes + offset : NULL;
}

static const Elf64_Phdr *segment(const struct elf_file *file, unsigned int number)
{
	const Elf64_Ehdr *header = (const void *)file->bytes;

	if (number >= header->e_phnum || header->e_phentsize != sizeof(Elf64_Phdr))
		return NULL;
	return part(file, header->e_phoff + number * sizeof(Elf64_Phdr), sizeof(Elf64_Phdr));
}

/* Where in the file an address of the running program comes from; 0 when nowhere. */
static uint64_t file_offset(const struct elf_file *file, uint64_t address)
{
	const Elf64_Phdr *load;

	for (unsigned int i = 0; (load = segment(file, i)); i++)
		if (load->p_type == PT_LOAD && address >= load->p_vaddr &&
		    address - load->p_vaddr < load->p_filesz)
			return load->p_offset + (address - load->p_vaddr);
	return 0;
}

static int take_names(const struct elf_file *file, const Elf64_Phdr *dynamic, json_t *names)
{
	size_t count = dynamic->p_filesz / sizeof(Elf64_Dyn);
	const Elf64_Dyn *entries = part(file, dynamic->p_offset, dynamic->p_filesz);
	uint64_t strings = 0;

	for (size_t i = 0; entries && i < count; i++)
		if (entries[i].d_tag == DT_STRTAB)
			strings = file_offset(file, entries[i].d_un.d_ptr);
	if (!strings)
		return -EBADMSG;
	for (size_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++) {
		uint64_t offset = strings + entries[i].d_un.d_val;

		if (entries[i].d_tag != DT_NEEDED)
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
	const Elf64_Ehdr *header;
	const Elf64_Phdr *candidate;
	int error = read_small_file(path, &bytes, &file.size);

	if (error)
		return fail(why, error, "cannot read %s: %s", path, strerror(-error));
	file.bytes = bytes;
	header = part(&file, 0, sizeof(*header));
	if (!header || memcmp(header->e_ident, ELFMAG, SELFMAG) ||
	    header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_X86_64)
		return 0;
	for (unsigned int i = 0; !error && (candidate = segment(&file, i)); i++)
		if (candidate->p_type == PT_DYNAMIC)
			error = take_names(&file, candidate, names);
	return error ? fail(why, error, "%s is a damaged program", path) : 0;
}
