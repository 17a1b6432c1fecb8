// The other half of dump_text.h: from text to bytes.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/range.h"
#include "base/text.h"
#include "bytes/endian.h"
#include "formats/dump_text.h"

namespace icecore {

namespace {

bool isBlank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

/// The line without its comment; a `#` inside quotes is text.
std::string_view withoutComment(std::string_view line) {
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (quoted && line[i] == '\\')
            ++i;
        else if (line[i] == '"')
            quoted = !quoted;
        else if (!quoted && line[i] == '#')
            return line.substr(0, i);
    }
    return line;
}

/// A field that refers to a label is filled in when all pieces have their place.
struct Reference {
    std::uint64_t offset = 0;  ///< where the number goes
    std::uint32_t size = 0;
    std::string_view expression;
    std::size_t line = 0;
};

class Builder {
public:
    Builder(std::string_view text, std::span<const StructSpec> specs, std::uint64_t sizeLimit)
        : text_(text), specs_(specs), sizeLimit_(sizeLimit) {}

    Result<std::vector<std::byte>> build() {
        while (const auto line = nextLine())
            TRY(piece(*line));
        for (const Reference& reference : references_)
            TRY(resolve(reference));
        if (fileSize_) {
            if (*fileSize_ > sizeLimit_) return tooLarge();
            out_.resize(static_cast<std::size_t>(*fileSize_));
        }
        return std::move(out_);
    }

private:
    [[nodiscard]] std::string where(std::size_t line) const { return fmt::format("line {}", line); }
    [[nodiscard]] std::unexpected<Error> bad(std::string message) const {
        return fail(Errc::malformed, std::move(message), where(line_));
    }
    [[nodiscard]] std::unexpected<Error> tooLarge() const {
        return fail(Errc::limit,
                    fmt::format("the text describes a file beyond {}", humanBytes(sizeLimit_)),
                    where(line_));
    }

    /// The next line that says something, trimmed; nothing at the end.
    std::optional<std::string_view> nextLine() {
        while (!text_.empty()) {
            const std::size_t end = text_.find('\n');
            const std::string_view line = trim(withoutComment(text_.substr(0, end)));
            text_.remove_prefix(end == std::string_view::npos ? text_.size() : end + 1);
            ++line_;
            if (!line.empty()) return line;
        }
        return std::nullopt;
    }

    /// Takes a number from the words, or says that `what` has none.
    Result<std::uint64_t> numberAt(const std::vector<std::string_view>& words, std::size_t at,
                                   std::string_view what) const {
        const auto value = at < words.size() ? parseNumber(words[at]) : std::nullopt;
        if (!value) return bad(fmt::format("{} needs a number", what));
        return *value;
    }

    Result<void> piece(std::string_view line) {
        auto words = splitBlanks(line);
        const std::string_view name = words.front();
        if (name == "size") {
            ASSIGN_OR_RETURN(fileSize_, numberAt(words, 1, "size"));
            return words.size() == 2 ? Result<void>{} : bad("size is followed by one number");
        }
        if (name == "omitted")
            return bad("this description leaves bytes out, so the file cannot be built from it");
        if (words.back() != "{") return bad("expected `NAME [LABEL] [at OFFSET] {`");
        words.pop_back();
        std::size_t next = 1;
        std::string_view label;
        std::uint64_t offset = out_.size();
        if (next < words.size() && words[next] != "at") label = words[next++];
        if (next < words.size()) {
            if (words[next] != "at") return bad("expected `at OFFSET`");
            ASSIGN_OR_RETURN(offset, numberAt(words, next + 1, "at"));
            next += 2;
        }
        if (next != words.size()) return bad("too many words before `{`");
        std::vector<std::byte> content;
        if (name == "bytes") {
            TRY(bytesBlock(content));
        } else {
            const auto spec = std::ranges::find(specs_, name, &StructSpec::name);
            if (spec == specs_.end())
                return bad(fmt::format("unknown structure '{}'", printable(name)));
            TRY(structure(*spec, offset, content));
        }
        return place(label, offset, content);
    }

