// Where a dump is written to: front to back, with holes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace icecore {

/// Takes a file's bytes front to back. Writers plan the layout first and never seek back, so that
/// a pipe, a compressor and a file are all the same to them.
class Sink {
public:
    virtual ~Sink() = default;
    Sink() = default;
    Sink(const Sink&) = delete;
    Sink& operator=(const Sink&) = delete;

    [[nodiscard]] virtual Result<void> write(std::span<const std::byte> bytes) = 0;
    /// `count` zero bytes; a hole of the file where the destination can hold one.
    [[nodiscard]] virtual Result<void> zeros(std::uint64_t count) = 0;
    /// Bytes taken so far: the offset of the next one.
    [[nodiscard]] std::uint64_t position() const { return position_; }

    /// Whether `patch` works: a file on disk yes, a pipe or a compressor no.
    [[nodiscard]] virtual bool canPatch() const { return false; }
    /// Overwrites bytes already taken. Only for what cannot be known before (ranges that turned
    /// out unreadable while they were copied).
    [[nodiscard]] virtual Result<void> patch(std::uint64_t offset,
                                             std::span<const std::byte> bytes);
    /// Everything is written: flush and make it durable. Not calling it leaves nothing behind.
    [[nodiscard]] virtual Result<void> finish() = 0;
    /// A descriptor that `position()` bytes were written to, for writers that can move bytes
    /// without us (a child writing its own pages); -1 when there is none.
    [[nodiscard]] virtual int descriptor() const { return -1; }

protected:
    std::uint64_t position_ = 0;
};

/// Fills up with zeros to the next multiple of `alignment`.
[[nodiscard]] Result<void> padTo(Sink& sink, std::uint64_t alignment);

/// What to do with a destination and how.
struct FileSinkOptions {
    bool overwrite = false;      ///< replace an existing file (still atomically)
    std::uint64_t expected = 0;  ///< bytes that will be written at most; 0 unknown. Checked
                                 ///< against the free space before the first byte.
};

/// A file that appears under `path` only when finished: an exclusive temporary beside it, mode
/// 0600, holes for zeros, fsync, rename, fsync of the directory. Destroyed unfinished it removes
/// the temporary. `exists` when the path is taken and must not be replaced.
Result<std::unique_ptr<Sink>> createFileSink(const std::filesystem::path& path,
                                             const FileSinkOptions& options);

/// Standard output or another descriptor, not closed by us; zeros are written out, unless it is
/// a regular file, which gets holes.
std::unique_ptr<Sink> descriptorSink(int descriptor, std::string name);

/// Collects in memory; `bytes()` is what was written. For tests and small dumps.
class MemorySink final : public Sink {
public:
    [[nodiscard]] Result<void> write(std::span<const std::byte> bytes) override;
    [[nodiscard]] Result<void> zeros(std::uint64_t count) override;
    [[nodiscard]] bool canPatch() const override { return true; }
    [[nodiscard]] Result<void> patch(std::uint64_t offset,
                                     std::span<const std::byte> bytes) override;
    [[nodiscard]] Result<void> finish() override { return {}; }
    [[nodiscard]] std::vector<std::byte>& bytes() { return bytes_; }

private:
    std::vector<std::byte> bytes_;
};

/// Compresses into `inner` as seekable zstd (independent frames + seek table) on `threads`
/// workers. See seekable_zstd.h.
Result<std::unique_ptr<Sink>> compressZstd(std::unique_ptr<Sink> inner, int level, int threads);

}  // namespace icecore
