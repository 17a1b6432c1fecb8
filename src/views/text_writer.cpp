#include "views/text_writer.h"

#include <algorithm>

#include "base/text.h"

namespace icecore {

namespace {

std::string_view codeOf(Ink ink) {
    switch (ink) {
    case Ink::plain: return "";
    case Ink::strong: return "\x1b[1m";
    case Ink::heading: return "\x1b[1;36m";
    case Ink::faint: return "\x1b[2m";
    case Ink::good: return "\x1b[1;32m";
    case Ink::bad: return "\x1b[1;31m";
    }
    return "";
}

bool isContinuation(char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) == 0x80;
}

/// The first `columns` code points.
std::string_view firstColumns(std::string_view text, std::size_t columns) {
    std::size_t at = 0;
    while (at < text.size() && columns > 0) {
        ++at;
        while (at < text.size() && isContinuation(text[at]))
            ++at;
        --columns;
    }
    return text.substr(0, at);
}

/// The last `columns` code points.
std::string_view lastColumns(std::string_view text, std::size_t columns) {
    const std::size_t all = columnsOf(text);
    return columns >= all ? text : text.substr(firstColumns(text, all - columns).size());
}

}  // namespace

std::size_t columnsOf(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return !isContinuation(c); }));
}

void TextWriter::put(std::string_view safe, Ink ink) {
    const std::string_view code = color_ ? codeOf(ink) : std::string_view();
    text_ += code;
    text_ += safe;
    if (!code.empty()) text_ += "\x1b[0m";
}

void TextWriter::wrapped(std::string_view first, std::size_t indent, std::string_view text,
                         Ink ink) {
    const std::string safe = printable(text);
    const std::size_t room =
        width_ == 0 ? SIZE_MAX : std::max<std::size_t>(width_ - std::min(width_, indent), 20);
    std::string_view rest = safe;
    text_ += first;
    for (bool begin = true; begin || !rest.empty(); begin = false) {
        if (!begin) text_ += std::string(indent, ' ');
        std::string_view piece = firstColumns(rest, room);
        if (piece.size() < rest.size()) {
            const std::size_t blank = piece.rfind(' ');
            if (blank != std::string_view::npos && blank > 0) piece = piece.substr(0, blank);
        }
        put(piece, ink);
        text_ += '\n';
        rest.remove_prefix(piece.size());
        while (!rest.empty() && rest.front() == ' ')
            rest.remove_prefix(1);
    }
}

void TextWriter::paragraph(std::string_view text, Ink ink) {
    wrapped("", 0, text, ink);
}

void TextWriter::fact(std::string_view label, std::string_view text) {
    constexpr std::size_t column = 15;
    std::string first(label);
    first.resize(std::max(column, first.size() + 1), ' ');
    wrapped(first, column, text, Ink::plain);
}

void TextWriter::item(std::string_view text, std::size_t indent, Ink ink) {
    wrapped(std::string(indent, ' ') + "- ", indent + 2, text, ink);
}

void TextWriter::line(std::string_view text, Ink ink) {
    const std::string safe = printable(text);
    put(width_ == 0 ? std::string_view(safe) : firstColumns(safe, width_), ink);
    text_ += '\n';
}

void TextWriter::frame(std::string_view index, std::string_view function, std::string_view source,
                       std::string_view mark, Ink ink) {
    const std::string name = printable(function);
    std::string place = printable(source);
    const std::size_t before = columnsOf(index) + 1 + columnsOf(name);
    const std::size_t after = mark.empty() ? 0 : columnsOf(mark) + 1;
    bool ownLine = false;
    if (width_ != 0 && !place.empty() && before + 2 + columnsOf(place) + after > width_) {
        constexpr std::size_t worthShowing = 24;
        const std::size_t used = before + 3 + after;
        if (used + worthShowing <= width_) {
            place = "…" + std::string(lastColumns(place, width_ - used));
        } else {
            ownLine = true;
        }
    }
    text_ += index;
    text_ += ' ';
    put(name, ink);
    if (ownLine) {
        if (!mark.empty()) {
            text_ += ' ';
            put(mark, Ink::faint);
        }
        text_ += '\n' + std::string(columnsOf(index) + 3, ' ');
        put(place, Ink::faint);
    } else {
        if (!place.empty()) {
            text_ += "  ";
            put(place, Ink::faint);
        }
        if (!mark.empty()) {
            text_ += ' ';
            put(mark, Ink::faint);
        }
    }
    text_ += '\n';
}

}  // namespace icecore
