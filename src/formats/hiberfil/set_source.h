// The pages of a hibernation file: sets of up to sixteen, unpacked when touched.
#pragma once

#include <vector>

#include "bytes/block_source.h"

namespace icecore::hiberfil {

struct Set {
    std::uint64_t file = 0;  ///< offset of the packed pages
    std::uint32_t packed = 0;
    std::uint8_t pages = 0;
    bool huffman = false;
};

/// Set n's pages lie at n * 64 KiB.
class SetSource final : public BlockSource {
public:
    static constexpr std::uint64_t slot = 65536;

    SetSource(std::shared_ptr<const Source> file, std::vector<Set> sets)
        : file_(std::move(file)), sets_(std::move(sets)) {}
    [[nodiscard]] const std::string& name() const override { return file_->name(); }
    [[nodiscard]] std::uint64_t size() const override { return sets_.size() * slot; }

protected:
    [[nodiscard]] Result<Place> locate(std::uint64_t offset) const override;
    [[nodiscard]] Result<void> unpack(const Place& place, std::span<std::byte> out) const override;

private:
    std::shared_ptr<const Source> file_;
    std::vector<Set> sets_;
};

}  // namespace icecore::hiberfil
