// Victims, and `icecore dump` of them as a user would run it.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "kit/run.h"
#include "support/victim.h"

namespace icecore::bench {

/// Waits for the victim's first line, "ready …"; returns what stands behind that word.
Result<std::string> ready(tests::Victim& victim);

/// Sends a line, returns the line that answers it; empty when the victim is gone.
std::string ask(tests::Victim& victim, std::string_view line);

struct DumpResult {
    Run cost;
    std::string snapshot;     ///< "clone" or "stop"
    double pauseSeconds = 0;  ///< as icecore says it
};

/// Dumps to `path`, replacing what is there. An error tells what icecore said.
Result<DumpResult> dump(const tests::Victim& victim, const std::string& path,
                        const std::vector<std::string>& options);

}  // namespace icecore::bench
