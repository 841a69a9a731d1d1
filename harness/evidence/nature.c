// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kind and the severity of a fault and of an error record. A record of one kind does not prove a fault of another.
 */
#include <string.h>

#include "harness/evidence/bank_status.h"
#include "harness/evidence/nature.h"

/* arch/x86/include/asm/processor.h: X86_VENDOR_HYGON, whose banks are those of AMD */
#define VENDOR_HYGON 9

/* Of MCA_IPID[HwId], in arch/x86/kernel/cpu/mce/amd.c, smca_hwid_mcatypes[]: those that are not of a core or its fabric. */
static const struct {
	unsigned int hwid;
	unsigned char kinds;
} banks[] = {
	/* unified memory controller; 0x46 PCIE, 0x1e1 PCIE_PL, 0x6c NBIF, 0x18 NBIO */
	{0x96, KIND_MEMORY},
	{0x46, KIND_PCIE | KIND_OTHER},
	{0x1e1, KIND_PCIE | KIND_OTHER},
	{0x6c, KIND_PCIE | KIND_OTHER},
	{0x18, KIND_PCIE | KIND_OTHER},
	/* SMU, MP5 and MPDMA, PB, MPRAS, SHUB, SATA, USB, MPM, MPASP, PSP and MPART, and links between dies and sockets */
	{0x01, KIND_OTHER},
	{0x05, KIND_OTHER},
	{0x12, KIND_OTHER},
	{0x80, KIND_OTHER},
	{0xa8, KIND_OTHER},
	{0xaa, KIND_OTHER},
	{0xf9, KIND_OTHER},
	{0xfd, KIND_OTHER},
	{0xff, KIND_OTHER},
	{0x50, KIND_OTHER},
	{0x5c, KIND_OTHER},
	{0x241, KIND_OTHER},
	{0x259, KIND_OTHER},
	{0x267, KIND_OTHER},
	{0x269, KIND_OTHER},
};

static struct nature fill(struct nature nature)
{
	if (!nature.kinds)
		nature.kinds = KIND_ANY;
	if (!nature.severities)
		nature.severities = SEVERITY_ANY;
	return nature;
}

/** nature_overlaps - whether two descriptions can be of the same error */
bool nature_overlaps(struct nature one, struct nature other)
{
	one = fill(one);
	other = fill(other);
	return (one.kinds & other.kinds) && (one.severities & other.severities);
}

/** nature_within - whether a record can only be of an error like the fault */
bool nature_within(struct nature evidence, struct nature fault)
{
	evidence = fill(evidence);
	fault = fill(fault);
	return !(evidence.kinds & ~fault.kinds) && !(evidence.severities & ~fault.severities);
}

/*
 * Compound and simple error codes, SDM vol. 3B 16.9.1 and 16.9.2, without bit 12 (corrected filtering). A poisoned line
 * that is consumed or written back reports a code of the cache that it was met in (16.9.3).
 */
static unsigned char kinds_of_code(uint64_t status)
{
	unsigned int code = status & 0xefff;

	if ((code & 0xff80) == 0x0080 || (code & 0xff80) == 0x0280)
		return KIND_MEMORY;
	if (status & STATUS_UNCORRECTED &&
	    (code == CODE_DATA_LOAD || code == CODE_INSTRUCTION_FETCH ||
	     code == CODE_LLC_WRITE_BACK))
		return KIND_MACHINE_CHECK;
	if ((code & 0xff00) == 0x0100 || (code & 0xfff0) == 0x0010 || (code & 0xfffc) == 0x000c)
		return KIND_PROCESSOR;
	/* Bus and interconnect: bits 3:2 mean memory, reserved, I/O, other. 0x0e0b is PCIe, by way of the IIO. */
	if ((code & 0xf800) == 0x0800)
		return (code & 0xc) == 0x8 ? KIND_PCIE | KIND_OTHER
		       : (code & 0xc) == 0 ? KIND_MACHINE_CHECK
					   : KIND_MACHINE_CHECK | KIND_OTHER;
	if ((code & 0xfc00) == 0x0400 || (code >= 2 && code <= 6 && code != 3))
		return KIND_PROCESSOR;
	return KIND_MACHINE_CHECK | KIND_OTHER;
}

static bool is_of_amd(const struct machine_check *check)
{
	return check->ipid || check->vendor == MACHINE_CHECK_VENDOR_AMD ||
	       check->vendor == VENDOR_HYGON;
}

static unsigned char kinds_of_bank(uint64_t ipid)
{
	for (size_t i = 0; i < ARRAY_SIZE(banks); i++)
		if (banks[i].hwid == (ipid >> 32 & 0xfff))
			return banks[i].kinds;
	return KIND_MACHINE_CHECK;
}

/**
 * nature_of_machine_check - kind and severity that a machine check bank reports
 *
 * The error codes of AMD say what kind of access failed, not where: the type of the bank has the kind. A record without a type, as in
 * a guest, leaves the kind open, unless its code is one that only Intel has. Where the vendor is unknown, codes are those of Intel.
 *
 * Return: the nature; KIND_MACHINE_CHECK and any severity without a status.
 */
struct nature nature_of_machine_check(const struct machine_check *check)
{
	struct nature nature = {.kinds = KIND_MACHINE_CHECK, .severities = SEVERITY_ANY};
	bool amd = is_of_amd(check), valid = check->status & STATUS_VALID;

