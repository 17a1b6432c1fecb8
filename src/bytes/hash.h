// Hashes of evidence: what images and their manifests carry. Ours, so that a single static program
// needs no cryptographic library; nothing here keeps a secret.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace icecore {

enum class HashKind : std::uint8_t {
    sha256,   ///< FIPS 180-4; with the CPU's instructions where it has them
    blake3,   ///< 32 bytes, without a key; many chunks at a time, as wide as the CPU is
    blake2b,  ///< RFC 7693, 64 bytes, without a key; in manifests until 0.1, and in AFF4 images
    md5,      ///< RFC 1321; this and the next two are what AFF4 images carry
    sha1,     ///< FIPS 180-4
    sha512,   ///< FIPS 180-4
};
/// "sha256", "blake3", "blake2b", "md5", "sha1", "sha512".
std::string_view toString(HashKind kind);

/// Takes bytes front to back.
class Hasher {
public:
    explicit Hasher(HashKind kind);
    ~Hasher();
    Hasher(Hasher&&) noexcept;
    Hasher& operator=(Hasher&&) noexcept;

    void update(std::span<const std::byte> bytes);
    /// As many zero bytes.
    void zeros(std::uint64_t count);
    /// The hash of all bytes taken; call it once.
    [[nodiscard]] std::vector<std::byte> finish();

    struct State;

private:
    std::unique_ptr<State> state_;
};

/// SHA-256 of each `piece` bytes (and of what is left at the end), appended to `hashes`: two at a
/// time, as the CPU's instructions spend most of their time waiting for one another.
void sha256Each(std::span<const std::byte> bytes, std::size_t piece,
                std::vector<std::byte>& hashes);

}  // namespace icecore
