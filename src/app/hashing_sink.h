// Hashes an output while it is written.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bytes/hash.h"
#include "bytes/reserving_sink.h"
#include "bytes/sink.h"

namespace icecore::app {

/// SHA-256 and BLAKE2b of what goes by. BLAKE2b, the slower, has a thread of its own, made once:
/// one for each piece would cost more than the piece, and touch the memory that is being taken.
class StreamHashes {
public:
    StreamHashes();
    ~StreamHashes();
    StreamHashes(const StreamHashes&) = delete;
    StreamHashes& operator=(const StreamHashes&) = delete;

    /// Both return when both hashes have taken it.
    void update(std::span<const std::byte> bytes);
    void zeros(std::uint64_t count);
    /// Name and hexadecimal value of each; once, at the end.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> finish();

private:
    struct Helper;
    struct Task {
        std::span<const std::byte> bytes;
        std::uint64_t zeros = 0;
    };
    void take(const Task& task);

    Hasher first_, second_;
    std::unique_ptr<Helper> helper_;
};

/// Passes everything on and hashes it on the way. Where the writer goes back to patch what it has
/// written already, the hashes are of no use: `patched` says so, and the file has to be read again.
class HashingSink final : public Sink, public ReservingSink {
public:
    explicit HashingSink(std::unique_ptr<Sink> inner);
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
    std::unique_ptr<Sink> inner_;
    StreamHashes hashes_;
    bool patched_ = false;
};

/// The same hashes of the first `size` bytes of a file or device that is there.
Result<std::vector<std::pair<std::string, std::string>>> hashFile(const std::string& path,
                                                                  std::uint64_t size);

}  // namespace icecore::app
