// The container of a PDB: numbered streams, each made of pages scattered over the file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "bytes/byte_view.h"
#include "bytes/endian.h"
#include "bytes/source.h"

namespace icecore {

class MsfFile;

/// One stream. A value: cheap to copy, valid as long as its file.
class MsfStream {
public:
    MsfStream() = default;
    [[nodiscard]] std::uint64_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }
    /// Reads at `offset`; returns how many bytes were read, fewer at the stream's end or where
    /// the file ends before it.
    [[nodiscard]] std::size_t read(std::uint64_t offset, std::span<std::byte> out) const;
    /// As much of [offset, offset + size) as there is. In place where the pages follow one another
    /// in the file, else a copy.
    [[nodiscard]] SharedBytes load(std::uint64_t offset, std::uint64_t size) const;
    [[nodiscard]] SharedBytes loadAll() const { return load(0, size_); }
    /// The bytes from `offset` on that lie in one piece of the file: at most `most`, and no fewer
    /// than up to the page's end.
    [[nodiscard]] std::span<const std::byte> window(std::uint64_t offset, std::uint64_t most) const;
    /// A structure with byte-aligned fields at `offset`, or nothing.
    template <class T>
    [[nodiscard]] std::optional<T> structure(std::uint64_t offset) const {
        T value;
        std::byte raw[sizeof(T)];
        if (read(offset, raw) != sizeof(T)) return std::nullopt;
        std::memcpy(static_cast<void*>(&value), raw, sizeof(T));
        return value;
    }
    template <std::integral T>
    [[nodiscard]] std::optional<T> integer(std::uint64_t offset) const {
        std::byte raw[sizeof(T)];
        if (read(offset, raw) != sizeof(T)) return std::nullopt;
        return loadInteger<T>(raw);
    }
    /// "a.pdb, stream 5, at 0x40".
    [[nodiscard]] std::string where(std::uint64_t offset = 0) const;

private:
    friend class MsfFile;
    MsfStream(const MsfFile* file, std::uint32_t number, std::uint64_t size,
              std::span<const std::byte> pages)
        : file_(file), number_(number), size_(size), pages_(pages) {}

    const MsfFile* file_ = nullptr;
    std::uint32_t number_ = 0;
    std::uint64_t size_ = 0;
    std::span<const std::byte> pages_;  ///< little-endian page numbers, four bytes each
};

/// The multi-stream file format 7.00, with pages of any power of two up to 64 KiB: with pages
/// beyond 4 KiB such files grow past 4 GiB. Nothing is copied but the directory, and that only
/// where its pages are scattered. Immutable once opened, so that threads share it.
/// Source: LLVM's "The MSF File Format"; the list of the directory's pages that is longer than one
/// page: microsoft/microsoft-pdb, PDB/msf/msf.cpp (mpspnpnSt).
class MsfFile {
public:
    /// Needs a Source that is mapped.
    static Result<std::unique_ptr<const MsfFile>> open(std::shared_ptr<const Source> source);

    [[nodiscard]] const std::string& name() const { return source_->name(); }
    [[nodiscard]] std::uint32_t pageSize() const { return pageSize_; }
    [[nodiscard]] std::size_t streamCount() const { return starts_.size(); }
    /// Empty when there is no such stream.
    [[nodiscard]] MsfStream stream(std::uint32_t number) const;
    [[nodiscard]] const Source& source() const { return *source_; }

private:
    friend class MsfStream;
    MsfFile() = default;
    [[nodiscard]] Result<void> readDirectory(std::uint32_t size, std::uint64_t listOfLists);
    [[nodiscard]] std::span<const std::byte> page(std::uint32_t number) const;

    std::shared_ptr<const Source> source_;
    std::span<const std::byte> bytes_;  ///< the whole file
    std::uint32_t pageSize_ = 0;
    std::uint32_t pageCount_ = 0;
    SharedBytes directory_;
    std::vector<std::uint32_t> starts_;  ///< offset of each stream's page list in the directory
};

}  // namespace icecore
