// Where `convert` and `ram` write to.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "bytes/codec.h"
#include "bytes/sink.h"
#include "formats/format.h"

namespace icecore::app {

struct OutputOptions {
    bool overwrite = false;
    bool large = false;          ///< a file is written past the page cache
    std::uint64_t expected = 0;  ///< bytes at most, 0 unknown: checked against the free space
    std::string caCertificates;  ///< for tls: file of PEM certificates to trust, not the system's
};

/// A file, standard output for "-" (refused where that is a terminal), "tcp://HOST:PORT", or
/// "tls://HOST:PORT".
Result<std::unique_ptr<Sink>> openOutput(const std::string& target, const OutputOptions& options);

/// Whether the output is a file of its own, which can be read again and has a manifest beside it.
bool isFile(std::string_view target);

/// For openOutput: connect to "tcp://HOST:PORT" and to "tls://HOST:PORT". The latter's certificate
/// must be of that host and lead to one that is trusted: by the system, or in `caCertificates`.
Result<std::unique_ptr<Sink>> connectTcp(const std::string& target);
Result<std::unique_ptr<Sink>> connectTls(const std::string& target,
                                         const std::string& caCertificates);
/// For openOutput: waits until somebody reads from the pipe.
Result<std::unique_ptr<Sink>> openNamedPipe(const std::string& path);

/// What --compress means for `format`; nothing given: the format's own choice.
Result<std::optional<Codec>> chooseCodec(const Format& format, std::string_view given);

/// --no-block-hashes: what it is, and whether `format` knows it, where it was given.
inline constexpr const char* noBlockHashesHelp =
    "for aff4: no SHA-256 of each block in the image itself, which takes half as long as that of "
    "the file";
Result<void> canLeaveOutHashes(const Format& format, bool given);

}  // namespace icecore::app
