// What the dynamic linker loads and unloads, by the record it keeps for debuggers (<link.h>,
// struct r_debug): it calls an empty function whenever that list is about to change or has changed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "images/link_map.h"
#include "live/traced_process.h"

namespace icecore::monitor {

class LoaderWatch {
public:
    /// Looks at the process as it is now; what it has loaded counts as known. `fresh`: it has just
    /// begun (exec), and everything is still to be loaded.
    LoaderWatch(const live::TracedProcess& process, bool fresh);

    /// Where to stop; 0 in a static program.
    [[nodiscard]] std::uint64_t breakpoint() const { return breakpoint_; }
    [[nodiscard]] const std::vector<LoadedObject>& objects() const { return objects_; }

    struct Change {
        std::vector<LoadedObject> loaded, unloaded;
    };
    /// At a stop: what has changed since. Nothing while the list is being changed.
    std::optional<Change> changes(const live::TracedProcess& process);

private:
    std::uint64_t breakpoint_ = 0, record_ = 0;
    std::vector<LoadedObject> objects_;
};

}  // namespace icecore::monitor
