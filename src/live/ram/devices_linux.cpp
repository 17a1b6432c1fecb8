#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "base/text.h"
#include "live/ram/iomem.h"
#include "live/ram/local_sources_linux.h"
#include "live/ram/offset_memory_linux.h"
#include "live/ram/rights_linux.h"

namespace icecore::ram {

namespace {

struct PhysicalDevice {
    std::string_view name;
    std::string path;
    std::string_view absent;           ///< what it means that it is not there
    std::string_view closed;           ///< what it means that memory in the middle cannot be read
    std::optional<Lockdown> lockdown;  ///< at which the kernel does not open it
};

/// Physical addresses as offsets. The crash driver serves a page at a time.
Result<RamSource> openPhysical(const PhysicalDevice& device, const Paths& paths) {
    const std::string& path = device.path;
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    const int error = file.valid() ? 0 : errno;
    if (error == ENOENT)
        return fail(Errc::not_found, "is not there: " + std::string(device.absent), path);
    if (error != 0) return failClosed(error, path, rightsHere(paths), device.lockdown);
    ASSIGN_OR_RETURN(const std::vector<Range> ram, systemRam(paths.iomem));
    RangeMap<std::uint64_t> map;
    for (const Range& range : ram)
        map.add(range, range.begin());
    const Range largest = *std::ranges::max_element(ram, {}, &Range::size);
    RamSource source;
    source.name = device.name;
    source.description = path + ", where " + paths.iomem + " has RAM";
    source.memory = std::make_shared<OffsetMemory>(std::move(file), path, std::move(map));
    const std::uint64_t middle = alignDown(largest.begin() + largest.size() / 2, 4096);
    std::byte page[4096];
    if (source.memory->read(middle, page).bytes == 0)
        return fail(Errc::unreadable,
                    std::string(device.closed) + ": " + source.memory->explain(middle),
                    path + " at " + hex(middle));
    source.system = thisSystem();
    return source;
}

/// Why something that is no file or device cannot be a source; empty for these.
std::string_view unusable(mode_t mode) {
    if (S_ISDIR(mode)) return "is a directory: give a file or device that holds memory";
    if (S_ISFIFO(mode))
        return "is a pipe, which cannot be read at any place: give a file or device";
    if (S_ISSOCK(mode))
        return "is a socket: if it is the monitor of a guest of QEMU, give qmp:SOCKET";
    return {};
}

}  // namespace

Result<RamSource> openCrash(const Paths& paths) {
    return openPhysical(
        {"crash", paths.crash, "the driver of Red Hat's crash is not loaded (modprobe crash)",
         "the driver gives no memory", std::nullopt},
        paths);
}

Result<RamSource> openMem(const Paths& paths) {
    return openPhysical(
        {"mem", paths.mem, "the kernel was built without it (CONFIG_DEVMEM), or it is hidden",
         "most kernels close it behind its first megabyte (CONFIG_STRICT_DEVMEM)",
         Lockdown::integrity},
        paths);
}

Result<RamSource> openFile(const std::string& path, const std::vector<Range>& holes) {
    struct stat status{};
    // Before it is opened, which a socket cannot be and which does things to some devices.
    if (::stat(path.c_str(), &status) != 0) return failErrno(errno, "cannot be opened", path);
    if (const std::string_view problem = unusable(status.st_mode); !problem.empty())
        return fail(Errc::unsupported, std::string(problem), path);
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file.valid()) return failErrno(errno, "cannot be opened", path);
    const off_t end = S_ISREG(status.st_mode) ? status.st_size : ::lseek(file.get(), 0, SEEK_END);
    if (end < 0 || (end == 0 && S_ISCHR(status.st_mode)))
        return fail(Errc::unsupported, "is a device that does not tell how large it is", path);
    if (end == 0) return fail(Errc::unsupported, "is empty", path);
    RangeSet left;
    left.add(Range::ofSize(0, std::uint64_t{1} << 52));
    for (const Range& hole : holes)
        left.subtract(hole);
    RangeMap<std::uint64_t> map;
    std::uint64_t offset = 0;
    for (const Range& range : left.ranges()) {
        const Range part = Range::ofSize(
            range.begin(), std::min(range.size(), static_cast<std::uint64_t>(end) - offset));
        map.add(part, offset);
        offset += part.size();
    }
    RamSource source;
    source.name = path;
    source.description = path + ", as physical memory from address 0 on";
    source.memory = std::make_shared<OffsetMemory>(std::move(file), path, std::move(map));
    source.consistency = Consistency::unknown;
    return source;
}

SystemInfo thisSystem() {
    SystemInfo system;
    utsname names{};
    if (::uname(&names) != 0) return system;
    system.os = Os::linux_os;
    system.version = names.release;
    system.hostName = names.nodename;
    const std::string_view machine = names.machine;
    system.arch = machine == "x86_64"    ? Arch::x86_64
                  : machine == "aarch64" ? Arch::arm64
                                         : Arch::unknown;
    system.cpuCount = std::max(1U, std::thread::hardware_concurrency());
    return system;
}

}  // namespace icecore::ram
