// Connections that outputs go over.
#pragma once

#include <string>

#include "base/error.h"
#include "bytes/descriptor_posix.h"

namespace icecore::app {

struct Connection {
    Descriptor socket;
    std::string host;  ///< as it was given, without brackets
};

/// Connects to "SCHEME://HOST:PORT", whatever the scheme; HOST may be an IPv6 address in brackets.
Result<Connection> connectTo(const std::string& target);

}  // namespace icecore::app
