#include "formats/dump_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/range.h"
#include "base/text.h"
#include "bytes/endian.h"

namespace icecore {

namespace {

constexpr std::size_t bytesPerLine = 32;
constexpr std::size_t shortestRun = 64;  // shorter repetitions stay literal: easier to edit

std::string quote(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
        const auto value = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            quoted += fmt::format("\\{}", c);
        else if (c == '\n')
            quoted += "\\n";
        else if (c == '\t')
            quoted += "\\t";
        else if (value < 0x20 || value == 0x7f)
            quoted += fmt::format("\\x{:02x}", value);
        else
            quoted += c;
    }
    return quoted + '"';
}

std::string angled(std::span<const std::byte> raw) {
    return "<" + hexBytes(raw) + ">";
}

std::u16string loadUtf16(std::span<const std::byte> raw) {
    std::u16string text(raw.size() / 2, u'\0');
    for (std::size_t i = 0; i < text.size(); ++i)
        text[i] = static_cast<char16_t>(loadInteger<std::uint16_t>(raw.data() + 2 * i));
    return text;
}

/// Text in quotes where that spells exactly these bytes, hex otherwise.
std::string printText(std::span<const std::byte> raw, bool padded) {
    std::string_view text(reinterpret_cast<const char*>(raw.data()), raw.size());
    while (padded && !text.empty() && text.back() == '\0')
        text.remove_suffix(1);
    // Only clean text is worth quotes; anything else is clearer in hex. Escapes are for the few
    // control characters that text files have, and NULs inside lists.
    const bool clean = std::ranges::all_of(text, [](char c) {
        const auto value = static_cast<unsigned char>(c);
        return (value >= 0x20 && value < 0x7f) || c == '\n' || c == '\t' || c == '\0';
    });
    return clean ? quote(text) : angled(raw);
}

std::string printUtf16(std::span<const std::byte> raw, bool padded) {
    std::u16string text = loadUtf16(raw);
    while (padded && !text.empty() && text.back() == u'\0')
        text.pop_back();
    const std::string utf8 = utf16ToUtf8(text);
    return raw.size() % 2 == 0 && utf8ToUtf16(utf8) == text ? quote(utf8) : angled(raw);
}

std::uint64_t loadNumber(std::span<const std::byte> raw) {
    std::uint64_t value = 0;
    for (std::size_t i = raw.size(); i-- > 0;)
        value = value << 8 | std::to_integer<unsigned>(raw[i]);
    return value;
}

std::string printField(const FieldSpec& field, std::span<const std::byte> raw) {
    switch (field.kind) {
    case FieldKind::number: return hex(loadNumber(raw));
    case FieldKind::count: return fmt::format("{}", loadNumber(raw));
    case FieldKind::signed_count: {
        const unsigned unused = 64 - static_cast<unsigned>(raw.size()) * 8;
        return fmt::format("{}", static_cast<std::int64_t>(loadNumber(raw) << unused) >> unused);
    }
    case FieldKind::text: return printText(raw, field.size != 0);
    case FieldKind::utf16: return printUtf16(raw, field.size != 0);
    case FieldKind::bytes: return angled(raw);
    }
    return angled(raw);
}

/// Lines of hex with the text they may be as a comment; long runs of one byte on one line.
void printBytes(std::string& out, std::span<const std::byte> raw) {
    const auto runAt = [&](std::size_t at) {
        std::size_t end = at;
        while (end < raw.size() && raw[end] == raw[at])
            ++end;
        return end - at;
    };
    std::size_t at = 0;
    while (at < raw.size()) {
        if (const std::size_t run = runAt(at); run >= shortestRun) {
            out += fmt::format("  {} * {}\n", hexBytes(raw.subspan(at, 1)), run);
            at += run;
            continue;
        }
        std::size_t end = std::min(raw.size(), at + bytesPerLine);
        // A long run inside this line gets its own.
        for (std::size_t i = at + 1; i < end; ++i) {
            if (raw[i] != raw[i - 1] && runAt(i) >= shortestRun) end = i;
        }
        out += ' ';
        std::string comment;
        for (std::size_t i = at; i < end; ++i) {
            if ((i - at) % 8 == 0) out += ' ';
            out += hexBytes(raw.subspan(i, 1));
            const char c = static_cast<char>(raw[i]);
            comment += c >= 0x20 && c < 0x7f ? c : '.';
        }
        out += fmt::format("  # {}\n", comment);
        at = end;
    }
}

}  // namespace

