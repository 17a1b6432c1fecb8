#include "symbols/pdb/type_table.h"

#include <algorithm>

#include "symbols/pdb/name_hash.h"

namespace icecore::pdb {

namespace {

struct IndexStep {
    Le32 index, offset;
};

}  // namespace

TypeTable::TypeTable(const MsfFile& file, std::uint32_t stream) : records_(file.stream(stream)) {
    const auto header = records_.structure<TypeHeader>(0);
    if (!header || header->last < header->first) return;
    base_ = header->headerSize;
    end_ = std::min<std::uint64_t>(records_.size(), base_ + header->recordBytes);
    // A record has four bytes at least.
    const std::uint64_t room = end_ > base_ ? (end_ - base_) / 4 : 0;
    first_ = header->first;
    last_ = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(header->last, std::uint64_t{first_} + room));
    bucketCount_ = header->bucketCount;
    if (header->hashStream == noStream) return;
    hash_ = file.stream(header->hashStream);
    const auto piece = [&](std::uint32_t offset, std::uint32_t size, std::uint64_t each,
                           std::uint64_t& at, std::uint64_t& count) {
        at = offset;
        count =
            offset < hash_.size() ? std::min<std::uint64_t>(size, hash_.size() - offset) / each : 0;
    };
    piece(header->indexOffset, header->indexSize, sizeof(IndexStep), indexAt_, indexCount_);
    if (header->hashKeySize == 4)
        piece(header->hashValueOffset, header->hashValueSize, 4, valuesAt_, valueCount_);
}

std::pair<std::uint32_t, std::uint64_t> TypeTable::startFor(std::uint32_t index) const {
    std::uint64_t low = 0, high = indexCount_;
    std::pair<std::uint32_t, std::uint64_t> best = {first_, 0};
    while (low < high) {
        const std::uint64_t middle = low + (high - low) / 2;
        const auto step = hash_.structure<IndexStep>(indexAt_ + middle * sizeof(IndexStep));
        if (!step) break;
        if (step->index <= index) {
            if (step->index >= first_) best = {step->index, step->offset};
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return best;
}

std::optional<TypeRecord> TypeTable::recordAt(std::uint64_t& position) const {
    if (position + 4 > end_) return std::nullopt;
    const auto length = records_.integer<std::uint16_t>(position);
    if (!length || *length < 2) return std::nullopt;
    TypeRecord record;
    record.bytes = records_.load(position + 2, *length);
    if (record.bytes.size() < *length) return std::nullopt;
    record.kind = loadInteger<std::uint16_t>(record.bytes.span().data());
    position += 2U + *length;
    return record;
}

std::optional<TypeRecord> TypeTable::record(std::uint32_t index) const {
    if (!contains(index)) return std::nullopt;
    auto [at, offset] = startFor(index);
    std::uint64_t position = base_ + offset;
    for (; at < index && position + 4 <= end_; ++at) {
        const auto length = records_.integer<std::uint16_t>(position);
        if (!length || *length < 2) return std::nullopt;
        position += 2U + *length;
    }
    return recordAt(position);
}

std::vector<std::uint32_t> TypeTable::candidates(std::string_view name) const {
    std::vector<std::uint32_t> found;
    const std::uint32_t count = last_ - first_;
    if (valueCount_ < count || bucketCount_ == 0) {
        for (std::uint32_t index = last_; index-- > first_;)
            found.push_back(index);
        return found;
    }
    const std::uint32_t bucket = hashName(name) % bucketCount_;
    const SharedBytes values = hash_.load(valuesAt_, std::uint64_t{count} * 4);
    const std::byte* bytes = values.span().data();
    for (std::size_t i = values.size() / 4; i-- > 0;) {
        if (loadInteger<std::uint32_t>(bytes + i * 4) == bucket)
            found.push_back(first_ + static_cast<std::uint32_t>(i));
    }
    return found;
}

}  // namespace icecore::pdb
