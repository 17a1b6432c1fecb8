#include "bytes/new_file_posix.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <random>

#include "base/text.h"
#include "bytes/folder.h"

namespace icecore {

namespace {

Result<void> renameTo(const std::filesystem::path& temporary, const std::filesystem::path& path,
                      bool overwrite) {
    const std::string name = path.string();
    if (overwrite) {
        if (::rename(temporary.c_str(), path.c_str()) == 0) return {};
        return failErrno(errno, "cannot rename", name);
    }
    // link fails when the name was taken meanwhile; rename would replace it silently.
    if (::link(temporary.c_str(), path.c_str()) == 0) {
        ::unlink(temporary.c_str());
        return {};
    }
    if (errno == EEXIST) return fail(Errc::exists, "already exists", name);
    // File systems without hard links (FAT, some network mounts).
    if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0)
        return {};
    if (errno == EEXIST) return fail(Errc::exists, "already exists", name);
    // Some do not know the flag either: what took hours is not lost for that.
    struct stat status{};
    const bool unknown = errno == EINVAL || errno == ENOSYS;
    if (unknown && ::lstat(path.c_str(), &status) == 0)
        return fail(Errc::exists, "already exists", name);
    if (unknown && ::rename(temporary.c_str(), path.c_str()) == 0) return {};
    return failErrno(errno, "cannot rename", name);
}

}  // namespace

Result<void> canBeReplaced(const std::filesystem::path& path, const struct stat& status) {
    if (S_ISDIR(status.st_mode)) return fail(Errc::exists, "is a directory", path.string());
    if (S_ISREG(status.st_mode) || S_ISLNK(status.st_mode)) return {};
    return fail(Errc::exists, "is there and is no file", path.string());
}

std::filesystem::path hiddenBeside(const std::filesystem::path& path, std::string_view ending) {
    std::random_device random;
    return folderOf(path) /
           ("." + path.filename().string() + "." + hexDigits(random(), 8) + std::string(ending));
}

Result<TemporaryFile> createTemporary(const std::filesystem::path& path) {
    for (int attempt = 0; attempt < 16; ++attempt) {
        std::filesystem::path temporary = hiddenBeside(path, ".tmp");
        Descriptor file(
            ::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (file.valid()) return TemporaryFile{std::move(file), std::move(temporary)};
        if (errno != EEXIST) return failErrno(errno, "cannot create", path.string());
    }
    return fail(Errc::exists, "cannot find a free temporary name", path.string());
}

Result<void> giveName(const std::filesystem::path& temporary, const std::filesystem::path& path,
                      bool overwrite) {
    TRY(renameTo(temporary, path, overwrite));
    const Descriptor folder(::open(folderOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.valid()) (void)::fsync(folder.get());  // some file systems refuse; harmless
    return {};
}

}  // namespace icecore
