// What the program tells people: errors and issues on standard error, JSON on standard output.
#pragma once

#include <string_view>

#include "base/error.h"
#include "base/issue.h"
#include "views/json.h"

namespace icecore::app {

/// "icecore: TARGET: what is wrong (where)" on standard error, and what to do about it where that
/// is known. `target` is the file, process or verb it is about.
void printError(std::string_view target, const Error& error);
/// The same for a message of our own.
void printError(std::string_view target, std::string_view message);
/// What to do about an error of this kind; empty when we do not know.
std::string_view hintFor(const Error& error);

/// One line per issue on standard error, "icecore: TARGET: note: …" or "… lost: …".
void printIssues(std::string_view target, const Issues& issues);

/// One document on standard output. Invalid UTF-8 from a dump becomes U+FFFD.
void printJson(const Json& document);

}  // namespace icecore::app
