// A sink that is given away, whose bytes are still wanted.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "bytes/sink.h"

namespace icecore::tests {

/// Appends to a vector that outlives it.
class TeeSink final : public Sink {
public:
    explicit TeeSink(std::vector<std::byte>& into) : into_(into) {}
    [[nodiscard]] Result<void> write(std::span<const std::byte> bytes) override {
        into_.insert(into_.end(), bytes.begin(), bytes.end());
        position_ += bytes.size();
        return {};
    }
    [[nodiscard]] Result<void> zeros(std::uint64_t count) override {
        return write(std::vector<std::byte>(static_cast<std::size_t>(count)));
    }
    [[nodiscard]] Result<void> finish() override { return {}; }

private:
    std::vector<std::byte>& into_;
};

}  // namespace icecore::tests
