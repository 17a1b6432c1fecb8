// The records of the type streams (TPI: types; IPI: functions, strings, build information).
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "symbols/pdb/msf_file.h"
#include "symbols/pdb/pdb_layout.h"

namespace icecore::pdb {

struct TypeRecord {
    std::uint16_t kind = 0;  ///< LF_…
    SharedBytes bytes;       ///< from the kind on
    [[nodiscard]] ByteView content() const { return ByteView(bytes.span()).slice(2); }
};

/// Any record is found without reading those before it: the stream has an index of every 8 KiB.
/// Thread-safe.
class TypeTable {
public:
    TypeTable() = default;
    TypeTable(const MsfFile& file, std::uint32_t stream);

    [[nodiscard]] bool contains(std::uint32_t index) const {
        return index >= first_ && index < last_;
    }
    [[nodiscard]] std::uint32_t first() const { return first_; }
    [[nodiscard]] std::uint32_t last() const { return last_; }
    [[nodiscard]] std::optional<TypeRecord> record(std::uint32_t index) const;
    /// Every record in turn; `visit` returns false to stop.
    template <class Visit>
    void all(Visit visit) const {
        std::uint64_t position = base_;
        while (const auto record = recordAt(position)) {
            if (!visit(*record)) return;
        }
    }
    /// Visits the indices whose name hashes like `name`, the last ones first; `visit` returns
    /// false to stop. Every index when the file has no hash.
    template <class Visit>
    void hashedLike(std::string_view name, Visit visit) const {
        const std::vector<std::uint32_t> all = candidates(name);
        for (const std::uint32_t index : all) {
            if (!visit(index)) return;
        }
    }

private:
    /// The record at a place in the stream, which then is that of the next; nothing at the end.
    [[nodiscard]] std::optional<TypeRecord> recordAt(std::uint64_t& position) const;
    [[nodiscard]] std::vector<std::uint32_t> candidates(std::string_view name) const;
    /// The nearest index at or before `index` whose offset is known, and that offset.
    [[nodiscard]] std::pair<std::uint32_t, std::uint64_t> startFor(std::uint32_t index) const;

    MsfStream records_, hash_;
    std::uint64_t base_ = 0, end_ = 0;  ///< offsets of the records in their stream
    std::uint32_t first_ = 0, last_ = 0;
    std::uint64_t indexAt_ = 0, indexCount_ = 0;
    std::uint64_t valuesAt_ = 0, valueCount_ = 0;
    std::uint32_t bucketCount_ = 0;
};

}  // namespace icecore::pdb
