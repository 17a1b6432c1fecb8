#include <array>

#include "live/ram/local_sources_linux.h"
#include "live/ram/qemu_source_posix.h"
#include "live/ram/ram_source.h"
#include "live/ram/rights_linux.h"

namespace icecore::ram {

namespace {

constexpr std::string_view guestPrefix = "qmp:";

struct Local {
    std::string_view name;
    Result<RamSource> (*open)(const Paths& paths);
};
/// In this order: kcore reads without tripping over memory of devices and has all pages; the crash
/// driver is there only where somebody loaded it; /dev/mem ends at 1 MiB on most kernels.
constexpr std::array locals = {Local{"kcore", openKcore}, Local{"crash", openCrash},
                               Local{"mem", openMem}};

}  // namespace

Result<RamSource> openRam(std::string_view which, const RamOptions& options,
                          std::vector<Attempt>& attempts) {
    if (which.starts_with(guestPrefix))
        return openGuest(std::string(which.substr(guestPrefix.size())), options.live);
    const bool any = which == "auto";
    for (const Local& local : locals) {
        if (!any && which != local.name) continue;
        auto source = local.open(options.paths);
        if (source) return source;
        attempts.push_back({std::string(local.name), source.error()});
    }
    if (which.empty()) return fail(Errc::usage, "no source is named");
    if (attempts.empty()) return openFile(std::string(which), options.holes);
    // Who asked for one knows which it is.
    std::string text = any ? "no source of this machine's memory can be read" : "";
    for (const Attempt& attempt : attempts) {
        if (any) text += (&attempt == &attempts.front() ? ": " : "; ") + attempt.source + ": ";
        text += attempt.error.describe();
    }
    if (const std::string help = helpAgainst(attempts, rightsHere(options.paths)); !help.empty())
        text += ". What would help: " + help;
    return fail(Errc::unreadable, text);
}

}  // namespace icecore::ram
