// Hashes an output while it is written.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bytes/hash.h"
#include "bytes/part_file.h"
#include "bytes/reserving_sink.h"
#include "bytes/sink.h"

namespace icecore::app {

/// What a manifest has. SHA-256 is known everywhere and cannot be shared out: one thread does
/// nothing else. BLAKE3 is another function altogether, and takes a third of its time or less.
inline constexpr std::array manifestHashes = {HashKind::sha256, HashKind::blake3};

/// Several hashes of what goes by, some buffers behind. The first has a thread of its own, made
/// once; the others are taken on the caller's.
class StreamHashes {
public:
    /// `bufferSize`: of all buffers together, for what nobody else keeps meanwhile.
    explicit StreamHashes(std::span<const HashKind> kinds, std::size_t bufferSize);
    ~StreamHashes();
    StreamHashes(const StreamHashes&) = delete;
    StreamHashes& operator=(const StreamHashes&) = delete;

    /// The bytes stay as they are while `owner` is held; without one they are copied.
    void update(std::shared_ptr<const std::byte> owner, std::span<const std::byte> bytes);
    void zeros(std::uint64_t count);
    /// Name and hexadecimal value of each; once, at the end.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> finish();

private:
    class Behind;
    struct One {
        HashKind kind;
        Hasher hasher;
    };
    Behind& behind();

    std::vector<One> ones_;
    std::size_t bufferSize_;
    std::unique_ptr<Behind> behind_;  // last: it uses ones_
};

/// Passes everything on and hashes it on the way. Where the writer goes back to patch what it has
/// written already, the hashes are of no use: `patched` says so, and the file has to be read again.
class HashingSink final : public Sink, public ReservingSink, private FileWitness {
public:
    static constexpr std::size_t mostBuffer = std::size_t{4} << 20;
    /// `bufferSize`: at most how much to keep until it is hashed. `file`: where `inner` leads, if
    /// that is one; then its own buffers are hashed, and nothing is kept twice.
    HashingSink(std::unique_ptr<Sink> inner, std::size_t bufferSize, PartFile* file = nullptr);
    [[nodiscard]] Result<void> write(std::span<const std::byte> bytes) override;
    [[nodiscard]] Result<void> zeros(std::uint64_t count) override;
    [[nodiscard]] Result<void> reserve(std::uint64_t count) override;
    [[nodiscard]] bool canPatch() const override { return inner_->canPatch(); }
    [[nodiscard]] Result<void> patch(std::uint64_t offset,
                                     std::span<const std::byte> bytes) override;
    [[nodiscard]] Result<void> finish() override;
    [[nodiscard]] bool patched() const { return patched_; }
    /// As StreamHashes::finish.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> hashes() {
        return hashes_.finish();
    }

private:
    void seeBytes(std::shared_ptr<const std::byte> owner,
                  std::span<const std::byte> bytes) override;
    void seeZeros(std::uint64_t count) override;

    StreamHashes hashes_;
    std::unique_ptr<Sink> inner_;  // after the hashes, which it is shown to
    PartFile* file_;
    bool patched_ = false;
};

/// Such hashes of the first `size` bytes of a file or device that is there, by way of buffers that
/// are so large together.
Result<std::vector<std::pair<std::string, std::string>>> hashFile(const std::string& path,
                                                                  std::uint64_t size,
                                                                  std::span<const HashKind> kinds,
                                                                  std::size_t bufferSize);

}  // namespace icecore::app
