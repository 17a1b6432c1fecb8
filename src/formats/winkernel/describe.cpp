// A kernel dump as text and back.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "formats/winkernel/reading.h"
#include "formats/winkernel/text_specs.h"

namespace icecore::winkernel {

namespace {

/// Entries of one list that are shown one by one; the rest are bytes.
constexpr std::uint64_t mostEntries = 65536;

class Describer {
public:
    Describer(std::shared_ptr<const Source> source, DumpHeader header)
        : source_(source), header_(std::move(header)), out_(std::move(source)) {}

    Result<std::string> describe() {
        structure(header_.is64 ? "DUMP_HEADER64" : "DUMP_HEADER32", 0, "header");
        switch (header_.type) {
        case kindSummary: summary(); break;
        case kindBitmapFull:
        case kindBitmapKernel: bitmap(); break;
        case kindKernel:
        case kindKernelAndUser:
        case kindComplete: ranges(); break;
        case kindTriage:
            if (header_.is64)
                triage<TriageHeader, TriageDriver64, UnloadedDriver64, Le64>("64");
            else
                triage<TriageHeader32, TriageDriver32, UnloadedDriver32, Le32>("32");
            break;
        default: break;  // pages alone
        }
        return out_.print(
            fmt::format("Windows kernel dump {}, {} bytes", source_->name(), source_->size()));
    }

private:
    template <class T>
    std::optional<T> at(std::uint64_t offset) const {
        const auto bytes = source_->load(offset, sizeof(T));
        if (!bytes) return std::nullopt;
        return Cursor(ByteView(bytes->span())).structure<T>();
    }
    bool structure(std::string_view spec, std::uint64_t offset, std::string label,
                   std::uint64_t size = 0) {
        return out_.structure(textSpec(spec), offset, std::move(label), size);
    }
    /// Calls `use` for each entry that is there and was not shown before.
    template <class T, class Use>
    void list(std::string_view spec, std::uint64_t offset, std::uint64_t count,
              std::string_view label, Use use) {
        for (std::uint64_t i = 0; i < std::min(count, mostEntries); ++i) {
            const auto raw = at<T>(offset + i * sizeof(T));
            if (!raw || !structure(spec, offset + i * sizeof(T), fmt::format("{}.{}", label, i)))
                return;
            use(i, *raw);
        }
    }

    void summary() {
        const auto show = [&](const auto& raw, std::string_view spec) {
            if (!raw) return;
            structure(spec, header_.size, "summary");
            out_.bytes(header_.size + sizeof *raw, raw->bitmapBits / 8, "bits");
            out_.bytes(raw->headerSize, source_->size(), "pages");
        };
        if (header_.is64)
            show(at<SummaryHeader64>(header_.size), "SUMMARY_DUMP64");
        else
            show(at<SummaryHeader32>(header_.size), "SUMMARY_DUMP32");
    }
    void bitmap() {
        const auto raw = at<BitmapHeader>(header_.size);
        if (!raw) return;
        structure("BITMAP_DUMP", header_.size, "bitmap");
        out_.bytes(header_.size + sizeof *raw, raw->pages / 8, "bits");
        out_.bytes(raw->firstPage, source_->size(), "pages");
    }
    void ranges() {
        const auto raw = at<RangesHeader>(header_.size);
        if (!raw) return;
        structure("RDMP_HEADER64", header_.size, "ranges");
        const std::uint64_t begin = header_.size + sizeof *raw;
        const std::uint64_t end = std::min<std::uint64_t>(raw->firstPage, source_->size());
        const std::uint64_t room = end > begin ? (end - begin) / sizeof(PageRange) : 0;
        std::uint64_t used = 0;
        while (used < std::min(room, mostEntries)) {
            const auto range = at<PageRange>(begin + used * sizeof(PageRange));
            if (!range || range->pageCount == 0) break;
            ++used;
        }
        list<PageRange>("PFN_RANGE", begin, used, "range", [](auto, const PageRange&) {});
        out_.bytes(raw->firstPage, source_->size(), "pages");
    }

    template <class Lists, class Driver, class Unloaded, class Count>
    void triage(std::string_view width) {
        const auto raw = at<Lists>(header_.size);
        if (!raw) return;
        const auto spec = [&](std::string_view name) { return std::string(name).append(width); };
        structure(spec("TRIAGE_DUMP"), header_.size, "lists");
        list<TriageBlock>("TRIAGE_DATA_BLOCK", raw->dataBlocksOffset, raw->dataBlocksCount, "block",
                          [&](auto, const TriageBlock& block) {
                              blocks_.push_back({block.offset, block.size,
                                                 "memory." + hexDigits(block.address, 1)});
                          });
        list<Driver>(spec("DUMP_DRIVER_ENTRY"), raw->driverListOffset, raw->driverCount, "driver",
                     [&](auto i, const Driver& driver) {
                         string(driver.nameOffset, fmt::format("driver.{}.name", i));
                     });
        if (raw->unloadedOffset != 0) {
            const auto count = at<Count>(raw->unloadedOffset);
            structure(sizeof(Count) == 8 ? "Count64" : "Count", raw->unloadedOffset, "unloaded");
            list<Unloaded>(spec("DUMP_UNLOADED_DRIVERS"), raw->unloadedOffset + sizeof(Count),
                           count ? std::min<std::uint64_t>(*count, unloadedInMemory) : 0,
                           "unloaded", [](auto, const Unloaded&) {});
        }
        structure("Count", raw->validOffset, "valid");
        out_.bytes(raw->callStackOffset, raw->callStackSize, "stack");
        out_.bytes(raw->debuggerDataOffset, raw->debuggerDataSize, "debuggerdata");
        for (const Block& block : blocks_)
            out_.bytes(block.offset, block.size, block.label);
    }

    /// DUMP_STRING counts characters and ends with a NUL that it does not count.
    void string(std::uint64_t offset, std::string label) {
        const auto length = offset == 0 ? std::nullopt : at<Le32>(offset);
        if (!length) return;
        structure("DUMP_STRING", offset, std::move(label),
                  sizeof(Le32) + 2 * (std::uint64_t{*length} + 1));
    }

    struct Block {
        std::uint64_t offset, size;
        std::string label;
    };
    std::shared_ptr<const Source> source_;
    DumpHeader header_;
    DumpDescription out_;
    std::vector<Block> blocks_;
};

}  // namespace

Result<std::string> describe(std::shared_ptr<const Source> source) {
    ASSIGN_OR_RETURN(DumpHeader header, readHeader(*source));
    return Describer(std::move(source), std::move(header)).describe();
}

Result<std::vector<std::byte>> build(std::string_view text) {
    return buildFromText(text, textSpecs());
}

}  // namespace icecore::winkernel
