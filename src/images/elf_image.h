// An ELF file, from disk or out of a dump's memory: headers, sections, identity.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arch/registers.h"
#include "base/error.h"
#include "base/issue.h"
#include "bytes/source.h"
#include "memory/address_space.h"

namespace icecore {

struct ElfSegment {
    std::uint32_t type = 0, flags = 0;
    std::uint64_t offset = 0, address = 0, fileSize = 0, memorySize = 0, alignment = 0;
};
struct ElfSection {
    std::string_view name;
    std::uint32_t type = 0;
    std::uint64_t flags = 0, address = 0, offset = 0, size = 0, entrySize = 0;
    std::uint32_t link = 0, info = 0;
};
struct ElfNote {
    std::string_view name;
    std::uint32_t type = 0;
    ByteView content;
};

/// 32- or 64-bit, little-endian. Layouts: System V gABI, chapter 4 and 5. Everything is bounds
/// checked at open or when asked for; names and contents are views that live as long as this
/// object. Thread-safe.
class ElfImage {
public:
    /// From a file. A core (ET_CORE) opens too; sections may be missing.
    static Result<std::shared_ptr<const ElfImage>> open(std::shared_ptr<const Source> source);
    /// From memory, as loaded at `base` (the address of its ELF header): vdso, deleted files. Only
    /// what is mapped can be seen: program headers, and as sections what they and the dynamic
    /// section speak of (.dynamic, .dynsym, .dynstr, .eh_frame_hdr). `size` bounds it (UINT64_MAX:
    /// what the program headers say). Lazy: `memory` must outlive the image.
    static Result<std::shared_ptr<const ElfImage>> fromMemory(const AddressSpace& memory,
                                                              std::uint64_t base,
                                                              std::uint64_t size, std::string name);
    ~ElfImage();

    [[nodiscard]] const std::string& name() const;
    [[nodiscard]] Arch arch() const;
    [[nodiscard]] bool is64() const;
    [[nodiscard]] std::uint16_t type() const;  ///< ET_EXEC, ET_DYN, ET_CORE
    [[nodiscard]] std::uint64_t entry() const;
    [[nodiscard]] const std::vector<ElfSegment>& segments() const;
    [[nodiscard]] const std::vector<ElfSection>& sections() const;
    /// By its name; ".debug_info" also finds ".zdebug_info", the same in GNU's older compression.
    [[nodiscard]] const ElfSection* section(std::string_view name) const;
    /// A section's bytes, decompressed when SHF_COMPRESSED (zlib, zstd) or ".zdebug_…"; the result
    /// is kept.
    [[nodiscard]] Result<ByteView> content(const ElfSection& section) const;
    /// The bytes at a link-time address, as far as one loaded segment holds them in the file (or,
    /// out of a process, as far as its memory shows them).
    [[nodiscard]] ByteView atAddress(std::uint64_t address, std::uint64_t size = UINT64_MAX) const;
    /// Link-time address of the first loaded byte (page-aligned down).
    [[nodiscard]] std::uint64_t imageBase() const;
    /// Bytes from imageBase to the end of the last loaded segment.
    [[nodiscard]] std::uint64_t imageSize() const;
    /// NT_GNU_BUILD_ID; empty when there is none.
    [[nodiscard]] std::span<const std::byte> buildId() const;
    [[nodiscard]] std::string_view soname() const;
    /// File name and CRC-32 of .gnu_debuglink.
    struct DebugLink {
        std::string name;
        std::uint32_t crc = 0;
    };
    [[nodiscard]] std::optional<DebugLink> debugLink() const;
    /// What a pointer in this image means as a link-time address: out of a process' memory the
    /// dynamic linker may have relocated it. Unchanged when it points elsewhere.
    [[nodiscard]] std::uint64_t linkAddress(std::uint64_t pointer) const;
    /// Runtime minus link-time address; 0 for a file.
    [[nodiscard]] std::uint64_t bias() const;
    /// A value of the dynamic section by its tag (DT_…), or nothing.
    [[nodiscard]] std::optional<std::uint64_t> dynamicValue(std::uint64_t tag) const;
    /// What was found damaged or missing at open.
    [[nodiscard]] const Issues& issues() const;
    /// Whether it was read from a process' memory (no section table to be trusted).
    [[nodiscard]] bool fromProcessMemory() const;
    /// The whole file, when it comes from one.
    [[nodiscard]] std::shared_ptr<const Source> source() const;

    struct Parts;  // defined in elf_image.cpp
    explicit ElfImage(std::unique_ptr<Parts> parts);

private:
    std::unique_ptr<Parts> parts_;
};

/// The notes of a PT_NOTE segment or SHT_NOTE section; stops at the first damaged one and says so
/// in `damage` (may be null). `alignment` 4 or 8.
std::vector<ElfNote> parseNotes(ByteView bytes, std::uint64_t alignment, std::string* damage);

}  // namespace icecore
