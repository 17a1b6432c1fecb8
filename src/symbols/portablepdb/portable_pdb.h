// Portable PDBs: the lines of .NET methods.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bytes/source.h"
#include "images/pe_image.h"

namespace icecore {

/// A place in the source, from an offset in a method's IL on.
struct SequencePoint {
    std::uint32_t ilOffset = 0;
    std::uint32_t document = 0;  ///< row of the document, counted from one
    std::uint32_t line = 0, column = 0, endLine = 0, endColumn = 0;
    bool hidden = false;  ///< code that the compiler made, without a line
    bool operator==(const SequencePoint&) const = default;
};

/// Opened over the mapped file or the embedded bytes; lists are read when asked for. Thread-safe.
/// Every count is held against the file before anything is allocated. Sources: ECMA-335 II.24 (the
/// container), "Portable PDB v1.0" (dotnet/runtime, docs/design/specs/PortablePdb-Metadata.md).
class PortablePdb {
public:
    static Result<std::shared_ptr<const PortablePdb>> open(std::shared_ptr<const Source> source);
    /// The one inside an image (debug directory, type 17), unpacked. `not_found` when there is
    /// none.
    static Result<std::shared_ptr<const PortablePdb>> embedded(const PeImage& image);
    static bool looksLike(const Source& source);

    [[nodiscard]] const std::string& name() const { return source_->name(); }
    /// GUID and stamp: what the image's CodeView record and its entry in the debug directory say.
    [[nodiscard]] const std::array<std::byte, 20>& id() const { return id_; }
    /// Whether `image` was compiled with it.
    [[nodiscard]] bool matches(const PeImage& image) const;
    /// Methods are numbered as in the image's own metadata: token 0x06000001 is 1.
    [[nodiscard]] std::uint32_t methodCount() const { return methods_.rows; }
    [[nodiscard]] std::uint32_t documentCount() const { return documents_.rows; }
    /// The path as the compiler recorded it; empty when there is no such document.
    [[nodiscard]] std::string document(std::uint32_t row) const;
    /// In the order of IL; empty for methods without code or lines.
    [[nodiscard]] std::vector<SequencePoint> sequencePoints(std::uint32_t method) const;
    /// The point that an IL offset belongs to: the last one at or below it. Hidden ones count, as
    /// no line.
    [[nodiscard]] std::optional<SequencePoint> pointAt(std::uint32_t method,
                                                       std::uint32_t ilOffset) const;

private:
    struct Table {
        ByteView rowsView;
        std::uint32_t rows = 0;
    };
    PortablePdb() = default;
    [[nodiscard]] Result<void> readRoot();
    [[nodiscard]] Result<void> readTables(ByteView stream);
    [[nodiscard]] ByteView blob(std::uint64_t offset) const;

    std::shared_ptr<const Source> source_;
    ByteView file_, blobs_;
    std::array<std::byte, 20> id_{};
    Table documents_, methods_;
    std::size_t blobIndexSize_ = 2, guidIndexSize_ = 2, documentIndexSize_ = 2;
};

}  // namespace icecore
