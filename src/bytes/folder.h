// The folder in which a file lies.
#pragma once

#include <filesystem>

namespace icecore {

/// "." where `path` names none.
[[nodiscard]] inline std::filesystem::path folderOf(const std::filesystem::path& path) {
    return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace icecore
