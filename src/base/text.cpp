#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace icecore {

namespace {

int hexValue(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool isBlank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::optional<std::uint64_t> parseBase(std::string_view text, int base) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty())
        return std::nullopt;
    return value;
}

/// Length of the valid UTF-8 sequence at the start of `text`, 0 when it is not valid; `codePoint`
/// receives its value. Overlong forms, surrogates and values beyond U+10FFFF are not valid.
std::size_t utf8Sequence(std::string_view text, char32_t& codePoint) {
    const auto byteAt = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byteAt(0);
    std::size_t length = 0;
    if (lead < 0x80) {
        codePoint = lead;
        return 1;
    }
    if ((lead & 0xe0) == 0xc0) {
        length = 2;
        codePoint = lead & 0x1fU;
    } else if ((lead & 0xf0) == 0xe0) {
        length = 3;
        codePoint = lead & 0x0fU;
    } else if ((lead & 0xf8) == 0xf0) {
        length = 4;
        codePoint = lead & 0x07U;
    } else {
        return 0;
    }
    if (text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byteAt(i) & 0xc0) != 0x80) return 0;
        codePoint = (codePoint << 6) | (byteAt(i) & 0x3fU);
    }
    constexpr std::array<char32_t, 5> smallest = {0, 0, 0x80, 0x800, 0x10000};
    if (codePoint < smallest[length] || codePoint > 0x10ffff) return 0;
    if (codePoint >= 0xd800 && codePoint <= 0xdfff) return 0;
    return length;
}

void appendUtf8(std::string& out, char32_t c) {
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xc0 | (c >> 6));
        out += static_cast<char>(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        out += static_cast<char>(0xe0 | (c >> 12));
        out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (c & 0x3f));
    } else {
        out += static_cast<char>(0xf0 | (c >> 18));
        out += static_cast<char>(0x80 | ((c >> 12) & 0x3f));
        out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (c & 0x3f));
    }
}

}  // namespace

std::string hex(std::uint64_t value) {
    return fmt::format("{:#x}", value);
}

std::string hexDigits(std::uint64_t value, int digits) {
    return fmt::format("{:0{}x}", value, digits);
}

std::string hexTicked(std::uint64_t value) {
    return fmt::format("{:08x}`{:08x}", value >> 32, value & 0xffffffffU);
}

std::string hexBytes(std::span<const std::byte> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const std::byte value : bytes) {
        text += digits[std::to_integer<unsigned>(value) >> 4];
        text += digits[std::to_integer<unsigned>(value) & 15];
    }
    return text;
}

std::optional<std::vector<std::byte>> parseHexBytes(std::string_view text) {
    if (text.size() % 2 != 0) return std::nullopt;
    std::vector<std::byte> bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = hexValue(text[i]);
        const int low = hexValue(text[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        bytes.push_back(static_cast<std::byte>(high * 16 + low));
    }
    return bytes;
}

std::optional<std::uint64_t> parseNumber(std::string_view text) {
    if (text.starts_with("0x") || text.starts_with("0X")) return parseBase(text.substr(2), 16);
    return parseBase(text, 10);
}

std::optional<std::uint64_t> parseHex(std::string_view text) {
    if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
    if (text.find('`') == std::string_view::npos) return parseBase(text, 16);
    std::string plain;
    std::ranges::copy_if(text, std::back_inserter(plain), [](char c) { return c != '`'; });
    return parseBase(plain, 16);
}

std::optional<std::uint64_t> parseDecimal(std::string_view text) {
    return parseBase(text, 10);
}

std::string humanBytes(std::uint64_t bytes) {
    constexpr std::array<std::string_view, 6> units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < units.size()) {
        value /= 1024;
        ++unit;
    }
    return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && isBlank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && isBlank(text.back()))
        text.remove_suffix(1);
    return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const std::size_t at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return parts;
        text.remove_prefix(at + 1);
    }
}

