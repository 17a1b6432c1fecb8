#include "formats/outline.h"

#include "bytes/source.h"
#include "formats/minidump/minidump.h"

namespace icecore {

Result<std::string> outlineOf(const std::filesystem::path& path) {
    ASSIGN_OR_RETURN(auto source, openSource(path));
    if (minidump::probe(*source)) return minidump::outline(std::move(source));
    return fail(Errc::unsupported,
                "only minidumps have streams to list; `icecore describe FILE` shows the parts of "
                "other dumps",
                path.string());
}

}  // namespace icecore
