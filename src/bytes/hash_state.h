// What a hash function implements; the functions of hash.h stand on it.
#pragma once

#include "bytes/hash.h"

namespace icecore {

struct Hasher::State {
    virtual ~State() = default;
    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    virtual void update(std::span<const std::byte> bytes) = 0;
    virtual std::vector<std::byte> finish() = 0;
};

/// RFC 1321, FIPS 180-4: read in images that others made, never written.
std::unique_ptr<Hasher::State> newMd5();
std::unique_ptr<Hasher::State> newSha1();
/// FIPS 180-4.
std::unique_ptr<Hasher::State> newSha512();
std::unique_ptr<Hasher::State> newBlake3();

}  // namespace icecore
