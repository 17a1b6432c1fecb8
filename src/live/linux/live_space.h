// The memory of a frozen process.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "live/linux/backing_files.h"
#include "live/linux/kept_memory.h"
#include "live/linux/memory_reader.h"
#include "live/linux/page_map.h"
#include "memory/address_space.h"
#include "model/process.h"

namespace icecore::live {

/// Where the bytes of a region come from.
enum class RegionSource : std::uint8_t {
    anonymous,    ///< pages the page tables know; everything else is zero, known without reading
    privateFile,  ///< pages of its own where there are any, else the file
    sharedFile,   ///< the file (shared memory has one too)
    direct,       ///< read as it is
    kept,         ///< copied while the target stood; what was not there is zero
    keptFile,     ///< the same; what was not there is in the file
    unreadable,   ///< VM_IO, vvar, vsyscall
    notCaptured,  ///< the clone has it not, and what is to be saved does not need it
};

struct LiveArea {
    Region region;
    RegionSource source = RegionSource::direct;
};

/// Reads the clone, or the stopped target itself. Never touches a page that is not there: neither
/// page tables nor resident size grow, no hole of a file gets allocated. Thread-safe.
class LiveSpace final : public AddressSpace {
public:
    /// `areas` ascending and disjoint.
    LiveSpace(std::vector<LiveArea> areas, std::unique_ptr<MemoryReader> reader, PageMap pageMap,
              KeptMemory kept);

    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override;
    /// Exact to the page, from the page tables and the files' own maps of holes; nothing is read.
    /// As long as what is asked for is fragmented: ask for a large range in windows.
    [[nodiscard]] std::vector<Extent> extents(Range within) const override;
    [[nodiscard]] std::string explain(std::uint64_t address) const override;

    /// From now on nothing can be read: the process is another's again.
    void close() { closed_.store(true); }

private:
    enum class PieceKind : std::uint8_t { memory, file, zero, kept, absent };
    struct Piece {
        Range range;
        PieceKind kind = PieceKind::absent;
        Absence absence = Absence::none;
    };
    using Pieces = std::vector<Piece>;

    [[nodiscard]] const LiveArea* areaAtOrAfter(std::uint64_t address) const;
    void classify(const LiveArea& area, Range within, Pieces& pieces) const;
    void classifyByPages(const LiveArea& area, Range within, Pieces& pieces) const;
    void classifyByFile(const LiveArea& area, Range within, Pieces& pieces) const;
    void classifyKept(const LiveArea& area, Range within, Pieces& pieces) const;
    [[nodiscard]] std::size_t readPiece(const LiveArea& area, const Piece& piece,
                                        std::span<std::byte> out) const;
    static void add(Pieces& pieces, Range range, PieceKind kind, Absence absence = Absence::none);

    std::vector<LiveArea> areas_;
    std::unique_ptr<MemoryReader> reader_;
    PageMap pageMap_;
    KeptMemory kept_;
    mutable BackingFiles files_;
    std::atomic<bool> closed_{false};
};

}  // namespace icecore::live
