// Files that appear under their name only when they are whole.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <string_view>

#include "base/error.h"
#include "bytes/descriptor_posix.h"

namespace icecore {

struct TemporaryFile {
    Descriptor file;  ///< for reading and writing, mode 0600
    std::filesystem::path path;
};

/// Whether what is at `path` already is a file that a new one can take the place of: no folder, and
/// no device, which a rename would put a file in place of.
Result<void> canBeReplaced(const std::filesystem::path& path, const struct stat& status);

/// ".NAME.12345678ENDING" beside `path`, with digits that nobody can foresee.
std::filesystem::path hiddenBeside(const std::filesystem::path& path, std::string_view ending);

/// A new, hidden file beside `path`, whose name nothing else has.
Result<TemporaryFile> createTemporary(const std::filesystem::path& path);

/// Gives a file that is whole its name, and has the disk know it. `exists` where the name was taken
/// meanwhile and must not be replaced.
Result<void> giveName(const std::filesystem::path& temporary, const std::filesystem::path& path,
                      bool overwrite);

}  // namespace icecore
