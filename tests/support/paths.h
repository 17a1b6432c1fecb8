// Where the tests find the program and its victims.
#pragma once

#include <string>
#include <string_view>

namespace icecore::tests {

/// The `icecore` program of the same build; the environment variable ICECORE_PROGRAM names another
/// one, e.g. an installed one.
std::string program();

/// The victim program built from tests/targets/`name`.c or .cpp ("crasher", "arm64/spin").
std::string target(std::string_view name);

/// A file of the source tree, by its path from the root ("tests/data/small.core").
std::string sourceFile(std::string_view path);

}  // namespace icecore::tests
