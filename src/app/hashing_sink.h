// Hashes an output while it is written.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bytes/hash.h"
#include "bytes/sink.h"

namespace icecore::app {

/// Passes everything on and hashes it on the way. Where the writer goes back to patch what it has
/// written already, the hashes are of no use: `patched` says so, and the file has to be read again.
class HashingSink final : public Sink {
public:
    explicit HashingSink(std::unique_ptr<Sink> inner);
    [[nodiscard]] Result<void> write(std::span<const std::byte> bytes) override;
    [[nodiscard]] Result<void> zeros(std::uint64_t count) override;
    [[nodiscard]] bool canPatch() const override { return inner_->canPatch(); }
    [[nodiscard]] Result<void> patch(std::uint64_t offset,
                                     std::span<const std::byte> bytes) override;
    [[nodiscard]] Result<void> finish() override;
    [[nodiscard]] bool patched() const { return patched_; }
    /// Name and hexadecimal value of each hash; call it once, at the end.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> hashes();

private:
    std::unique_ptr<Sink> inner_;
    std::vector<std::pair<HashKind, Hasher>> hashers_;
    bool patched_ = false;
};

/// The same hashes of a file that is there.
Result<std::vector<std::pair<std::string, std::string>>> hashFile(const std::string& path);

}  // namespace icecore::app
