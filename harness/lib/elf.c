// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a program is linked with, and its functions, read from the file: nothing of it is run, as ldd would.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "harness/lib/elf.h"

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

/* The text at an offset of the file. Return: NULL when it does not end there. */
static const char *text_at(const struct elf_file *file, uint64_t offset)
{
	if (offset >= file->size || !memchr(file->bytes + offset, '\0', file->size - offset))
		return NULL;
	return file->bytes + offset;
}

static void take_search(struct elf_links *links, const char *text, bool wins)
{
	if (links->search && !wins)
		return;
	free(links->search);
	links->search = xstrdup(text);
}

static int take_dynamic(const struct elf_file *file, const Elf64_Phdr *dynamic,
			struct elf_links *links)
{
	uint64_t strings = 0;
	Elf64_Dyn item;

	for (size_t i = 0; entry(file, dynamic, i, &item); i++)
		if (item.d_tag == DT_STRTAB)
			strings = file_offset(file, item.d_un.d_ptr);
	if (!strings)
		return -EBADMSG;
	for (size_t i = 0; entry(file, dynamic, i, &item); i++) {
		const char *text;

		if (item.d_tag != DT_NEEDED && item.d_tag != DT_RUNPATH && item.d_tag != DT_RPATH)
			continue;
		text = text_at(file, strings + item.d_un.d_val);
		if (!text)
			return -EBADMSG;
		if (item.d_tag == DT_NEEDED)
			json_array_append_new(links->needed, json_string(text));
		else
			take_search(links, text, item.d_tag == DT_RUNPATH);
	}
	return 0;
}

static int take_segment(const struct elf_file *file, const Elf64_Phdr *header,
			struct elf_links *links)
{
	const char *text;

	if (header->p_type == PT_DYNAMIC)
		return take_dynamic(file, header, links);
	if (header->p_type != PT_INTERP || links->interpreter)
		return 0;
	text = text_at(file, header->p_offset);
	if (!text)
		return -EBADMSG;
	links->interpreter = xstrdup(text);
	return 0;
}

/* Return: 0, -ENOEXEC for a file that is no x86-64 program, or -errno. */
static int read_program(const char *path, char **bytes, struct elf_file *file)
{
	const Elf64_Ehdr *header = &file->header;
	int error;

	*file = (struct elf_file){0};
	error = read_small_file(path, bytes, &file->size);
	if (error)
		return error;
	file->bytes = *bytes;
	if (!part(file, 0, &file->header, sizeof(file->header)) ||
	    memcmp(header->e_ident, ELFMAG, SELFMAG) || header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_machine != EM_X86_64)
		return -ENOEXEC;
	return 0;
}

/** elf_links_release - give up what elf_links_read() has made */
void elf_links_release(struct elf_links *links)
{
	free(links->interpreter);
	free(links->search);
	json_decref(links->needed);
	*links = (struct elf_links){0};
}

/**
 * elf_links_read - read the direct dependencies of a program or a library
 * @links: receives it; elf_links_release() also after a failure
 * @path:  file
 * @why:   reason of a failure
 *
 * Return: 0, also for a file that is no x86-64 program and for one without libraries; -EBADMSG for a damaged one, or
 * another -errno.
 */
int elf_links_read(struct elf_links *links, const char *path, struct reason *why)
{
	__cleanup_free char *bytes = NULL;
	struct elf_file file;
	Elf64_Phdr candidate;
	int error = read_program(path, &bytes, &file);

	*links = (struct elf_links){.needed = json_array()};
	if (error)
		return error == -ENOEXEC ? 0 : fail_errno(why, error, "cannot read %s", path);
	links->program = true;
	for (unsigned int i = 0; !error && segment(&file, i, &candidate); i++)
		error = take_segment(&file, &candidate, links);
	return error ? fail(why, error, "%s is a damaged program", path) : 0;
}

static bool section(const struct elf_file *file, unsigned int number, Elf64_Shdr *found)
{
	if (number >= file->header.e_shnum || file->header.e_shentsize != sizeof(*found))
		return false;
	return part(file, file->header.e_shoff + number * sizeof(*found), found, sizeof(*found));
}

static void take_symbols(const struct elf_file *file, const Elf64_Shdr *table, elf_function_fn take,
			 void *context)
{
	Elf64_Shdr strings;
	Elf64_Sym symbol;

	if (!section(file, table->sh_link, &strings))
		return;
	for (uint64_t at = 0; at + sizeof(symbol) <= table->sh_size; at += sizeof(symbol)) {
		uint64_t offset;
		const char *name;

		if (!part(file, table->sh_offset + at, &symbol, sizeof(symbol)))
			return;
		name = text_at(file, strings.sh_offset + symbol.st_name);
		offset = file_offset(file, symbol.st_value);
		if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && offset && name && *name)
			take(context, offset, symbol.st_size, name);
	}
}

/**
 * elf_functions_read - the functions of a program or a library
 * @path:    file
 * @take:    gets each of them, in the order of the file; those for the linker if it has no others
 * @context: of @take
 *
 * Return: 0, also for a file that is no x86-64 program or has no names; or -errno.
 */
int elf_functions_read(const char *path, elf_function_fn take, void *context)
{
	__cleanup_free char *bytes = NULL;
	struct elf_file file;
	Elf64_Shdr candidate, table = {.sh_type = SHT_NULL};
	int error = read_program(path, &bytes, &file);

	if (error)
		return error == -ENOEXEC ? 0 : error;
	for (unsigned int i = 0; section(&file, i, &candidate); i++)
		if (candidate.sh_type == SHT_SYMTAB ||
		    (candidate.sh_type == SHT_DYNSYM && table.sh_type != SHT_SYMTAB))
			table = candidate;
	if (table.sh_type != SHT_NULL)
		take_symbols(&file, &table, take, context);
	return 0;
}