std::uint64_t StructSpec::fixedSize() const {
    std::uint64_t size = 0;
    for (const FieldSpec& field : fields)
        size += field.size;
    return size;
}

bool DumpDescription::isFree(std::uint64_t begin, std::uint64_t end) const {
    const auto next = pieces_.lower_bound(begin);
    if (next != pieces_.end() && next->first < end) return false;
    if (next == pieces_.begin()) return true;
    const auto& [offset, piece] = *std::prev(next);
    return offset + piece.size <= begin;
}

std::string DumpDescription::uniqueLabel(std::string label) {
    if (label.empty()) return label;
    // A label is one word, and what references give a meaning to has no place in it.
    std::ranges::replace_if(
        label,
        [](char c) { return c <= ' ' || c > '~' || std::string_view("#{}+-\"").contains(c); }, '_');
    if (label == "at") label = "at_";
    if (const unsigned seen = labels_[label]++; seen != 0) label += fmt::format("~{}", seen + 1);
    return label;
}

bool DumpDescription::structure(const StructSpec& spec, std::uint64_t offset, std::string label,
                                std::uint64_t size) {
    if (!spec.open()) size = spec.fixedSize();
    const auto end = checkedAdd(offset, size);
    if (size == 0 || size < spec.fixedSize() || !end || *end > source_->size()) return false;
    if (!isFree(offset, *end)) return false;
    pieces_.emplace(offset, Piece{&spec, size, uniqueLabel(std::move(label))});
    return true;
}

void DumpDescription::bytes(std::uint64_t offset, std::uint64_t size, std::string label) {
    if (offset >= source_->size()) return;
    std::uint64_t end = offset + std::min(size, source_->size() - offset);
    if (const auto next = pieces_.lower_bound(offset); next != pieces_.end())
        end = std::min(end, next->first);
    if (end <= offset || !isFree(offset, end)) return;
    pieces_.emplace(offset, Piece{nullptr, end - offset, uniqueLabel(std::move(label))});
}

Result<std::string> DumpDescription::print(std::string_view headline,
                                           std::uint64_t literalLimit) const {
    std::string out = fmt::format("# {}\nsize {}\n", printable(headline), hex(source_->size()));
    std::uint64_t literal = 0;
    const auto printRaw = [&](std::uint64_t offset, std::uint64_t size,
                              std::string_view label) -> Result<void> {
        const std::string title = label.empty() ? "" : fmt::format(" {}", label);
        if (size > literalLimit - std::min(literal, literalLimit)) {
            out += fmt::format("omitted{} at {} size {}\n", title, hex(offset), hex(size));
            return {};
        }
        literal += size;
        ASSIGN_OR_RETURN(const SharedBytes raw, source_->load(offset, size));
        out += fmt::format("bytes{} at {} {{\n", title, hex(offset));
        printBytes(out, raw.span());
        out += "}\n";
        return {};
    };
    std::uint64_t position = 0;
    for (const auto& [offset, piece] : pieces_) {
        if (offset > position) TRY(printRaw(position, offset - position, {}));
        position = offset + piece.size;
        if (piece.spec == nullptr) {
            TRY(printRaw(offset, piece.size, piece.label));
            continue;
        }
        ASSIGN_OR_RETURN(const SharedBytes raw, source_->load(offset, piece.size));
        out += fmt::format("{}{}{} at {} {{\n", piece.spec->name, piece.label.empty() ? "" : " ",
                           piece.label, hex(offset));
        std::size_t at = 0;
        for (const FieldSpec& field : piece.spec->fields) {
            const std::size_t size = field.size != 0 ? field.size : raw.size() - at;
            out += fmt::format("  {}: {}\n", field.name,
                               printField(field, raw.span().subspan(at, size)));
            at += size;
        }
        out += "}\n";
    }
    if (position < source_->size()) TRY(printRaw(position, source_->size() - position, {}));
    return out;
}

}  // namespace icecore
