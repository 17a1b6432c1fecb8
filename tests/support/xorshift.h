// Numbers without a pattern, and the same in every run: Marsaglia, "Xorshift RNGs" (2003). Without
// any other header of icecore, so that victims can have it too.
#pragma once

#include <cstdint>

namespace icecore::tests {

class Xorshift {
public:
    std::uint64_t next() {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return state_;
    }

private:
    std::uint64_t state_ = 0x9e3779b97f4a7c15;
};

}  // namespace icecore::tests
