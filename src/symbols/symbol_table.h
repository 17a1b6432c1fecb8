// The symbols of one ELF image, sorted by address.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "images/elf_image.h"

namespace icecore {

/// A compact index of symbol tables: 24 bytes per symbol, names stay where they are. Addresses are
/// link-time ones. Immutable once built, so that threads share it.
class SymbolTable {
public:
    struct Entry {
        std::uint64_t address = 0;
        std::uint32_t size = 0;        ///< bytes; 0 unknown
        std::uint32_t name = 0;        ///< offset in its table's strings
        std::uint32_t sectionEnd = 0;  ///< bytes from address to its section's end; 0 unknown
        std::uint8_t source = 0;       ///< which of the tables it comes from
        std::uint8_t type = 0;         ///< STT_…
        std::uint8_t binding = 0;      ///< STB_…
        bool code = false;             ///< a function, or a label in code
    };
    static_assert(sizeof(Entry) == 24);

    /// Reads the tables of `image` (its .symtab, else .dynsym) and of `more` images that describe
    /// the same module (separate debug files, .gnu_debugdata). All must outlive the table.
    explicit SymbolTable(std::vector<std::shared_ptr<const ElfImage>> images);

    /// The symbol that covers `address`: the smallest sized one, or a label without size that is
    /// the nearest below it and in the same section. `codeOnly` leaves out data.
    [[nodiscard]] const Entry* at(std::uint64_t address, bool codeOnly) const;
    /// The name as in the file.
    [[nodiscard]] std::string_view name(const Entry& entry) const;
    /// Where the symbol ends: its size, or the next symbol, or its section's end.
    [[nodiscard]] std::uint64_t endOf(const Entry& entry) const;
    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
    /// Whether a full table (.symtab) was found, not only the exported names.
    [[nodiscard]] bool full() const { return full_; }
    [[nodiscard]] bool empty() const { return entries_.empty(); }

private:
    void addTable(const ElfImage& image, const ElfSection& section);
    void sortByAddress();
    [[nodiscard]] bool better(const Entry& a, const Entry& b) const;

    std::vector<std::shared_ptr<const ElfImage>> images_;
    std::vector<ByteView> strings_;
    std::vector<Entry> entries_;
    bool full_ = false;
};

/// Names of procedure linkage stubs ("puts@plt"), by their address: from the relocations that
/// belong to them, without disassembly. x86-64 and arm64.
std::optional<std::string> pltStubName(const ElfImage& image, std::uint64_t address,
                                       std::uint64_t* start);

}  // namespace icecore
