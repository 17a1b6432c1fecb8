// A ZIP archive of stored members, written front to back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bytes/sink.h"

namespace icecore::aff4 {

/// Members are given whole, so that their sizes and checksums stand before them and no descriptors
/// behind: readers that go through the file from its beginning understand it too.
class ZipWriter {
public:
    explicit ZipWriter(Sink& sink) : sink_(sink) {}
    /// Below 4 GiB each; the archive may become as long as it wants.
    Result<void> add(std::string_view name, std::span<const std::byte> bytes) {
        return add(name, std::span(&bytes, 1));
    }
    /// The same of a member in parts.
    Result<void> add(std::string_view name, std::span<const std::span<const std::byte>> parts);
    Result<void> add(std::string_view name, std::string_view text) {
        return add(name, std::as_bytes(std::span(text)));
    }
    /// What a member adds to the archive, with its line of the directory, and what there is
    /// besides: bytes at most.
    static std::uint64_t costOf(std::string_view name, std::uint64_t size);
    static std::uint64_t costOfEnd(std::string_view comment);
    /// The directory; nothing may follow.
    Result<void> finish(std::string_view comment);

private:
    struct Entry {
        std::string name;
        std::uint64_t offset = 0;
        std::uint32_t size = 0, crc = 0;
    };
    Sink& sink_;
    std::vector<Entry> entries_;
};

}  // namespace icecore::aff4
