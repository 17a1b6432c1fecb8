#include "app/size_word.h"

#include <cctype>

#include "base/text.h"

namespace icecore::app {

std::optional<std::uint64_t> parseSize(std::string_view text) {
    constexpr std::string_view units = "KMGT";
    unsigned shift = 0;
    if (!text.empty()) {
        const char last = static_cast<char>(std::toupper(static_cast<unsigned char>(text.back())));
        if (const std::size_t unit = units.find(last); unit != std::string_view::npos) {
            shift = 10 * (static_cast<unsigned>(unit) + 1);
            text.remove_suffix(1);
        }
    }
    const auto number = parseDecimal(text);
    if (!number || *number > (UINT64_MAX >> shift)) return std::nullopt;
    return *number << shift;
}

}  // namespace icecore::app
