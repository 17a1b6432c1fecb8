#include "live/ram/rights_linux.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>

#include "base/text.h"

namespace icecore::ram {

namespace {

constexpr std::uint64_t readsAnyFile = (std::uint64_t{1} << CAP_DAC_OVERRIDE) |
                                       (std::uint64_t{1} << CAP_DAC_READ_SEARCH),
                        rawIo = std::uint64_t{1} << CAP_SYS_RAWIO,
                        administrator = std::uint64_t{1} << CAP_SYS_ADMIN;

/// The machine's own user namespace has had this number since there are any (PROC_USER_INIT_INO in
/// Linux' include/linux/proc_ns.h).
constexpr std::string_view ownNamespace = "user:[4026531837]";

constexpr std::array<std::pair<Lockdown, std::string_view>, 3> lockdownNames = {
    {{Lockdown::none, "none"},
     {Lockdown::integrity, "integrity"},
     {Lockdown::confidentiality, "confidentiality"}}};

std::string_view nameOf(Lockdown level) {
    return std::ranges::find(lockdownNames, level, [](const auto& pair) { return pair.first; })
        ->second;
}

std::string firstLine(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

/// The value of a line "NAME:\tVALUE" of /proc/PID/status.
std::string statusLine(const std::string& path, std::string_view name) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == ':')
            return std::string(trim(std::string_view(line).substr(name.size() + 1)));
    }
    return {};
}

/// The level in brackets: "none [integrity] confidentiality".
std::optional<Lockdown> toldLockdown(const std::string& path) {
    const std::string line = firstLine(path);
    for (const auto& [level, name] : lockdownNames) {
        if (line.find("[" + std::string(name) + "]") != std::string::npos) return level;
    }
    return std::nullopt;
}

/// The highest level that the command line asks for; that it asks for none says nothing, as Secure
/// Boot may, too.
std::optional<Lockdown> bootedLockdown(const std::string& path) {
    constexpr std::string_view parameter = "lockdown=";
    std::optional<Lockdown> highest;
    const std::string line = firstLine(path);
    for (const std::string_view word : splitBlanks(line)) {
        if (!word.starts_with(parameter)) continue;
        for (const auto& [level, name] : lockdownNames) {
            if (level != Lockdown::none && word.substr(parameter.size()) == name)
                highest = std::max(highest.value_or(level), level);
        }
    }
    return highest;
}

bool isThere(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

bool lacks(const Rights& rights, std::uint64_t all) {
    return rights.capabilities && (*rights.capabilities & all) == 0;
}

constexpr std::string_view unlocked =
    "boot without lockdown (no lockdown= for the kernel, Secure Boot off), or take the memory from "
    "outside the machine (qmp:SOCKET)";
constexpr std::string_view perhapsUnlocked =
    "see whether the kernel is locked down (mount -t securityfs securityfs /sys/kernel/security), "
    "and if it is, boot without lockdown or take the memory from outside the machine (qmp:SOCKET)";

std::string_view helpWithRights(const std::vector<Attempt>& attempts, const Rights& rights) {
    // More rights would open nothing then.
    if (rights.lockdown == Lockdown::confidentiality) return unlocked;
    const auto isClosed = [](const Attempt& attempt) {
        return attempt.error.code == Errc::permission;
    };
    if (std::ranges::none_of(attempts, isClosed)) return {};
    const bool integrity = rights.lockdown == Lockdown::integrity;
    if (integrity && attempts.size() == 1 && attempts.front().source == "mem")
        return "/proc/kcore is open to root (--source kcore)";
    if (rights.nested) return "run it as root of the machine, outside of the user namespace";
    if (lacks(rights, rawIo)) {
        if (!rights.root) return "run it as root";
        return rights.container ? "start the container with --privileged" : "give it CAP_SYS_RAWIO";
    }
    if (lacks(rights, administrator))
        return "give it CAP_SYS_ADMIN, without which /proc/iomem hides its addresses";
    if (!rights.lockdownTold) return perhapsUnlocked;
    return integrity && !isClosed(attempts.front()) ? unlocked : std::string_view();
}

}  // namespace

bool isHidden(const std::string& kcore) {
    struct stat status{};
    return ::stat(kcore.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

Rights rightsHere(const Paths& paths) {
    Rights rights;
    rights.root = ::geteuid() == 0;
    rights.capabilities = parseHex(statusLine(paths.status, "CapEff"));
    std::array<char, 64> name{};
    const ssize_t size = ::readlink(paths.userNamespace.c_str(), name.data(), name.size());
    rights.nested =
        size > 0 && std::string_view(name.data(), static_cast<std::size_t>(size)) != ownNamespace;
    rights.lockdown = toldLockdown(paths.lockdown);
    rights.lockdownTold = rights.lockdown.has_value();
    if (!rights.lockdown) rights.lockdown = bootedLockdown(paths.commandLine);
    rights.container = std::ranges::any_of(paths.containerMarks, isThere) || isHidden(paths.kcore);
    return rights;
}

std::unexpected<Error> failClosed(int error, const std::string& path, const Rights& rights,
                                  std::optional<Lockdown> closes) {
    auto failure = failErrno(error, "cannot be opened", path);
    if (error != EPERM && error != EACCES) return failure;
    std::string why;
    const auto add = [&why](std::string_view reason) {
        why += (why.empty() ? ": " : ", and ") + std::string(reason);
    };
    // In the order in which the kernel asks.
    if (rights.nested)
        add("this process is in a user namespace, whose rights do not count here");
    else if (lacks(rights, rawIo))
        add(rights.root ? "this process lacks CAP_SYS_RAWIO"
                        : "this process is not root (it lacks CAP_SYS_RAWIO)");
    else if (error == EACCES && lacks(rights, readsAnyFile))
        add("the file is root's, and this process lacks CAP_DAC_READ_SEARCH");
    if (closes && rights.lockdown && *rights.lockdown >= *closes)
        add((rights.lockdownTold ? "the kernel is locked down for "
                                 : "the kernel was booted with lockdown=") +
            std::string(nameOf(*rights.lockdown)));
    // Nothing that is known forbids it. What the kernel's own rules refuse is EPERM.
    if (why.empty() && rights.capabilities) {
        if (error == EPERM && closes && !rights.lockdownTold)
            add("the kernel refuses it to root, as one does that is locked down for " +
                std::string(nameOf(*closes)));
        else
            add("a security module (AppArmor, SELinux) or a container's rules for devices forbid "
                "it");
    }
    failure.error().message += why;
    return failure;
}

std::string helpAgainst(const std::vector<Attempt>& attempts, const Rights& rights) {
    if (attempts.empty()) return {};
    std::string text(helpWithRights(attempts, rights));
    // kcore, or the one that was asked for.
    if (attempts.front().error.code == Errc::not_found && rights.container)
        text += std::string(text.empty() ? "" : "; ") +
                (rights.nested
                     ? "run it on the host, as its root: this container hides such files"
                     : "run it on the host or in a container with --privileged: others hide such "
                       "files");
    return text;
}

}  // namespace icecore::ram
