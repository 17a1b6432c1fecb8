// Lines of named fields: the text inside icecore's own notes (docs/formats.md).
//     id=17<TAB>name=worker 3<TAB>stack=0x7f00-0x8000<NEWLINE>
// Control characters and '%' in a value stand as %XX.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/range.h"

namespace icecore::elfcore {

class RecordWriter {
public:
    RecordWriter& text(std::string_view key, std::string_view value);
    /// Leaves the field out when the value is empty.
    RecordWriter& textIfAny(std::string_view key, std::string_view value);
    RecordWriter& number(std::string_view key, std::int64_t value);
    RecordWriter& address(std::string_view key, std::uint64_t value);
    RecordWriter& range(std::string_view key, Range value);
    void endRecord();
    [[nodiscard]] std::string take() { return std::move(out_); }

private:
    void startField(std::string_view key);
    std::string out_;
    bool inRecord_ = false;
};

/// One line; views into the text it was read from.
class Record {
public:
    explicit Record(std::string_view line);
    [[nodiscard]] bool has(std::string_view key) const { return raw(key).has_value(); }
    /// Empty when there is no such field.
    [[nodiscard]] std::string text(std::string_view key) const;
    [[nodiscard]] std::optional<std::int64_t> number(std::string_view key) const;
    [[nodiscard]] std::optional<std::uint64_t> address(std::string_view key) const;
    [[nodiscard]] std::optional<Range> range(std::string_view key) const;

private:
    [[nodiscard]] std::optional<std::string_view> raw(std::string_view key) const;
    std::vector<std::pair<std::string_view, std::string_view>> fields_;
};

/// Calls `use(record)` for every line that is not empty.
template <class Use>
void forEachRecord(std::string_view text, Use use) {
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        if (!line.empty()) use(Record(line));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
}

}  // namespace icecore::elfcore
