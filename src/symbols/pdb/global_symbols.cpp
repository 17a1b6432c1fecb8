#include "symbols/pdb/global_symbols.h"

#include <algorithm>
#include <bit>

#include "symbols/pdb/name_hash.h"
#include "symbols/pdb/symbol_record.h"

namespace icecore::pdb {

NameHash::NameHash(MsfStream stream, std::uint64_t offset, std::uint64_t size, MsfStream records)
    : stream_(stream), records_(records) {
    const auto header = stream_.structure<HashHeader>(offset);
    if (!header || header->signature != hashSignature || header->version != hashVersion) return;
    hashRecordsAt_ = offset + sizeof(HashHeader);
    const std::uint64_t end = std::min(offset + size, stream_.size());
    const std::uint64_t room = end > hashRecordsAt_ ? end - hashRecordsAt_ : 0;
    count_ = std::min<std::uint64_t>(header->recordSize, room) / sizeof(HashRecord);
    bucketsAt_ = hashRecordsAt_ + header->recordSize;
    bucketsSize_ = bucketsAt_ < end ? end - bucketsAt_ : 0;
}

std::optional<GlobalSymbol> NameHash::symbol(std::uint64_t offset) const {
    const auto length = records_.integer<std::uint16_t>(offset);
    if (!length) return std::nullopt;
    const std::uint64_t size = std::uint64_t{*length} + 2;
    GlobalSymbol symbol;
    std::span<const std::byte> bytes = records_.window(offset, size);
    if (bytes.size() < size) {
        symbol.copy.resize(size);
        if (records_.read(offset, symbol.copy) < size) return std::nullopt;
        bytes = symbol.copy;
    }
    const auto record = symbolAt(bytes, 0);
    if (!record) return std::nullopt;
    symbol.kind = record->kind;
    std::string_view name;
    switch (record->kind) {
    case symPublic32:
        if (const auto fixed = fixedPart<Public>(*record, &name)) {
            symbol.flags = fixed->flags;
            symbol.place = {fixed->section, fixed->offset};
        }
        break;
    case symProcRef:
    case symLProcRef:
    case symDataRef:
        if (const auto fixed = fixedPart<Reference>(*record, &name); fixed && fixed->module != 0) {
            symbol.module = fixed->module - 1U;
            symbol.symbolOffset = fixed->symbolOffset;
        }
        break;
    case symGData32:
    case symLData32:
    case symGThread32:
    case symLThread32:
        if (const auto fixed = fixedPart<Data>(*record, &name)) {
            symbol.type = fixed->type;
            symbol.place = {fixed->section, fixed->offset};
        }
        break;
    case symUdt:
        if (const auto type = fixedPart<Le32>(*record, &name)) symbol.type = *type;
        break;
    default: break;
    }
    symbol.name = name;
    return symbol;
}

void NameHash::all(const std::function<bool(const GlobalSymbol&)>& visit) const {
    const SharedBytes hashes = stream_.load(hashRecordsAt_, count_ * sizeof(HashRecord));
    Cursor cursor(hashes.span());
    while (cursor.canHold(1, sizeof(HashRecord))) {
        const auto record = cursor.structure<HashRecord>();
        if (record.offset == 0) continue;
        const auto found = symbol(record.offset - 1);
        if (found && !visit(*found)) return;
    }
}

void NameHash::named(std::string_view name,
                     const std::function<bool(const GlobalSymbol&)>& visit) const {
    constexpr std::uint32_t words = hashBuckets / 32 + 1;
    if (bucketsSize_ < words * 4) return;
    const std::uint32_t bucket = hashName(name) % hashBuckets;
    // Only the buckets that hold something are stored: the set bits before this one are counted.
    const SharedBytes bits = stream_.load(bucketsAt_, words * 4);
    if (bits.size() < words * 4) return;
    std::uint64_t index = 0;
    const auto word = [&](std::uint32_t i) {
        return loadInteger<std::uint32_t>(bits.span().data() + std::size_t{i} * 4);
    };
    for (std::uint32_t i = 0; i < bucket / 32; ++i)
        index += static_cast<std::uint64_t>(std::popcount(word(i)));
    const std::uint32_t own = word(bucket / 32);
    const std::uint32_t bit = std::uint32_t{1} << (bucket % 32);
    if ((own & bit) == 0) return;
    index += static_cast<std::uint64_t>(std::popcount(own & (bit - 1)));

    // Offsets count records of twelve bytes, as they are in the linker's memory.
    constexpr std::uint32_t inMemory = 12;
    const std::uint64_t offsetsAt = bucketsAt_ + words * 4;
    const auto first = stream_.integer<std::uint32_t>(offsetsAt + index * 4);
    if (!first) return;
    std::uint64_t end = count_;
    if ((index + 1) * 4 + words * 4 < bucketsSize_) {
        if (const auto next = stream_.integer<std::uint32_t>(offsetsAt + (index + 1) * 4))
            end = std::min<std::uint64_t>(count_, *next / inMemory);
    }
    for (std::uint64_t i = *first / inMemory; i < end; ++i) {
        const auto record = stream_.structure<HashRecord>(hashRecordsAt_ + i * sizeof(HashRecord));
        if (!record || record->offset == 0) continue;
        const auto found = symbol(record->offset - 1);
        if (found && found->name == name && !visit(*found)) return;
    }
}

PublicTable::PublicTable(const MsfStream& stream, const MsfStream& records,
                         const AddressMap& addresses)
    : stream_(stream), records_(records), addresses_(&addresses) {
    const auto header = stream_.structure<PublicsHeader>(0);
    if (!header) return;
    names_ = NameHash(stream_, sizeof(PublicsHeader), header->hashSize, records_);
    mapAt_ = sizeof(PublicsHeader) + std::uint64_t{header->hashSize};
    if (mapAt_ < stream_.size())
        count_ = std::min<std::uint64_t>(header->addressMapSize, stream_.size() - mapAt_) / 4;
}

std::optional<Public> PublicTable::entry(std::uint64_t index, std::uint32_t* offset) const {
    const auto at = stream_.integer<std::uint32_t>(mapAt_ + index * 4);
    if (!at) return std::nullopt;
    if (offset != nullptr) *offset = *at;
    // Length and kind stand before the fixed part.
    struct Head {
        Le16 length, kind;
        Public fixed;
    };
    const auto head = records_.structure<Head>(*at);
    if (!head || head->kind != symPublic32) return std::nullopt;
    return head->fixed;
}

std::optional<PublicTable::Found> PublicTable::at(AddressMap::Place place, bool codeOnly) const {
    const auto key = [](const Public& symbol) {
        return (std::uint64_t{symbol.section} << 32) | symbol.offset;
    };
    const std::uint64_t wanted = (std::uint64_t{place.section} << 32) | place.offset;
    std::uint64_t low = 0, high = count_;
    while (low < high) {
        const std::uint64_t middle = low + (high - low) / 2;
        const auto symbol = entry(middle, nullptr);
        if (!symbol) return std::nullopt;
        if (key(*symbol) <= wanted)
            low = middle + 1;
        else
            high = middle;
    }
    std::uint32_t end = addresses_->sectionSize(place.section);
    if (low < count_) {
        const auto next = entry(low, nullptr);
        if (next && next->section == place.section) end = next->offset;
    }
    // Labels and tables may stand between a function's name and the address.
    constexpr int fewLabels = 64;
    std::optional<std::uint32_t> best;
    std::uint64_t bestKey = 0;
    for (int i = 0; i < fewLabels && low > 0; ++i) {
        std::uint32_t offset = 0;
        const auto symbol = entry(--low, &offset);
        if (!symbol || symbol->section != place.section) break;
        if (best && key(*symbol) != bestKey) break;
        if (codeOnly && (symbol->flags & (publicCode | publicFunction)) == 0) continue;
        // Of several at one address the first counts.
        best = offset;
        bestKey = key(*symbol);
    }
    if (!best) return std::nullopt;
    auto symbol = names_.symbol(*best);
    if (!symbol) return std::nullopt;
    return Found{std::move(*symbol), end};
}

}  // namespace icecore::pdb
