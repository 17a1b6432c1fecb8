// Starting a program that is to be watched from its first instruction on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"

namespace icecore::live {

/// A child process that waits to become the program. Should this be destroyed before `start`, it
/// ends; afterwards it lives its own life.
class LaunchedProcess {
public:
    virtual ~LaunchedProcess() = default;
    [[nodiscard]] virtual std::uint64_t pid() const = 0;
    /// Lets it become the program. Errors: why that cannot be run (no such file, no permission…).
    virtual Result<void> start() = 0;
};

/// `arguments`: the program first, looked for in PATH. It runs as the user that we run as, in our
/// directory and environment, in a session of its own: a Ctrl-C that is meant for us is not meant
/// for it.
Result<std::unique_ptr<LaunchedProcess>> launch(const std::vector<std::string>& arguments);

}  // namespace icecore::live