	if (valid)
		nature.severities =
			check->status & (STATUS_UNCORRECTED | (amd ? STATUS_DEFERRED : 0))
				? SEVERITY_UNCORRECTED
				: SEVERITY_CORRECTED;
	if (check->ipid)
		nature.kinds = kinds_of_bank(check->ipid);
	else if (valid && (!amd || kinds_of_code(check->status) == KIND_MEMORY))
		nature.kinds = kinds_of_code(check->status);
	return nature;
}

/**
 * machine_check_has_page - whether MCi_ADDR is a system physical address that is exact to a page
 *
 * The address of AMD's banks is a physical one if the record is one of poison, or of memory on a processor without types of banks
 * (arch/x86/kernel/cpu/mce/amd.c, amd_mce_usable_address()); that of the memory controller is a normalized one.
 * Intel's MISC, and that of records which emulators make, shows the mode of the address, 2 is physical, and the
 * lowest bit of it that is valid, which must be within a page (arch/x86/kernel/cpu/mce/intel.c, intel_mce_usable_address()). Without
 * it the address is of no use, other than in the record that the kernel makes of a report of firmware.
 */
bool machine_check_has_page(const struct machine_check *check)
{
	if (!check->has_address || !(check->address >> 12) ||
	    (check->status && !(check->status & STATUS_ADDRESS_VALID)))
		return false;
	if (check->ipid)
		return check->status & STATUS_POISON;
	if (check->status && is_of_amd(check) &&
	    (check->status & STATUS_POISON || kinds_of_code(check->status) == KIND_MEMORY))
		return true;
	if (check->status && !(check->status & STATUS_MISC_VALID))
		return (check->status & 0xffff) == CODE_FIRMWARE;
	return !check->has_misc || ((check->misc >> 6 & 7) == 2 && (check->misc & 0x3f) <= 12);
}

static unsigned char severities_of_word(const char *word)
{
	if (strstr(word, "uncorrectable"))
		return SEVERITY_UNCORRECTED;
	if (strstr(word, "correctable"))
		return SEVERITY_CORRECTED;
	return SEVERITY_ANY;
}

/** nature_of_error_type - of a fault that is named as the types of APEI EINJ are, such as "memory-correctable" in "type" */
struct nature nature_of_error_type(const json_t *arguments)
{
	static const struct {
		const char *part;
		unsigned char kinds;
	} parts[] = {
		{"cxl", KIND_CXL | KIND_PCIE}, {"memory", KIND_MEMORY},
		{"processor", KIND_PROCESSOR}, {"pcie", KIND_PCIE},
		{"platform", KIND_OTHER},
	};
	const char *type = json_text(arguments, "type", "");

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (strstr(type, parts[i].part))
			return (struct nature){parts[i].kinds, severities_of_word(type)};
	return (struct nature){KIND_ANY, SEVERITY_ANY};
}

/** nature_of_bank_record - of an injected machine check: a raw "status", or a name in "preset" or "kind" */
struct nature nature_of_bank_record(const json_t *arguments)
{
	uint64_t status = (uint64_t)json_number(arguments, "status", 0);
	const char *name = json_text(arguments, "preset", json_text(arguments, "kind", ""));

	if (status)
		return nature_of_machine_check(&(struct machine_check){
			.vendor = MACHINE_CHECK_VENDOR_UNKNOWN, .status = status | STATUS_VALID});
	return (struct nature){KIND_MEMORY, !*name ? SEVERITY_ANY
					    : strncmp(name, "corrected", 9) == 0
						    ? SEVERITY_CORRECTED
						    : SEVERITY_UNCORRECTED};
}

/** nature_of_page_method - of a request that the kernel treats a page as broken, or as good again: "unpoison-pfn" in "method" */
struct nature nature_of_page_method(const json_t *arguments)
{
	return (struct nature){KIND_MEMORY, json_is(arguments, "method", "unpoison-pfn")
						    ? SEVERITY_REPAIRED
						    : SEVERITY_ANY};
}

static const struct {
	const char *word;
	struct nature nature;
} words[] = {
	{"memory", {KIND_MEMORY, 0}},
	{"processor", {KIND_PROCESSOR, 0}},
	{"pcie", {KIND_PCIE, 0}},
	{"cxl", {KIND_CXL, 0}},
	{"other", {KIND_OTHER, 0}},
	{"iommu", {KIND_IOMMU, 0}},
	{"corrected", {0, SEVERITY_CORRECTED}},
	{"uncorrected", {0, SEVERITY_UNCORRECTED}},
	{"repaired", {0, SEVERITY_REPAIRED}},
	/* Not written: it is two of those above. */
	{"machine-check", {KIND_MACHINE_CHECK, 0}},
};

/** nature_add_word - add a kind or a severity, such as "memory"; an unknown word adds nothing, and leaves it open */
void nature_add_word(struct nature *nature, const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i].word, word) == 0) {
			nature->kinds |= words[i].nature.kinds;
			nature->severities |= words[i].nature.severities;
		}
}

/** nature_words - the words that nature_add_word() reads back. Return: an array, owned by the caller */
json_t *nature_words(struct nature nature)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(words) - 1; i++)
		if (nature.kinds & words[i].nature.kinds ||
		    nature.severities & words[i].nature.severities)
			json_array_append_new(list, json_string(words[i].word));
	return list;
}
