#include "app/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "app/terminal.h"
#include "bytes/part_file.h"

namespace icecore::app {

namespace {

constexpr std::string_view tcpPrefix = "tcp://", tlsPrefix = "tls://";

}  // namespace

bool isFile(std::string_view target) {
    return target != "-" && !target.starts_with(tcpPrefix) && !target.starts_with(tlsPrefix);
}

Result<std::unique_ptr<Sink>> openOutput(const std::string& target, const OutputOptions& options) {
    if (target == "-") {
        if (standardOutputIsTerminal())
            return fail(Errc::usage,
                        "an image does not go to a terminal: redirect standard output");
        return descriptorSink(binaryStandardOutput(), "standard output");
    }
    if (target.starts_with(tcpPrefix)) return connectTcp(target);
    if (target.starts_with(tlsPrefix)) return connectTls(target, options.caCertificates);
    std::error_code ignored;
    if (std::filesystem::is_fifo(target, ignored)) return openNamedPipe(target);
    if (options.large) {
        PartFileOptions part;
        part.overwrite = options.overwrite;
        part.resumable = false;
        return createPartFile(target, part);
    }
    FileSinkOptions file;
    file.overwrite = options.overwrite;
    file.expected = options.expected;
    return createFileSink(target, file);
}

Result<void> canLeaveOutHashes(const Format& format, bool given) {
    if (!given || format.blockHashes) return {};
    return fail(Errc::usage, fmt::format("--no-block-hashes: {} has none", format.name));
}

Result<std::optional<Codec>> chooseCodec(const Format& format, std::string_view given) {
    if (given.empty()) return std::optional<Codec>();
    const auto codec = codecByName(given);
    if (!codec)
        return fail(Errc::usage, "--compress takes none, deflate, zlib, lzo, snappy, lz4 or zstd");
    const bool plain = *codec == Codec::none && format.codecs.empty();
    if (plain || std::ranges::find(format.codecs, *codec) != format.codecs.end()) return codec;
    std::string able;
    for (const Codec one : format.codecs)
        able += fmt::format("{}{}", able.empty() ? "" : ", ", toString(one));
    return fail(Errc::usage,
                fmt::format("--compress: {} takes {}", format.name, able.empty() ? "none" : able));
}

}  // namespace icecore::app
