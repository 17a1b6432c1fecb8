// How dump files are named.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "formats/format.h"

namespace icecore::app {

/// What a name can speak of.
struct NameParts {
    std::uint64_t pid = 0;
    std::string process;           ///< short name
    std::int64_t unixSeconds = 0;  ///< when the dump is taken
    std::string host;
    std::string exceptionCode;  ///< of the event that it is taken for; empty without one
};

/// Replaces %p (pid), %e (process name), %h (host), %t (seconds since 1970) and %% (a per cent
/// sign); other sequences stay. What a process calls itself cannot lead out of the directory: '/'
/// becomes '_', and so does a leading '.'. In the last part of the path the words of ProcDump are
/// replaced too, where they stand alone ("PROCESSNAME_PID.dmp", not "RAPID.dmp"): PROCESSNAME, PID,
/// EXCEPTIONCODE, YYMMDD, HHMMSS.
std::string expandName(std::string_view pattern, const NameParts& parts);

/// "PROCESS_YYMMDD_HHMMSS.dmp" as ProcDump names it; ".core" for a core; ".zst" behind it when
/// compressed.
std::string defaultName(const NameParts& parts, const Format& format, bool compressed);

/// The file for what `-o` says: nothing given → the default name in the current directory; an
/// existing directory, or a path that ends in '/' → the default name in it; else the pattern.
std::filesystem::path outputPath(const std::string& given, const NameParts& parts,
                                 const Format& format, bool compressed);

/// Whether several dumps would get the same name.
bool namesOneFile(const std::string& given);

/// Whether the name asks for compression by itself (".zst").
bool namesCompressed(std::string_view given);
/// The format that the name's extension asks for (before a ".zst"), or null.
const Format* namedFormat(std::string_view given);

}  // namespace icecore::app
