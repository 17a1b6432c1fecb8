#include "formats/elfcore/records.h"

#include <charconv>

#include "base/text.h"

namespace icecore::elfcore {

void RecordWriter::startField(std::string_view key) {
    if (inRecord_) out_ += '\t';
    inRecord_ = true;
    out_ += key;
    out_ += '=';
}

RecordWriter& RecordWriter::text(std::string_view key, std::string_view value) {
    startField(key);
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f || c == '%') {
            out_ += '%';
            out_ += hexDigits(byte, 2);
        } else {
            out_ += c;
        }
    }
    return *this;
}

RecordWriter& RecordWriter::textIfAny(std::string_view key, std::string_view value) {
    return value.empty() ? *this : text(key, value);
}

RecordWriter& RecordWriter::number(std::string_view key, std::int64_t value) {
    startField(key);
    out_ += std::to_string(value);
    return *this;
}

RecordWriter& RecordWriter::address(std::string_view key, std::uint64_t value) {
    startField(key);
    out_ += hex(value);
    return *this;
}

RecordWriter& RecordWriter::range(std::string_view key, Range value) {
    startField(key);
    out_ += hex(value.begin()) + "-" + hex(value.end());
    return *this;
}

void RecordWriter::endRecord() {
    out_ += '\n';
    inRecord_ = false;
}

Record::Record(std::string_view line) {
    for (const std::string_view field : split(line, '\t')) {
        const std::size_t equals = field.find('=');
        if (equals != std::string_view::npos)
            fields_.emplace_back(field.substr(0, equals), field.substr(equals + 1));
    }
}

std::optional<std::string_view> Record::raw(std::string_view key) const {
    for (const auto& [name, value] : fields_) {
        if (name == key) return value;
    }
    return std::nullopt;
}

std::string Record::text(std::string_view key) const {
    const auto value = raw(key);
    if (!value) return {};
    std::string plain;
    plain.reserve(value->size());
    for (std::size_t i = 0; i < value->size(); ++i) {
        if ((*value)[i] == '%') {
            if (const auto byte = parseHexBytes(value->substr(i + 1, 2));
                byte && byte->size() == 1) {
                plain += static_cast<char>((*byte)[0]);
                i += 2;
                continue;
            }
        }
        plain += (*value)[i];
    }
    return plain;
}

std::optional<std::int64_t> Record::number(std::string_view key) const {
    const auto value = raw(key);
    if (!value) return std::nullopt;
    std::int64_t result = 0;
    const auto [stop, error] =
        std::from_chars(value->data(), value->data() + value->size(), result);
    if (error != std::errc{} || stop != value->data() + value->size()) return std::nullopt;
    return result;
}

std::optional<std::uint64_t> Record::address(std::string_view key) const {
    const auto value = raw(key);
    return value ? parseNumber(*value) : std::nullopt;
}

std::optional<Range> Record::range(std::string_view key) const {
    const auto value = raw(key);
    if (!value) return std::nullopt;
    const auto parts = split(*value, '-');
    if (parts.size() != 2) return std::nullopt;
    const auto begin = parseNumber(parts[0]);
    const auto end = parseNumber(parts[1]);
    if (!begin || !end || *end < *begin) return std::nullopt;
    return Range::between(*begin, *end);
}

}  // namespace icecore::elfcore
