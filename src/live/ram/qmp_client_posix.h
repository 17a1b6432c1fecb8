// QEMU's control protocol, as far as taking memory needs it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "bytes/descriptor_posix.h"

namespace icecore::ram {

/// A connection to QEMU's monitor. Source: QEMU's docs/interop/qmp-spec.rst and qmp-ref. Everything
/// that comes from there is bounded and checked: QEMU may be somebody else's.
class QmpClient {
public:
    /// Connects to a Unix socket and ends the negotiation. Waits at most some seconds for the
    /// greeting: a monitor serves one client at a time, and lets others wait without a word.
    static Result<QmpClient> connect(const std::string& path);

    /// Runs a command and returns what it returns; its own words where it fails. Events are passed
    /// over. A descriptor that is given goes with the command.
    Result<nlohmann::json> run(const nlohmann::json& command, int descriptor = -1);
    Result<nlohmann::json> run(const char* name) { return run(nlohmann::json{{"execute", name}}); }
    /// Sends without waiting; `answer` waits.
    Result<void> send(const nlohmann::json& command, int descriptor = -1);
    Result<nlohmann::json> answer(int timeoutSeconds = -1);

private:
    QmpClient(Descriptor socket, std::string name)
        : socket_(std::move(socket)), name_(std::move(name)) {}
    Result<std::string> line(int timeoutSeconds);

    Descriptor socket_;
    std::string name_, text_;
};

}  // namespace icecore::ram
