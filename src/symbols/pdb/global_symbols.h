// Symbols that are found by name or address without looking into any module: publics and globals.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "symbols/pdb/address_map.h"
#include "symbols/pdb/msf_file.h"
#include "symbols/pdb/pdb_layout.h"

namespace icecore::pdb {

/// A record of the symbol record stream, with its name. Valid as long as its file.
struct GlobalSymbol {
    GlobalSymbol() = default;
    GlobalSymbol(GlobalSymbol&&) = default;
    GlobalSymbol& operator=(GlobalSymbol&&) = default;
    GlobalSymbol(const GlobalSymbol&) = delete;
    GlobalSymbol& operator=(const GlobalSymbol&) = delete;
    ~GlobalSymbol() = default;

    std::uint16_t kind = 0;
    AddressMap::Place place;         ///< of publics and data
    std::uint32_t flags = 0;         ///< of publics
    std::uint32_t module = 0;        ///< of references: index of the module
    std::uint32_t symbolOffset = 0;  ///< of references: of the record in the module's stream
    std::uint32_t type = 0;          ///< of data, constants and user-defined types
    std::string_view name;
    std::vector<std::byte> copy;  ///< what `name` is in, where the record lies in two pages
};

/// The hash over names (GSI) that both have: looking up one name touches one chain.
class NameHash {
public:
    NameHash() = default;
    /// `offset` and `size`: where the hash lies in `stream`.
    NameHash(MsfStream stream, std::uint64_t offset, std::uint64_t size, MsfStream records);

    /// Every symbol with this very name; `visit` returns false to stop.
    void named(std::string_view name, const std::function<bool(const GlobalSymbol&)>& visit) const;
    /// All of them, in the order of the hash.
    void all(const std::function<bool(const GlobalSymbol&)>& visit) const;
    [[nodiscard]] std::uint64_t count() const { return count_; }
    /// The record at an offset of the symbol record stream.
    [[nodiscard]] std::optional<GlobalSymbol> symbol(std::uint64_t offset) const;

private:
    MsfStream stream_, records_;
    std::uint64_t hashRecordsAt_ = 0, count_ = 0;
    std::uint64_t bucketsAt_ = 0;
    std::uint64_t bucketsSize_ = 0;
};

/// Public symbols: what the linker knew by its mangled name. Answered out of the file's own sorted
/// table, by binary search.
class PublicTable {
public:
    PublicTable() = default;
    PublicTable(const MsfStream& stream, const MsfStream& records, const AddressMap& addresses);

    struct Found {
        GlobalSymbol symbol;
        std::uint32_t end = 0;  ///< offset in the section where the next one begins, or its end
    };
    /// The public symbol at or below a place in its section. `codeOnly`: functions alone count.
    [[nodiscard]] std::optional<Found> at(AddressMap::Place place, bool codeOnly) const;
    [[nodiscard]] const NameHash& names() const { return names_; }
    [[nodiscard]] std::uint64_t count() const { return count_; }

private:
    [[nodiscard]] std::optional<Public> entry(std::uint64_t index, std::uint32_t* offset) const;

    MsfStream stream_, records_;
    const AddressMap* addresses_ = nullptr;
    std::uint64_t mapAt_ = 0, count_ = 0;
    NameHash names_;
};

}  // namespace icecore::pdb
