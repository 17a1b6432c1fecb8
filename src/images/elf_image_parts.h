// What an ElfImage is made of; shared by the readers of files and of process memory.
#pragma once

#include <map>
#include <mutex>

#include "base/issue.h"
#include "base/range.h"
#include "images/elf_image.h"

namespace icecore {

struct ElfImage::Parts {
    std::string name;
    Arch arch = Arch::unknown;
    bool is64 = true;
    std::uint16_t type = 0;
    std::uint64_t entry = 0;
    std::vector<ElfSegment> segments;
    std::vector<ElfSection> sections;
    Issues issues;

    // From a file.
    std::shared_ptr<const Source> source;
    // From a process' memory, which must outlive the image.
    const AddressSpace* memory = nullptr;
    Range loaded;            ///< runtime addresses
    std::uint64_t bias = 0;  ///< runtime minus link-time address

    // Bytes that cannot be shown in place: read from an unmapped source or from memory, or
    // decompressed. Nothing is ever let go: views stay valid.
    mutable std::mutex mutex;
    mutable std::map<std::uint64_t, SharedBytes> pieces;  ///< by file offset or address
    struct Decompressed {
        std::once_flag once;
        Result<SharedBytes> bytes;
    };
    mutable std::map<std::uint64_t, Decompressed> decompressed;  ///< by file offset
    mutable std::vector<SharedBytes> outgrown;  ///< shorter pieces that views may still show

    mutable std::once_flag buildIdOnce, sonameOnce;
    mutable std::vector<std::byte> buildId;
    mutable std::string soname;

    /// [offset, offset + size) of the file.
    [[nodiscard]] Result<ByteView> fromFile(std::uint64_t offset, std::uint64_t size) const;
    /// As much of [address, address + size) (link-time) as the process' memory shows.
    [[nodiscard]] ByteView fromProcess(std::uint64_t address, std::uint64_t size) const;
    /// The loaded segment that contains a link-time address, or null.
    [[nodiscard]] const ElfSegment* segmentAt(std::uint64_t address) const;

    /// Reads the file header into the fields above; where the tables are is the result.
    struct Tables {
        std::uint64_t programOffset = 0, sectionOffset = 0;
        std::uint32_t programCount = 0, sectionCount = 0, nameSection = 0;
        std::uint16_t programEntrySize = 0, sectionEntrySize = 0;
    };
    [[nodiscard]] Result<Tables> readHeader(ByteView bytes);
    [[nodiscard]] std::size_t programSize() const { return is64 ? 56 : 32; }
    [[nodiscard]] std::size_t sectionSize() const { return is64 ? 64 : 40; }
    /// Appends the whole entries in `bytes` to segments.
    void readSegments(ByteView bytes);
    /// The dynamic section's entries (tag, value), up to DT_NULL.
    [[nodiscard]] std::vector<std::pair<std::uint64_t, std::uint64_t>> dynamicEntries(
        const ElfImage& image) const;
};

}  // namespace icecore
