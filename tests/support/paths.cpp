#include "support/paths.h"

#include <cstdlib>

namespace icecore::tests {

std::string program() {
    const char* other = std::getenv("ICECORE_PROGRAM");
    return other != nullptr ? other : ICECORE_PROGRAM;
}

std::string target(std::string_view name) {
    return std::string(ICECORE_TARGETS_DIR "/").append(name);
}

std::string sourceFile(std::string_view path) {
    return std::string(ICECORE_SOURCE_DIR "/").append(path);
}

}  // namespace icecore::tests
