#include "bytes/forward_source.h"

#include <algorithm>

#include "base/text.h"

namespace icecore {

namespace {

/// Large enough that look-ups cost little beside unpacking, small enough for single pages.
constexpr std::uint64_t pieceSize = std::uint64_t{256} << 10;
/// Pieces that were passed on the way to another: what is read next often lies there.
constexpr std::uint64_t passedKept = 16 * pieceSize;
/// Decoders that wait where they stopped, by number and by the memory they take.
constexpr std::size_t mostParked = 4;
constexpr std::uint64_t mostParkedBytes = std::uint64_t{128} << 20;

}  // namespace

Issues ForwardSource::issues() const {
    Issues all = issuesOf(*file_);
    all.append(found_);
    return all;
}

Result<BlockSource::Place> ForwardSource::locate(std::uint64_t offset) const {
    const std::uint64_t begin = alignDown(offset, pieceSize);
    return Place{begin, Range::ofSize(begin, pieceSize).intersect(Range::between(0, size()))};
}

Result<void> ForwardSource::unpack(const Place& place, std::span<std::byte> out) const {
    const std::lock_guard lock(decoding_);
    // Whoever had the lock may have come by.
    if (const auto passed = kept(place.key)) {
        std::ranges::copy(*passed, out.begin());
        return {};
    }
    ASSIGN_OR_RETURN(Parked from, decoderFor(place.content.begin()));
    while (from.position < place.content.begin()) {
        const std::uint64_t begin = from.position;
        const std::uint64_t end =
            std::min(alignDown(begin, pieceSize) + pieceSize, place.content.begin());
        Bytes passed(static_cast<std::size_t>(end - begin));
        TRY(next(from, passed));
        if (begin % pieceSize == 0 && place.content.begin() - begin <= passedKept &&
            kept(begin) == nullptr)
            keep(begin, std::make_shared<const Bytes>(std::move(passed)));
    }
    TRY(next(from, out));
    park(std::move(from));
    return {};
}

/// The bytes from where the decoder stands.
Result<void> ForwardSource::next(Parked& from, std::span<std::byte> out) const {
    std::size_t done = 0;
    while (done < out.size()) {
        ASSIGN_OR_RETURN(const std::size_t got, from.decoder->decode(out.subspan(done)));
        if (got == 0)
            return fail(Errc::truncated, "the compressed content ends early",
                        where(from.position + done));
        done += got;
    }
    from.position += out.size();
    return {};
}

Result<ForwardSource::Parked> ForwardSource::decoderFor(std::uint64_t offset) const {
    const std::uint64_t place = placeBefore(offset);
    auto best = parked_.end();
    for (auto one = parked_.begin(); one != parked_.end(); ++one) {
        const bool useful = one->position >= place && one->position <= offset;
        if (useful && (best == parked_.end() || one->position > best->position)) best = one;
    }
    if (best != parked_.end()) {
        Parked taken = std::move(*best);
        parked_.erase(best);
        return taken;
    }
    ASSIGN_OR_RETURN(auto decoder, beginAt(place));
    return Parked{place, std::move(decoder)};
}

void ForwardSource::park(Parked one) const {
    parked_.push_front(std::move(one));
    std::uint64_t bytes = 0;
    for (const Parked& parked : parked_)
        bytes += parked.decoder->memory();
    while (parked_.size() > 1 && (parked_.size() > mostParked || bytes > mostParkedBytes)) {
        bytes -= parked_.back().decoder->memory();
        parked_.pop_back();
    }
}

std::uint64_t measure(ForwardDecoder& decoder, std::optional<Error>& damage, std::uint64_t most) {
    std::vector<std::byte> dropped(static_cast<std::size_t>(pieceSize));
    std::uint64_t size = 0;
    while (size < most) {
        const auto got = decoder.decode(dropped);
        if (!got) damage = got.error();
        if (!got || *got == 0) return size;
        size += *got;
    }
    damage = tooMuch(most);
    return size;
}

Error tooMuch(std::uint64_t most) {
    return {Errc::limit,
            "unpacks to more than " + humanBytes(most) + ": the rest is not followed",
            {},
            nullptr};
}

}  // namespace icecore
