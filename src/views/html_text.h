// Text inside HTML.
#pragma once

#include <string>
#include <string_view>

namespace icecore {

/// Foreign text for element content and quoted attributes: control characters made visible, and
/// `& < > " '` escaped.
std::string escapeHtml(std::string_view text);

}  // namespace icecore