    Result<void> place(std::string_view label, std::uint64_t offset,
                       const std::vector<std::byte>& content) {
        const auto end = checkedAdd(offset, content.size());
        if (!end || *end > sizeLimit_) return tooLarge();
        if (*end > out_.size()) out_.resize(static_cast<std::size_t>(*end));
        std::ranges::copy(content, out_.begin() + static_cast<std::ptrdiff_t>(offset));
        if (!label.empty() && !labels_.emplace(label, Range::ofSize(offset, content.size())).second)
            return bad(fmt::format("label '{}' is given twice", printable(label)));
        return {};
    }

    Result<void> bytesBlock(std::vector<std::byte>& content) {
        while (const auto line = nextLine()) {
            if (*line == "}") return {};
            if (const std::size_t star = line->find('*'); star != std::string_view::npos) {
                const auto value = parseHexBytes(trim(line->substr(0, star)));
                const auto count = parseNumber(trim(line->substr(star + 1)));
                if (!value || value->size() != 1 || !count) return bad("expected `XX * COUNT`");
                if (*count > sizeLimit_ - std::min<std::uint64_t>(content.size(), sizeLimit_))
                    return tooLarge();
                content.insert(content.end(), static_cast<std::size_t>(*count), value->front());
                continue;
            }
            TRY(hexInto(*line, content));
        }
        return bad("the text ends inside a piece");
    }

    Result<void> hexInto(std::string_view text, std::vector<std::byte>& content) const {
        std::string digits;
        std::ranges::copy_if(text, std::back_inserter(digits), [](char c) { return !isBlank(c); });
        const auto bytes = parseHexBytes(digits);
        if (!bytes) return bad("expected pairs of hex digits");
        content.insert(content.end(), bytes->begin(), bytes->end());
        return {};
    }

    Result<void> structure(const StructSpec& spec, std::uint64_t offset,
                           std::vector<std::byte>& content) {
        content.resize(static_cast<std::size_t>(spec.fixedSize()));
        while (const auto line = nextLine()) {
            if (*line == "}") return {};
            const std::size_t colon = line->find(':');
            if (colon == std::string_view::npos) return bad("expected `FIELD: VALUE` or `}`");
            const std::string_view name = trim(line->substr(0, colon));
            std::uint64_t at = 0;
            const auto field = std::ranges::find_if(spec.fields, [&](const FieldSpec& candidate) {
                if (candidate.name == name) return true;
                at += candidate.size;
                return false;
            });
            if (field == spec.fields.end())
                return bad(fmt::format("{} has no field '{}'", spec.name, printable(name)));
            TRY(value(*field, trim(line->substr(colon + 1)), offset, at, content));
        }
        return bad("the text ends inside a piece");
    }

    /// Writes one value at `at` of a structure that will lie at `offset`.
    Result<void> value(const FieldSpec& field, std::string_view text, std::uint64_t offset,
                       std::uint64_t at, std::vector<std::byte>& content) {
        const bool isNumber = field.kind <= FieldKind::signed_count;
        std::vector<std::byte> raw;
        if (text.starts_with('@')) {
            const auto place = checkedAdd(offset, at);
            if (!isNumber || !place) return bad("only numbers can refer to a label");
            references_.push_back({*place, field.size, text.substr(1), line_});
            return {};
        }
        if (text.starts_with('<') && text.ends_with('>')) {
            TRY(hexInto(text.substr(1, text.size() - 2), raw));
        } else if (text.starts_with('"')) {
            ASSIGN_OR_RETURN(const std::string plain, unquote(text));
            raw = encode(plain, field.kind == FieldKind::utf16);
        } else if (isNumber) {
            ASSIGN_OR_RETURN(const std::uint64_t number, integer(text, field.size));
            appendInteger(raw, number);
            raw.resize(field.size);
        } else {
            return bad("expected \"text\" or <hex bytes>");
        }
        if (field.size != 0 && raw.size() > field.size)
            return bad(fmt::format("the value has {} bytes, the field {}", raw.size(), field.size));
        const std::uint64_t size = field.size != 0 ? field.size : raw.size();
        content.resize(std::max(content.size(), static_cast<std::size_t>(at + size)));
        std::ranges::copy(raw, content.begin() + static_cast<std::ptrdiff_t>(at));
        return {};
    }

