#include "live/linux/live_space.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "base/text.h"
#include "bytes/read_at_posix.h"
#include "live/linux/proc.h"

namespace icecore::live {

namespace {

/// Whole reads of `file`, zeros where it has a hole. A file that ends has nothing more.
std::size_t readFile(const BackingFile& file, std::uint64_t offset, std::span<std::byte> out) {
    const auto [done, error] = readAt(file.file.get(), offset, out);
    if (error != 0) return done;
    // The rest of a file's last page is zero in memory.
    if (done < out.size() && offset + done >= file.size &&
        offset + out.size() <= alignUp(file.size, pageSize())) {
        std::ranges::fill(out.subspan(done), std::byte{0});
        return out.size();
    }
    return done;
}

}  // namespace

LiveSpace::LiveSpace(std::vector<LiveArea> areas, std::unique_ptr<MemoryReader> reader,
                     PageMap pageMap, KeptMemory kept)
    : areas_(std::move(areas)),
      reader_(std::move(reader)),
      pageMap_(std::move(pageMap)),
      kept_(std::move(kept)),
      files_(reader_->process()) {}

const LiveArea* LiveSpace::areaAtOrAfter(std::uint64_t address) const {
    const auto next = std::ranges::partition_point(
        areas_, [&](const LiveArea& area) { return area.region.range.end() <= address; });
    return next == areas_.end() ? nullptr : &*next;
}

void LiveSpace::add(Pieces& pieces, Range range, PieceKind kind, Absence absence) {
    if (range.empty()) return;
    if (!pieces.empty()) {
        Piece& last = pieces.back();
        if (last.range.end() == range.begin() && last.kind == kind && last.absence == absence) {
            last.range = Range::between(last.range.begin(), range.end());
            return;
        }
    }
    pieces.push_back({range, kind, absence});
}

void LiveSpace::classify(const LiveArea& area, Range within, Pieces& pieces) const {
    switch (area.source) {
    case RegionSource::anonymous:
    case RegionSource::privateFile: return classifyByPages(area, within, pieces);
    case RegionSource::sharedFile: return classifyByFile(area, within, pieces);
    case RegionSource::kept:
    case RegionSource::keptFile: return classifyKept(area, within, pieces);
    case RegionSource::direct: return add(pieces, within, PieceKind::memory);
    case RegionSource::unreadable:
        return add(pieces, within, PieceKind::absent, Absence::unreadable);
    case RegionSource::notCaptured:
        return add(pieces, within, PieceKind::absent, Absence::not_captured);
    }
}

void LiveSpace::classifyByPages(const LiveArea& area, Range within, Pieces& pieces) const {
    std::vector<PageRun> runs;
    if (!pageMap_.scan(within, runs))
        return add(pieces, within, PieceKind::absent, Absence::unreadable);
    const auto absent = [&](Range range) {
        if (range.empty()) return;
        if (area.source == RegionSource::privateFile) return classifyByFile(area, range, pieces);
        add(pieces, range, PieceKind::zero);
    };
    std::uint64_t at = within.begin();
    for (const PageRun& run : runs) {
        const Range part = run.range.intersect(within);
        if (part.empty()) continue;
        absent(Range::between(at, part.begin()));
        switch (run.kind) {
        case PageRun::Kind::data: add(pieces, part, PieceKind::memory); break;
        case PageRun::Kind::zero: add(pieces, part, PieceKind::zero); break;
        case PageRun::Kind::guard:
            add(pieces, part, PieceKind::absent, Absence::not_present);
            break;
        }
        at = part.end();
    }
    absent(Range::between(at, within.end()));
}

void LiveSpace::classifyByFile(const LiveArea& area, Range within, Pieces& pieces) const {
    const auto file = files_.open(area.region);
    // Without the file there is only the memory itself.
    if (file == nullptr) return add(pieces, within, PieceKind::memory);
    const std::uint64_t delta = area.region.fileOffset - area.region.range.begin();  // may wrap
    const std::uint64_t fileEnd = alignUp(file->size, pageSize());
    // Touching a mapping beyond its file's last page is SIGBUS.
    const std::uint64_t backed =
        fileEnd > area.region.fileOffset
            ? std::min(within.end(),
                       area.region.range.begin() +
                           std::min(area.region.range.size(), fileEnd - area.region.fileOffset))
            : within.begin();
    std::uint64_t at = within.begin();
    while (at < backed) {
        std::uint64_t data = at;
        std::uint64_t hole = backed;
        if (file->tellsHoles) {
            const off_t next = ::lseek(file->file.get(), static_cast<off_t>(at + delta), SEEK_DATA);
            // ENXIO: a hole up to the end of the file.
            data = next < 0
                       ? backed
                       : std::min(backed,
                                  alignDown(static_cast<std::uint64_t>(next), pageSize()) - delta);
            data = std::max(data, at);
            if (data < backed) {
                const off_t end =
                    ::lseek(file->file.get(), static_cast<off_t>(data + delta), SEEK_HOLE);
                hole = end < 0
                           ? backed
                           : std::min(backed,
                                      alignUp(static_cast<std::uint64_t>(end), pageSize()) - delta);
                if (hole <= data) hole = std::min(backed, data + pageSize());
            }
        }
        add(pieces, Range::between(at, data), PieceKind::zero);
        add(pieces, Range::between(data, hole), PieceKind::file);
        at = hole;
    }
    add(pieces, Range::between(std::max(at, within.begin()), within.end()), PieceKind::absent,
        Absence::not_present);
}

void LiveSpace::classifyKept(const LiveArea& area, Range within, Pieces& pieces) const {
    const auto absent = [&](Range range) {
        if (range.empty()) return;
        if (area.source == RegionSource::keptFile) return classifyByFile(area, range, pieces);
        add(pieces, range, PieceKind::zero);
    };
    std::uint64_t at = within.begin();
    for (const Range& part : kept_.within(within)) {
        absent(Range::between(at, part.begin()));
        add(pieces, part, PieceKind::kept);
        at = part.end();
    }
    absent(Range::between(at, within.end()));
}

std::size_t LiveSpace::readPiece(const LiveArea& area, const Piece& piece,
                                 std::span<std::byte> out) const {
    switch (piece.kind) {
    case PieceKind::memory: return reader_->read(piece.range.begin(), out);
    case PieceKind::kept: return kept_.read(piece.range.begin(), out);
    case PieceKind::zero: std::ranges::fill(out, std::byte{0}); return out.size();
    case PieceKind::file: {
        const auto file = files_.open(area.region);
        if (file == nullptr) return 0;
        return readFile(
            *file, area.region.fileOffset + (piece.range.begin() - area.region.range.begin()), out);
    }
    case PieceKind::absent: return 0;
    }
    return 0;
}

ReadOutcome LiveSpace::read(std::uint64_t address, std::span<std::byte> out) const {
    constexpr std::uint64_t bite = std::uint64_t{4} << 20;
    std::size_t done = 0;
    Pieces pieces;
    while (done < out.size()) {
        if (closed_.load(std::memory_order_relaxed)) return {done, Absence::unreadable};
        const auto at = checkedAdd(address, done);
        const LiveArea* area = at ? areaAtOrAfter(*at) : nullptr;
        if (area == nullptr || !area->region.range.contains(*at))
            return {done, Absence::not_mapped};
        const Range within = Range::ofSize(*at, std::min<std::uint64_t>(out.size() - done, bite))
                                 .intersect(area->region.range);
        pieces.clear();
        classify(*area, within, pieces);
        for (const Piece& piece : pieces) {
            if (piece.kind == PieceKind::absent) return {done, piece.absence};
            const auto want = static_cast<std::size_t>(piece.range.size());
            const std::size_t got = readPiece(*area, piece, out.subspan(done, want));
            done += got;
            if (got < want) return {done, Absence::unreadable};
        }
    }
    return {done, Absence::none};
}

std::vector<Extent> LiveSpace::extents(Range within) const {
    std::vector<Extent> extents;
    if (closed_.load(std::memory_order_relaxed)) return extents;
    const LiveArea* area = areaAtOrAfter(within.begin());
    const LiveArea* end = areas_.data() + areas_.size();
    Pieces pieces;
    for (; area != nullptr && area != end && area->region.range.begin() < within.end(); ++area) {
        pieces.clear();
        classify(*area, area->region.range.intersect(within), pieces);
        for (const Piece& piece : pieces) {
            const Extent extent{piece.range, piece.absence, piece.kind == PieceKind::zero};
            if (!extents.empty()) {
                Extent& last = extents.back();
                if (last.range.end() == extent.range.begin() && last.absence == extent.absence &&
                    last.zero == extent.zero) {
                    last.range = Range::between(last.range.begin(), extent.range.end());
                    continue;
                }
            }
            extents.push_back(extent);
        }
    }
    return extents;
}

std::string LiveSpace::explain(std::uint64_t address) const {
    const LiveArea* area = areaAtOrAfter(address);
    if (area == nullptr || !area->region.range.contains(address))
        return hex(address) + " is not mapped in the process";
    const std::string region =
        " of the mapping " + hex(area->region.range.begin()) + "-" + hex(area->region.range.end()) +
        (area->region.name.empty() ? "" : " " + printable(area->region.name));
    Pieces pieces;
    classify(*area, Range::ofSize(address, 1), pieces);
    if (pieces.empty()) return hex(address) + region;
    switch (pieces[0].kind) {
    case PieceKind::memory: return "memory" + region;
    case PieceKind::file: return "the file" + region;
    case PieceKind::kept: return "copied while the process stood still," + region;
    case PieceKind::zero: return "never touched, so zero," + region;
    case PieceKind::absent:
        return hex(address) + " is " + std::string(toString(pieces[0].absence)) + "," + region;
    }
    return hex(address) + region;
}

}  // namespace icecore::live
