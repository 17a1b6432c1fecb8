// Physical memory behind a descriptor: each range at an offset of its own.
#pragma once

#include <memory>
#include <string>

#include "base/range.h"
#include "bytes/descriptor_posix.h"
#include "memory/address_space.h"

namespace icecore::ram {

/// Which pages the kernel has, by /proc/kpageflags; every page where that cannot be read.
/// /proc/kcore shows zeros where a page is poisoned, offline or missing, without saying so
/// (fs/proc/kcore.c, read_kcore_iter); this tells them apart.
class PageFlags {
public:
    PageFlags() = default;
    explicit PageFlags(Descriptor file) : file_(std::move(file)) {}
    /// How many bytes of `range` lie before the first page that is not to be read.
    [[nodiscard]] std::uint64_t readableBytes(Range range) const;
    [[nodiscard]] bool known() const { return file_.valid(); }

private:
    Descriptor file_;
};

class OffsetMemory final : public AddressSpace {
public:
    /// `map`: physical ranges and the offset of each one's first byte, sealed. `absent`: known to
    /// be unreadable. Reads at most `step` bytes at once.
    OffsetMemory(Descriptor file, std::string name, RangeMap<std::uint64_t> map,
                 std::vector<Range> absent = {}, PageFlags flags = {},
                 std::size_t step = std::size_t{1} << 20)
        : file_(std::move(file)),
          name_(std::move(name)),
          map_(std::move(map)),
          absent_(std::move(absent)),
          flags_(std::move(flags)),
          step_(step) {}

    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override;
    [[nodiscard]] std::vector<Extent> extents(Range within) const override;
    [[nodiscard]] std::string explain(std::uint64_t address) const override;

private:
    Descriptor file_;
    std::string name_;
    RangeMap<std::uint64_t> map_;
    std::vector<Range> absent_;
    PageFlags flags_;
    std::size_t step_;
};

}  // namespace icecore::ram