    static std::vector<std::byte> encode(const std::string& text, bool utf16) {
        std::vector<std::byte> raw;
        if (utf16) {
            for (const char16_t unit : utf8ToUtf16(text))
                appendInteger(raw, static_cast<std::uint16_t>(unit));
        } else {
            for (const char c : text)
                raw.push_back(static_cast<std::byte>(c));
        }
        return raw;
    }

    Result<std::uint64_t> integer(std::string_view text, std::uint32_t size) const {
        const bool negative = text.starts_with('-');
        const auto magnitude = parseNumber(negative ? text.substr(1) : text);
        if (!magnitude) return bad("expected a number, \"text\" or <hex bytes>");
        const std::uint64_t largest = size >= 8 ? UINT64_MAX : (std::uint64_t{1} << (size * 8)) - 1;
        if (*magnitude > (negative ? largest / 2 + 1 : largest))
            return bad(fmt::format("the number does not fit {} bytes", size));
        return negative ? (0 - *magnitude) & largest : *magnitude;
    }

    Result<std::string> unquote(std::string_view text) const {
        std::string plain;
        for (std::size_t i = 1; i < text.size(); ++i) {
            if (text[i] == '"') {
                if (i + 1 != text.size()) return bad("something follows the closing quote");
                return plain;
            }
            if (text[i] != '\\') {
                plain += text[i];
                continue;
            }
            const char escape = ++i < text.size() ? text[i] : '\0';
            if (escape == 'n') {
                plain += '\n';
            } else if (escape == 't') {
                plain += '\t';
            } else if (escape == '\\' || escape == '"') {
                plain += escape;
            } else if (escape == 'x') {
                const auto byte = parseHexBytes(text.substr(i + 1, 2));
                if (!byte || byte->empty()) return bad("\\x needs two hex digits");
                plain += static_cast<char>(byte->front());
                i += 2;
            } else {
                return bad("unknown escape in text");
            }
        }
        return bad("text without a closing quote");
    }

    /// LABEL, LABEL.size or LABEL.end, then + or - a number.
    Result<void> resolve(const Reference& reference) {
        line_ = reference.line;
        const std::string_view whole = reference.expression;
        const std::size_t sign = whole.find_first_of("+-");
        std::string_view name = trim(whole.substr(0, sign));
        enum class Part { begin, size, end } part = Part::begin;
        if (name.ends_with(".size")) {
            part = Part::size;
            name.remove_suffix(5);
        } else if (name.ends_with(".end")) {
            part = Part::end;
            name.remove_suffix(4);
        }
        const auto label = labels_.find(name);
        if (label == labels_.end())
            return bad(fmt::format("no piece is labelled '{}'", printable(name)));
        const Range range = label->second;
        std::uint64_t number = part == Part::begin  ? range.begin()
                               : part == Part::size ? range.size()
                                                    : range.end();
        if (sign != std::string_view::npos) {
            const auto operand = parseNumber(trim(whole.substr(sign + 1)));
            if (!operand) return bad("expected a number behind + or -");
            number = whole[sign] == '+' ? number + *operand : number - *operand;
        }
        std::vector<std::byte> raw;
        appendInteger(raw, number);
        raw.resize(reference.size);
        // The structure has been placed, so its bytes are there.
        std::ranges::copy(raw, out_.begin() + static_cast<std::ptrdiff_t>(reference.offset));
        return {};
    }

    std::string_view text_;
    std::span<const StructSpec> specs_;
    std::uint64_t sizeLimit_;
    std::size_t line_ = 0;
    std::optional<std::uint64_t> fileSize_;
    std::vector<std::byte> out_;
    std::map<std::string_view, Range> labels_;
    std::vector<Reference> references_;
};

}  // namespace

Result<std::vector<std::byte>> buildFromText(std::string_view text,
                                             std::span<const StructSpec> specs,
                                             std::uint64_t sizeLimit) {
    return Builder(text, specs, sizeLimit).build();
}

}  // namespace icecore
