// Lines for a terminal: wrapped, shortened, coloured, and safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace icecore {

enum class Ink : std::uint8_t { plain, strong, heading, faint, good, bad };

/// Collects text. Everything that is passed in may come from a dump: control characters are made
/// visible. A width of 0 neither wraps nor shortens.
class TextWriter {
public:
    TextWriter(bool color, std::size_t width) : color_(color), width_(width) {}

    /// Wrapped at the width.
    void paragraph(std::string_view text, Ink ink = Ink::plain);
    /// "Label          text", wrapped under the text.
    void fact(std::string_view label, std::string_view text);
    /// "  - text", wrapped under the text; `indent` columns before the dash.
    void item(std::string_view text, std::size_t indent, Ink ink = Ink::plain);
    /// One line, cut at the width.
    void line(std::string_view text, Ink ink = Ink::plain);
    /// One frame of a stack: index, function, then place and mark. Where it is too long the source
    /// path loses its beginning first, then goes to a line of its own.
    void frame(std::string_view index, std::string_view function, std::string_view source,
               std::string_view mark, Ink ink);
    void blank() { text_ += '\n'; }
    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    void put(std::string_view safe, Ink ink);
    void wrapped(std::string_view first, std::size_t indent, std::string_view text, Ink ink);

    bool color_;
    std::size_t width_;
    std::string text_;
};

/// Columns that UTF-8 text takes, one per code point.
std::size_t columnsOf(std::string_view text);

}  // namespace icecore
