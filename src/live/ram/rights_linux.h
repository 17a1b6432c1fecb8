// What this process may do with the kernel's memory, and what would let it do more.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "live/ram/ram_source.h"

namespace icecore::ram {

/// How far the kernel is locked down (security/lockdown/lockdown.c): each level closes what the one
/// before does, too.
enum class Lockdown : std::uint8_t {
    none,
    integrity,        ///< closes /dev/mem
    confidentiality,  ///< closes /proc/kcore as well
};

struct Rights {
    bool root = false;  ///< by its effective user, in whatever user namespace
    /// Effective ones, a bit each (linux/capability.h); nothing where /proc is not there to tell.
    std::optional<std::uint64_t> capabilities;
    /// In a user namespace below the machine's own: capabilities count within it only, which is not
    /// where the kernel asks for them.
    bool nested = false;
    /// As the kernel tells (securityfs), or as its command line had it, where that is not mounted:
    /// it may have been raised since, and never lowered. Nothing where neither says a word.
    std::optional<Lockdown> lockdown;
    bool lockdownTold = false;  ///< by securityfs, so that it is so now
    bool container = false;     ///< by what containers leave lying about, or hide
};
Rights rightsHere(const Paths& paths);

/// The error of a file of the kernel's that could not be opened for `error` (errno), with each
/// reason that there is. `closes`: the level of lockdown that closes it, if one does.
std::unexpected<Error> failClosed(int error, const std::string& path, const Rights& rights,
                                  std::optional<Lockdown> closes);

/// Whether something else is mounted over /proc/kcore, as containers do it: it is no file then, but
/// /dev/null.
bool isHidden(const std::string& kcore);

/// What would help against what went wrong with the sources that were tried; one sentence, or
/// nothing.
std::string helpAgainst(const std::vector<Attempt>& attempts, const Rights& rights);

}  // namespace icecore::ram
