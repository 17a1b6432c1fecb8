// .debug_line: which source line an instruction comes from (DWARF 5, 6.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bytes/byte_view.h"

namespace icecore::dwarf {

/// Sections that file names of version 5 may refer to.
struct LineStrings {
    ByteView str, lineStr;
};

class LineTable {
public:
    /// Runs the whole program at the start of `bytes`. Damage ends it early.
    LineTable(ByteView bytes, LineStrings strings, std::string_view compDir);

    struct Row {
        std::uint64_t address = 0;
        std::uint32_t file = 0, line = 0;
    };
    /// The row that covers `address`, or null.
    [[nodiscard]] const Row* find(std::uint64_t address) const;
    /// The file's path: joined with its directory and, where that is relative, the compilation's.
    [[nodiscard]] std::string fileName(std::uint64_t index) const;

private:
    struct FileEntry {
        std::string_view name;
        std::uint64_t directory = 0;
    };
    struct Sequence {
        std::uint64_t low = 0, high = 0;
        std::size_t first = 0, count = 0;
    };
    class Program;

    std::uint16_t version_ = 0;
    std::string_view compDir_;
    std::vector<std::string_view> directories_;
    std::vector<FileEntry> files_;
    std::vector<Row> rows_;
    std::vector<Sequence> sequences_;
};

}  // namespace icecore::dwarf
