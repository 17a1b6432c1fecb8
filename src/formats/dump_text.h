// Any binary dump as text that a person can read and change, and the file such a text describes.
//
// The text is a list of pieces, each a structure with named fields or plain bytes, at an offset:
//
//     # a comment, to the end of the line
//     size 0x5c4                          the file's size; missing: where the last piece ends
//     MINIDUMP_HEADER header at 0x0 {
//       Signature: "MDMP"
//       Version: 0xa793
//       StreamDirectoryRva: @directory    the offset of the piece labelled so; also
//       @directory.size,
//     }                                   @directory.end and + or - a number
//     bytes stack at 0x400 {              label and offset may be missing: behind the last piece
//       00112233 44556677                 hex digits, blanks as you like
//       00 * 4096                         one byte, repeated
//     }
//     omitted at 0x1000 size 0x100000     in the description only: build refuses it
//
// Values are numbers (decimal, 0x…, a sign), "text" with \\ \" \n \t \xNN, or <hex bytes>. Every
// field takes any of them: a number into bytes no, bytes into a number yes, so that nothing in a
// file lacks a spelling. Missing fields are zero. Offsets, sizes and counts are fields like others:
// writing wrong ones is what makes a broken dump. Later pieces overwrite earlier ones.
//
// describe() of a format claims structures; what nobody claims is printed as bytes, so that
// build(describe(file)) == file for every file.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "bytes/source.h"

namespace icecore {

enum class FieldKind : std::uint8_t {
    number,        ///< little-endian, 1, 2, 4 or 8 bytes; printed in hex
    count,         ///< as number, printed in decimal
    signed_count,  ///< as count, two's complement
    text,          ///< ASCII or UTF-8, padded with zeros to its size
    utf16,         ///< UTF-16LE, padded with zeros to its size
    bytes,
};

struct FieldSpec {
    std::string_view name;
    FieldKind kind = FieldKind::number;
    /// Bytes; 0 in the last field of a structure: whatever is left of the piece (only text, utf16
    /// and bytes).
    std::uint32_t size = 4;
};

/// Fields in file order, without gaps.
struct StructSpec {
    std::string_view name;
    std::span<const FieldSpec> fields;
    /// Bytes of all fields; an open last field counts as 0.
    [[nodiscard]] std::uint64_t fixedSize() const;
    [[nodiscard]] bool open() const { return !fields.empty() && fields.back().size == 0; }
};

/// Collects what is known of a file, then prints all of it.
class DumpDescription {
public:
    explicit DumpDescription(std::shared_ptr<const Source> source) : source_(std::move(source)) {}

    /// A structure stands at `offset`. False, with nothing claimed, when it does not lie wholly in
    /// the file or part of it is claimed already: it is then printed as bytes or as what claimed
    /// it. `size` is needed for a structure with an open last field. `spec` must outlive this.
    bool structure(const StructSpec& spec, std::uint64_t offset, std::string label = {},
                   std::uint64_t size = 0);
    /// Plain bytes that deserve a label; cut at the file's end and at what is claimed already.
    void bytes(std::uint64_t offset, std::uint64_t size, std::string label);

    /// The text. Plain bytes beyond `literalLimit` altogether are left out and said so.
    [[nodiscard]] Result<std::string> print(std::string_view headline,
                                            std::uint64_t literalLimit = 16 << 20) const;

private:
    struct Piece {
        const StructSpec* spec = nullptr;  ///< null: bytes
        std::uint64_t size = 0;
        std::string label;
    };
    /// Labels are for references: one word, and each one of a kind.
    std::string uniqueLabel(std::string label);
    [[nodiscard]] bool isFree(std::uint64_t begin, std::uint64_t end) const;

    std::shared_ptr<const Source> source_;
    std::map<std::uint64_t, Piece> pieces_;                ///< by offset, disjoint
    std::map<std::string, unsigned, std::less<>> labels_;  ///< how often each was given
};

/// The file a text describes. Errors name the line. Nothing beyond `sizeLimit` is built.
Result<std::vector<std::byte>> buildFromText(std::string_view text,
                                             std::span<const StructSpec> specs,
                                             std::uint64_t sizeLimit = 256 << 20);

}  // namespace icecore