std::vector<std::string_view> splitBlanks(std::string_view text) {
    std::vector<std::string_view> parts;
    std::size_t position = 0;
    while (position < text.size()) {
        if (isBlank(text[position])) {
            ++position;
            continue;
        }
        std::size_t end = position;
        while (end < text.size() && !isBlank(text[end]))
            ++end;
        parts.push_back(text.substr(position, end - position));
        position = end;
    }
    return parts;
}

bool equalsIgnoreCase(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::string toLower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), lower);
    return result;
}

bool matchesWildcard(std::string_view text, std::string_view pattern, bool ignoreCase) {
    // Greedy with one point to come back to: linear in text × number of stars, never exponential.
    std::size_t t = 0;
    std::size_t p = 0;
    std::size_t star = std::string_view::npos;
    std::size_t resume = 0;
    while (t < text.size()) {
        const bool same = p < pattern.size() && pattern[p] != '*' &&
                          (pattern[p] == '?' || pattern[p] == text[t] ||
                           (ignoreCase && lower(pattern[p]) == lower(text[t])));
        if (same) {
            ++t;
            ++p;
        } else if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*')
        ++p;
    return p == pattern.size();
}

std::string printable(std::string_view text) {
    const auto plain = [](char c) { return c >= 0x20 && c < 0x7f; };
    std::string safe;
    safe.reserve(text.size());
    while (!text.empty()) {
        // Nearly all of nearly every text, and the command line prints much of it.
        const auto run = std::ranges::find_if_not(text, plain) - text.begin();
        safe += text.substr(0, static_cast<std::size_t>(run));
        text.remove_prefix(static_cast<std::size_t>(run));
        if (text.empty()) break;
        char32_t codePoint = 0;
        const std::size_t length = utf8Sequence(text, codePoint);
        const bool control = codePoint < 0x20 || (codePoint >= 0x7f && codePoint < 0xa0);
        if (length == 0 || control) {
            const std::size_t bad = std::max<std::size_t>(length, 1);
            for (std::size_t i = 0; i < bad; ++i)
                safe += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i]));
            text.remove_prefix(bad);
        } else {
            safe += text.substr(0, length);
            text.remove_prefix(length);
        }
    }
    return safe;
}

std::string utf16ToUtf8(std::u16string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char16_t unit = text[i];
        const bool high = unit >= 0xd800 && unit <= 0xdbff;
        const bool paired =
            high && i + 1 < text.size() && text[i + 1] >= 0xdc00 && text[i + 1] <= 0xdfff;
        if (paired) {
            appendUtf8(out, 0x10000U + ((static_cast<char32_t>(unit) - 0xd800U) << 10) +
                                (static_cast<char32_t>(text[i + 1]) - 0xdc00U));
            ++i;
        } else if (unit >= 0xd800 && unit <= 0xdfff) {
            appendUtf8(out, 0xfffd);
        } else {
            appendUtf8(out, unit);
        }
    }
    return out;
}

std::u16string utf8ToUtf16(std::string_view text) {
    std::u16string out;
    out.reserve(text.size());
    while (!text.empty()) {
        char32_t codePoint = 0;
        std::size_t length = utf8Sequence(text, codePoint);
        if (length == 0) {
            codePoint = 0xfffd;
            length = 1;
        }
        if (codePoint >= 0x10000) {
            out += static_cast<char16_t>(0xd800 + ((codePoint - 0x10000) >> 10));
            out += static_cast<char16_t>(0xdc00 + ((codePoint - 0x10000) & 0x3ff));
        } else {
            out += static_cast<char16_t>(codePoint);
        }
        text.remove_prefix(length);
    }
    return out;
}

std::size_t editDistance(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> cost(a.size() + 1,
                                               std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) {
        for (std::size_t j = 0; j <= b.size(); ++j) {
            if (i == 0 || j == 0) {
                cost[i][j] = i + j;
                continue;
            }
            const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
            cost[i][j] =
                std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + change});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    }
    return cost[a.size()][b.size()];
}

}  // namespace icecore
