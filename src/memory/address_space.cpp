#include "memory/address_space.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace icecore {

std::string_view toString(Absence absence) {
    switch (absence) {
    case Absence::none: return "readable";
    case Absence::not_mapped: return "not mapped";
    case Absence::not_captured: return "not captured";
    case Absence::truncated: return "lost by truncation";
    case Absence::unreadable: return "unreadable";
    case Absence::not_present: return "not present";
    }
    return "unknown";
}

Result<void> AddressSpace::readExactly(std::uint64_t address, std::span<std::byte> out) const {
    const ReadOutcome outcome = read(address, out);
    if (outcome.bytes == out.size()) return {};
    return fail(Errc::unreadable,
                std::string("memory is ") + std::string(toString(outcome.stopped)),
                hex(address + outcome.bytes));
}

std::optional<std::uint64_t> AddressSpace::readPointer(std::uint64_t address,
                                                       std::size_t size) const {
    if (size == 4) {
        const auto value = readInteger<std::uint32_t>(address);
        return value ? std::optional<std::uint64_t>(*value) : std::nullopt;
    }
    return readInteger<std::uint64_t>(address);
}

std::optional<std::string> AddressSpace::readCString(std::uint64_t address,
                                                     std::size_t limit) const {
    std::string text;
    std::byte piece[256];
    while (text.size() < limit) {
        const std::size_t want = std::min(sizeof piece, limit - text.size());
        const std::size_t got = read(address + text.size(), std::span(piece, want)).bytes;
        if (got == 0) return std::nullopt;
        if (const void* nul = std::memchr(piece, 0, got)) {
            text.append(reinterpret_cast<const char*>(piece),
                        static_cast<std::size_t>(static_cast<const std::byte*>(nul) - piece));
            return text;
        }
        text.append(reinterpret_cast<const char*>(piece), got);
    }
    return std::nullopt;
}

std::vector<std::byte> AddressSpace::readUpTo(std::uint64_t address, std::uint64_t size) const {
    constexpr std::size_t pieceSize = 1 << 20;
    std::vector<std::byte> bytes;
    while (bytes.size() < size) {
        const std::size_t old = bytes.size();
        const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(pieceSize, size - old));
        bytes.resize(old + want);
        const std::size_t got = read(address + old, std::span(bytes).subspan(old)).bytes;
        bytes.resize(old + got);
        if (got < want) break;
    }
    return bytes;
}

namespace {

class EmptySpace final : public AddressSpace {
public:
    [[nodiscard]] ReadOutcome read(std::uint64_t, std::span<std::byte> out) const override {
        return {0, out.empty() ? Absence::none : Absence::not_mapped};
    }
    [[nodiscard]] std::vector<Extent> extents(Range) const override { return {}; }
    [[nodiscard]] std::string explain(std::uint64_t) const override { return "no memory at all"; }
};

class OverlaySpace final : public AddressSpace {
public:
    OverlaySpace(std::shared_ptr<const AddressSpace> front,
                 std::shared_ptr<const AddressSpace> back)
        : front_(std::move(front)), back_(std::move(back)) {}

    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override {
        std::size_t done = 0;
        while (done < out.size()) {
            const ReadOutcome front = front_->read(address + done, out.subspan(done));
            done += front.bytes;
            if (done == out.size()) break;
            // The back serves at most up to where the front has bytes again.
            const std::uint64_t from = address + done;
            std::uint64_t gap = out.size() - done;
            for (const Extent& extent : front_->extents(Range::ofSize(from, gap))) {
                if (extent.absence != Absence::none) continue;
                gap = extent.range.begin() - from;
                break;
            }
            if (gap == 0) return {done, front.stopped};  // the front contradicts itself: stop
            const ReadOutcome back =
                back_->read(from, out.subspan(done, static_cast<std::size_t>(gap)));
            done += back.bytes;
            if (back.bytes < gap) {
                return {done, back.stopped == Absence::not_mapped ? front.stopped : back.stopped};
            }
        }
        return {done, Absence::none};
    }

    [[nodiscard]] std::vector<Extent> extents(Range within) const override {
        std::vector<Extent> merged;
        RangeSet served;
        for (const Extent& extent : front_->extents(within)) {
            if (extent.absence != Absence::none) continue;
            merged.push_back(extent);
            served.add(extent.range);
        }
        for (const Extent& extent : back_->extents(within)) {
            if (extent.absence != Absence::none) continue;
            for (const Range& part : served.missing(extent.range))
                merged.push_back({part, extent.absence, extent.zero});
            served.add(extent.range);
        }
        for (const Extent& extent : front_->extents(within)) {
            if (extent.absence == Absence::none) continue;
            for (const Range& part : served.missing(extent.range))
                merged.push_back({part, extent.absence, false});
        }
        std::ranges::sort(merged, {}, [](const Extent& extent) { return extent.range.begin(); });
        return merged;
    }

    [[nodiscard]] std::string explain(std::uint64_t address) const override {
        std::byte probe[1];
        if (front_->read(address, probe).bytes == 1) return front_->explain(address);
        if (back_->read(address, probe).bytes == 1) return back_->explain(address);
        return front_->explain(address);
    }

    [[nodiscard]] std::span<const std::byte> window(std::uint64_t address) const override {
        if (const auto front = front_->window(address); !front.empty()) return front;
        std::byte probe[1];
        if (front_->read(address, probe).bytes == 1) return {};
        const auto back = back_->window(address);
        for (const Extent& extent : front_->extents(Range::ofSize(address, back.size()))) {
            if (extent.absence == Absence::none)
                return back.first(static_cast<std::size_t>(extent.range.begin() - address));
        }
        return back;
    }

private:
    std::shared_ptr<const AddressSpace> front_;
    std::shared_ptr<const AddressSpace> back_;
};

}  // namespace

std::shared_ptr<const AddressSpace> emptySpace() {
    return std::make_shared<EmptySpace>();
}

std::shared_ptr<const AddressSpace> overlay(std::shared_ptr<const AddressSpace> front,
                                            std::shared_ptr<const AddressSpace> back) {
    return std::make_shared<OverlaySpace>(std::move(front), std::move(back));
}

}  // namespace icecore
