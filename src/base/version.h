// The version of icecore, for --version and for what a dump says of its maker.
#pragma once

#include <string_view>

namespace icecore {

inline constexpr std::string_view versionText = "0.1.0";

}  // namespace icecore
