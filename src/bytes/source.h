// Where a dump's bytes come from: random access over a file, compressed or not.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "bytes/byte_view.h"

namespace icecore {

/// Random-access bytes of known size. Positionless and const: threads share one Source.
class Source {
public:
    virtual ~Source() = default;
    Source() = default;
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;

    /// The file's name as the user gave it, for messages.
    [[nodiscard]] virtual const std::string& name() const = 0;
    /// Size in bytes (of the content, where the file is compressed).
    [[nodiscard]] virtual std::uint64_t size() const = 0;
    /// Reads at `offset` into `out`; returns how many bytes were read: fewer than asked only at
    /// the end. An error when the file cannot be read there (I/O error, damaged block).
    [[nodiscard]] virtual Result<std::size_t> read(std::uint64_t offset,
                                                   std::span<std::byte> out) const = 0;
    /// The whole content as one mapped view, when it is mapped; empty otherwise.
    [[nodiscard]] virtual std::span<const std::byte> mapped() const { return {}; }

    /// Exactly [offset, offset + size): a view into the mapping, or a copy. `truncated` when the
    /// source ends before; nothing is allocated before that check.
    [[nodiscard]] Result<SharedBytes> load(std::uint64_t offset, std::uint64_t size) const;
    /// "NAME at 0x40".
    [[nodiscard]] std::string where(std::uint64_t offset) const;

protected:
    /// Keeps what `mapped()` shows alive; null when not mapped.
    [[nodiscard]] virtual std::shared_ptr<const void> owner() const { return nullptr; }
};

/// Opens a file for reading. A directory, an unreadable or a missing file is an error that says
/// so. What is compressed as a whole (zstd, gzip, xz: packed_source.h) opens as its content.
/// Anything that is not a regular file (pipe, device) is refused with what to do instead.
Result<std::shared_ptr<const Source>> openSource(const std::filesystem::path& path);

/// As openSource, without looking through compression.
Result<std::shared_ptr<const Source>> openMappedFile(const std::filesystem::path& path);

/// A Source over bytes in memory; `name` is for messages.
std::shared_ptr<const Source> memorySource(std::vector<std::byte> bytes, std::string name);

}  // namespace icecore
