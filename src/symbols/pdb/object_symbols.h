// The symbols and lines of one object file in a PDB ("module").
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "symbols/pdb/address_map.h"
#include "symbols/pdb/dbi_stream.h"
#include "symbols/pdb/symbol_record.h"

namespace icecore::pdb {

/// A place in the source; the file by its number in the object file's table of checksums.
struct SourceLine {
    std::uint32_t file = 0;
    std::uint32_t line = 0;  ///< 0: unknown, or hidden by the compiler
};

/// Made at the first question about the object file; immutable afterwards, so that threads share
/// it. Addresses are linked ones (AddressMap).
class ObjectSymbols {
public:
    ObjectSymbols(const MsfFile& file, const ObjectModule& module, const AddressMap& addresses);

    struct Function {
        std::uint32_t begin = 0, size = 0;
        std::uint32_t record = 0;  ///< offset of its record in the stream
        std::uint16_t kind = 0;    ///< S_GPROC32, S_THUNK32, S_SEPCODE…
    };
    [[nodiscard]] const std::vector<Function>& functions() const { return functions_; }
    /// The innermost function whose range contains `address`, or null.
    [[nodiscard]] const Function* functionAt(std::uint32_t address) const;
    /// As the compiler recorded it: "ns::Class::run". Of separated code its function's.
    [[nodiscard]] std::string_view name(const Function& function) const;

    /// A variable of this object file alone, that has no public name.
    struct LocalData {
        std::uint32_t begin = 0;
        std::uint32_t record = 0;  ///< offset of its record in the stream
    };
    /// The last one that begins at `address` or before it, or null.
    [[nodiscard]] const LocalData* dataBefore(std::uint32_t address) const;
    /// "`anonymous namespace'::count".
    [[nodiscard]] std::string_view name(const LocalData& data) const;

    /// A call that was compiled inline.
    struct InlineFrame {
        std::uint32_t inlinee = 0;  ///< index of the function in the IPI stream
        std::uint32_t begin = 0;    ///< where the call's code begins
        SourceLine source;
        std::uint64_t record = 0;  ///< offset of its record in the stream
    };
    /// The inlined calls at `address` in `function`, the innermost first.
    [[nodiscard]] std::vector<InlineFrame> inlines(const Function& function,
                                                   std::uint32_t address) const;
    /// The line of the physical function at `address`.
    [[nodiscard]] SourceLine lineAt(std::uint32_t address) const;
    /// Where the next line behind `address` begins; UINT32_MAX when there is none.
    [[nodiscard]] std::uint32_t nextLineStart(std::uint32_t address) const;

    struct FileInfo {
        std::uint32_t name = 0;         ///< offset in the PDB's table of names
        std::uint8_t checksumKind = 0;  ///< 0 none, 1 MD5, 2 SHA-1, 3 SHA-256
        ByteView checksum;
    };
    [[nodiscard]] std::optional<FileInfo> file(std::uint32_t number) const;
    /// Every line record: address, size up to the next one, place.
    void lines(const std::function<void(std::uint32_t address, SourceLine)>& visit) const;

    /// All symbol records, and one of them.
    [[nodiscard]] ByteView symbols() const { return symbols_; }
    /// Bytes that this object keeps in memory beyond the mapped file.
    [[nodiscard]] std::uint64_t memory() const { return memory_; }

private:
    struct LineBlock {
        std::uint32_t begin = 0, end = 0;  ///< addresses of the lines' function
        std::uint32_t entries = 0;         ///< offset in lines_
        std::uint32_t count = 0;
        std::uint32_t file = 0;
    };
    struct InlineeLine {
        std::uint32_t id = 0, file = 0, line = 0;
    };
    struct Site;

    void readSymbols(const AddressMap& addresses);
    void readSubsections(const AddressMap& addresses);
    void readLines(ByteView subsection, std::uint64_t at, const AddressMap& addresses);
    void readInlinees(ByteView subsection);
    [[nodiscard]] LineEntry entry(const LineBlock& block, std::uint32_t index) const;
    [[nodiscard]] const InlineeLine* inlinee(std::uint32_t id) const;
    void followAnnotations(ByteView annotations, const Function& function, std::uint32_t address,
                           Site& site) const;

    SharedBytes bytes_;
    ByteView symbols_, lines_, checksums_;
    std::vector<Function> functions_;    ///< by address
    std::vector<LocalData> data_;        ///< by address
    std::vector<LineBlock> blocks_;      ///< by address
    std::uint32_t longestBlock_ = 0;     ///< bytes of the longest of them
    std::vector<InlineeLine> inlinees_;  ///< by id
    std::uint64_t memory_ = 0;
};

}  // namespace icecore::pdb
