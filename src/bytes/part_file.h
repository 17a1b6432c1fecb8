// A large file that is written past the page cache and can be continued after an interruption.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "bytes/reserving_sink.h"
#include "bytes/sink.h"

namespace icecore {

struct PartFileOptions {
    bool overwrite = false;  ///< replace PATH; needed for a block device
    bool direct = true;      ///< O_DIRECT, where the file system can
    std::uint64_t keep = 0;  ///< continue PATH.part behind these bytes: see createPartFile
    /// False: meanwhile it has another, hidden name, and it is removed when it is not finished.
    bool resumable = true;
    /// Of each of the four buffers, a multiple of 4096. What is taken of a small machine's memory
    /// should not be what it is taken with.
    std::size_t bufferSize = std::size_t{4} << 20;
};

/// Sees what a file gets, in order.
class FileWitness {
public:
    virtual ~FileWitness() = default;
    FileWitness() = default;
    FileWitness(const FileWitness&) = delete;
    FileWitness& operator=(const FileWitness&) = delete;

    /// The bytes stay as they are while `owner` is held, which should not be for long: it is one of
    /// few buffers. Without an owner they are gone when this returns.
    virtual void seeBytes(std::shared_ptr<const std::byte> owner,
                          std::span<const std::byte> bytes) = 0;
    virtual void seeZeros(std::uint64_t count) = 0;
};

/// Where a writer that takes long can stop and be continued.
class PartFile : public Sink, public ReservingSink {
public:
    /// Waits until everything taken so far is on the disk.
    [[nodiscard]] virtual Result<void> flush() = 0;
    /// Whether the page cache is passed by.
    [[nodiscard]] virtual bool direct() const = 0;
    /// Has `witness` see everything that is written from now on, on the writer's thread and, by
    /// `finish`, to the end. Patches are not shown.
    virtual void showTo(FileWitness* witness) = 0;
};

/// "PATH.part", what an unfinished file is called.
std::filesystem::path partPath(const std::filesystem::path& path);

/// A file that is called PATH.part until it is finished, and stays there when it is not. A thread
/// of its own writes a buffer at a time, with O_DIRECT where that is possible, so that what is
/// written does not push anything out of memory; zeros become holes where they are three quarters
/// of a buffer, and where they are long. A block device is written in place, zeros included.
///
/// With `keep` an existing PATH.part is cut to that length, and as many bytes that are written
/// first are not written but compared with it: `mismatch` where they differ.
/// `exists` where PATH (or, without `keep`, PATH.part) is there and must not be replaced.
Result<std::unique_ptr<PartFile>> createPartFile(const std::filesystem::path& path,
                                                 const PartFileOptions& options);

}  // namespace icecore
