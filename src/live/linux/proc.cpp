#include "live/linux/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>

#include "base/text.h"
#include "bytes/descriptor_posix.h"
#include "model/linux_maps.h"

namespace icecore::live {

std::uint64_t pageSize() {
    static const auto size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

std::string procPath(pid_t process, std::string_view name) {
    return fmt::format("/proc/{}/{}", process, name);
}

std::string taskPath(pid_t process, pid_t thread, std::string_view name) {
    return fmt::format("/proc/{}/task/{}/{}", process, thread, name);
}

Result<std::string> readProc(const std::string& path, std::size_t limit) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!file.valid()) return failErrno(errno, "cannot open", path);
    std::string text;
    std::size_t used = 0;
    // Large reads: the kernel walks a long list (maps) anew for each.
    text.resize(std::min<std::size_t>(limit, 4096));
    while (used < limit) {
        if (used == text.size()) text.resize(std::min(limit, text.size() * 4));
        const ssize_t got = ::read(file.get(), text.data() + used, text.size() - used);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failErrno(errno, "cannot read", path);
        if (got == 0) break;
        used += static_cast<std::size_t>(got);
    }
    text.resize(used);
    return text;
}

std::string readProcOrEmpty(const std::string& path) {
    return readProc(path).value_or("");
}

std::string readLink(const std::string& path) {
    std::string target(PATH_MAX, '\0');
    const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
    target.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return target;
}

std::string_view programName(std::string_view executable) {
    const std::string_view path = withoutDeletedMark(executable);
    return path.substr(path.rfind('/') + 1);
}

std::vector<std::uint64_t> numbersIn(const std::string& directory) {
    std::vector<std::uint64_t> numbers;
    const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), ::closedir);
    if (open == nullptr) return numbers;
    while (const dirent* entry = ::readdir(open.get())) {
        if (const auto number = parseDecimal(entry->d_name)) numbers.push_back(*number);
    }
    std::ranges::sort(numbers);
    return numbers;
}

std::vector<std::string> splitNul(std::string_view text) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\0'), text.size());
        parts.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return parts;
}

std::optional<ProcStat> parseStat(std::string_view text) {
    // The name may hold blanks and parentheses: it ends at the last one.
    const std::size_t open = text.find('(');
    const std::size_t close = text.rfind(')');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open)
        return std::nullopt;
    const auto fields = splitBlanks(trim(text.substr(close + 1)));  // from field 3 on
    if (fields.size() < 20) return std::nullopt;
    const auto number = [&](std::size_t field) {
        std::int64_t value = 0;
        if (field - 3 >= fields.size()) return value;
        const std::string_view digits = fields[field - 3];
        std::from_chars(digits.data(), digits.data() + digits.size(), value);
        return value;
    };
    ProcStat stat;
    stat.name = text.substr(open + 1, close - open - 1);
    stat.state = fields[0].empty() ? '\0' : fields[0][0];
    stat.parent = static_cast<pid_t>(number(4));
    stat.processGroup = static_cast<std::int32_t>(number(5));
    stat.session = static_cast<std::int32_t>(number(6));
    stat.flags = static_cast<std::uint64_t>(number(9));
    stat.faults = static_cast<std::uint64_t>(number(10)) + static_cast<std::uint64_t>(number(12));
    stat.userTicks = static_cast<std::uint64_t>(number(14));
    stat.kernelTicks = static_cast<std::uint64_t>(number(15));
    stat.nice = static_cast<std::int32_t>(number(19));
    stat.startTicks = static_cast<std::uint64_t>(number(22));
    stat.exitSignal = static_cast<std::int32_t>(number(38));
    return stat;
}

std::string_view statusField(std::string_view status, std::string_view key) {
    while (!status.empty()) {
        const std::size_t end = std::min(status.find('\n'), status.size());
        const std::string_view line = status.substr(0, end);
        if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ':')
            return trim(line.substr(key.size() + 1));
        status.remove_prefix(std::min(end + 1, status.size()));
    }
    return {};
}

std::optional<std::uint64_t> statusNumber(std::string_view status, std::string_view key) {
    const auto fields = splitBlanks(statusField(status, key));
    return fields.empty() ? std::nullopt : parseDecimal(fields[0]);
}

std::uint64_t statusMask(std::string_view status, std::string_view key) {
    return parseHex(statusField(status, key)).value_or(0);
}

}  // namespace icecore::live
