#include "symbols/pdb/dbi_stream.h"

#include <algorithm>

#include "bytes/cursor.h"

namespace icecore::pdb {

namespace {

std::uint64_t keyOf(std::uint32_t section, std::uint32_t offset) {
    return (std::uint64_t{section} << 32) | offset;
}

}  // namespace

Result<std::unique_ptr<const DbiStream>> DbiStream::open(const MsfFile& file) {
    std::unique_ptr<DbiStream> dbi(new DbiStream);
    dbi->file_ = &file;
    dbi->stream_ = file.stream(streamDbi);
    const auto header = dbi->stream_.structure<DbiHeader>(0);
    if (!header) return fail(Errc::malformed, "holds no list of modules (stream 3)", file.name());
    dbi->header_ = *header;
    if (header->signature != dbiSignature)
        return fail(Errc::unsupported, "its list of modules has a format of before 1999",
                    file.name());
    const std::uint64_t contributions = sizeof(DbiHeader) + std::uint64_t{header->moduleInfoSize};
    const auto version = dbi->stream_.integer<std::uint32_t>(contributions);
    dbi->contributionsAt_ = contributions + 4;
    if (header->contributionSize >= 4) {
        if (version == contributions60) dbi->contributionSize_ = sizeof(Contribution);
        if (version == contributions2) dbi->contributionSize_ = sizeof(Contribution) + 4;
    }

    const std::uint64_t debugAt = contributions + header->contributionSize +
                                  header->sectionMapSize + header->sourceInfoSize +
                                  header->typeServerMapSize + header->editContinueSize;
    dbi->debugStreams_.fill(noStream);
    for (std::size_t i = 0; i < debugStreamCount && (i + 1) * 2 <= header->debugHeaderSize; ++i) {
        if (const auto number = dbi->stream_.integer<std::uint16_t>(debugAt + i * 2))
            dbi->debugStreams_[i] = *number;
    }
    const MsfStream original = dbi->debugStream(debugSectionsOriginal);
    dbi->addresses_ = AddressMap(original.empty() ? dbi->debugStream(debugSections) : original,
                                 dbi->debugStream(debugOmapTo), dbi->debugStream(debugOmapFrom));
    return dbi;
}

MsfStream DbiStream::debugStream(DebugStream which) const {
    const std::uint16_t number = debugStreams_.at(which);
    return number == noStream ? MsfStream() : file_->stream(number);
}

void DbiStream::readModules() const {
    moduleBytes_ = stream_.load(sizeof(DbiHeader), header_.moduleInfoSize);
    Cursor cursor(moduleBytes_.span());
    while (cursor.canHold(1, sizeof(ModuleInfo))) {
        const auto info = cursor.structure<ModuleInfo>();
        ObjectModule module;
        module.stream = info.symbolStream;
        module.symbolSize = info.symbolSize;
        module.c11Size = info.c11Size;
        module.c13Size = info.c13Size;
        module.name = cursor.cString();
        module.objectFile = cursor.cString();
        if (!cursor.ok()) break;
        modules_.push_back(module);
        cursor.align(4);
    }
}

const std::vector<ObjectModule>& DbiStream::modules() const {
    std::call_once(modulesOnce_, [this] { readModules(); });
    return modules_;
}

std::uint64_t DbiStream::contributionCount() const {
    if (contributionSize_ == 0 || header_.contributionSize < 4) return 0;
    const std::uint64_t end =
        std::min<std::uint64_t>(contributionsAt_ - 4 + header_.contributionSize, stream_.size());
    return end <= contributionsAt_ ? 0 : (end - contributionsAt_) / contributionSize_;
}

std::optional<Contribution> DbiStream::contribution(std::uint64_t index) const {
    return stream_.structure<Contribution>(contributionsAt_ + index * contributionSize_);
}

/// Linkers write the contributions in order. Whether this one did is looked at once, when an
/// address is not found.
void DbiStream::sortContributions() const {
    const std::uint64_t count = contributionCount();
    if (count == 0) return;
    const SharedBytes bytes = stream_.load(contributionsAt_, count * contributionSize_);
    std::uint64_t last = 0;
    bool inOrder = true;
    const auto forEach = [&](auto visit) {
        for (std::uint64_t i = 0; (i + 1) * contributionSize_ <= bytes.size(); ++i) {
            Contribution entry;
            std::memcpy(static_cast<void*>(&entry), bytes.span().data() + i * contributionSize_,
                        sizeof entry);
            visit(entry, keyOf(entry.section, entry.offset));
        }
    };
    forEach([&](const Contribution&, std::uint64_t key) {
        inOrder = inOrder && key >= last;
        last = key;
    });
    if (inOrder) return;
    sorted_.reserve(bytes.size() / contributionSize_);
    forEach([&](const Contribution& entry, std::uint64_t key) {
        sorted_.push_back({key, entry.size, entry.module});
    });
    std::ranges::stable_sort(sorted_, {}, &Piece::key);
}

std::optional<std::uint32_t> DbiStream::moduleAt(AddressMap::Place place) const {
    const std::uint64_t key = keyOf(place.section, place.offset);
    std::uint64_t low = 0, high = contributionCount();
    while (low < high) {
        const std::uint64_t middle = low + (high - low) / 2;
        const auto entry = contribution(middle);
        if (!entry) return std::nullopt;
        if (keyOf(entry->section, entry->offset) <= key)
            low = middle + 1;
        else
            high = middle;
    }
    // Contributions without a byte may stand at the same place.
    constexpr std::uint64_t fewEmpty = 64;
    for (std::uint64_t back = 1; back <= std::min(low, fewEmpty); ++back) {
        const auto entry = contribution(low - back);
        if (entry && entry->section == place.section && place.offset - entry->offset < entry->size)
            return std::uint32_t{entry->module};
        if (!entry || entry->size != 0) break;
    }
    std::call_once(sortOnce_, [this] { sortContributions(); });
    const auto next = std::ranges::upper_bound(sorted_, key, {}, &Piece::key);
    if (next == sorted_.begin()) return std::nullopt;
    const Piece& piece = *(next - 1);
    if (key - piece.key >= piece.size) return std::nullopt;
    return std::uint32_t{piece.module};
}

}  // namespace icecore::pdb
