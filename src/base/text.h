// Small text helpers: numbers as dumps' users write them, and safe printing of foreign bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace icecore {

/// "0x1f" : lower case, no padding; the form of every address in JSON.
std::string hex(std::uint64_t value);
/// Exactly `digits` lower-case hex digits, no prefix.
std::string hexDigits(std::uint64_t value, int digits);
/// "00007ff6`12345678": how WinDbg writes a 64-bit address.
std::string hexTicked(std::uint64_t value);
/// Lower-case hex of bytes, no separators (build-ids, hashes).
std::string hexBytes(std::span<const std::byte> bytes);
std::optional<std::vector<std::byte>> parseHexBytes(std::string_view text);

/// Decimal, or hex with 0x; no sign, no trailing characters, no overflow.
std::optional<std::uint64_t> parseNumber(std::string_view text);
/// Hex with or without 0x and with WinDbg's back-tick.
std::optional<std::uint64_t> parseHex(std::string_view text);
std::optional<std::uint64_t> parseDecimal(std::string_view text);

/// "12.3 MiB".
std::string humanBytes(std::uint64_t bytes);

std::string_view trim(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);
/// Fields separated by runs of blanks.
std::vector<std::string_view> splitBlanks(std::string_view text);
bool equalsIgnoreCase(std::string_view a, std::string_view b);
std::string toLower(std::string_view text);
/// `*` and `?` wildcards, as symbol and module patterns use them.
bool matchesWildcard(std::string_view text, std::string_view pattern, bool ignoreCase = true);

/// How many letters have to be added, removed, changed or swapped with their neighbour to make `b`
/// of `a`: for "did you mean". Takes time and memory by the product of the lengths.
std::size_t editDistance(std::string_view a, std::string_view b);

/// Foreign text made safe for a terminal: control characters and invalid UTF-8 become \xNN.
std::string printable(std::string_view text);
/// UTF-16LE code units to UTF-8; unpaired surrogates become U+FFFD.
std::string utf16ToUtf8(std::u16string_view text);
/// UTF-8 to UTF-16; invalid bytes become U+FFFD.
std::u16string utf8ToUtf16(std::string_view text);

}  // namespace icecore
