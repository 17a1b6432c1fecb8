#include "live/linux/backing_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "live/linux/proc.h"

namespace icecore::live {

namespace {

/// `identity`: the path alone does not say which file it is, so device and inode must agree.
std::shared_ptr<const BackingFile> openRegular(const std::string& path, const Region& region,
                                               bool identity) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return nullptr;
    if (identity && (status.st_dev != region.device || status.st_ino != region.inode))
        return nullptr;
    constexpr int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    Descriptor file(::open(path.c_str(), flags | O_NOATIME));
    if (!file.valid()) file = Descriptor(::open(path.c_str(), flags));
    if (!file.valid()) return nullptr;
    struct stat opened{};
    if (::fstat(file.get(), &opened) != 0 || opened.st_dev != status.st_dev ||
        opened.st_ino != status.st_ino)
        return nullptr;
    auto backing = std::make_shared<BackingFile>();
    backing->size = static_cast<std::uint64_t>(opened.st_size);
    const off_t data = ::lseek(file.get(), 0, SEEK_DATA);
    backing->tellsHoles = data >= 0 || errno == ENXIO;
    backing->file = std::move(file);
    return backing;
}

}  // namespace

std::shared_ptr<const BackingFile> BackingFiles::find(const Region& region) const {
    const auto name = fmt::format("map_files/{:x}-{:x}", region.range.begin(), region.range.end());
    if (auto file = openRegular(procPath(process_, name), region, false)) return file;
    const std::string descriptors = procPath(process_, "fd");
    for (const std::uint64_t number : numbersIn(descriptors)) {
        if (auto file = openRegular(fmt::format("{}/{}", descriptors, number), region, true))
            return file;
    }
    if (!region.name.starts_with('/')) return nullptr;
    return openRegular(procPath(process_, "root") + region.name, region, true);
}

std::shared_ptr<const BackingFile> BackingFiles::open(const Region& region) {
    const std::lock_guard lock(mutex_);
    const std::pair key{region.device, region.inode};
    if (const auto known = open_.find(key); known != open_.end()) return known->second;
    // Those in use stay open through their users.
    if (open_.size() >= limit) open_.clear();
    return open_[key] = find(region);
}

}  // namespace icecore::live
