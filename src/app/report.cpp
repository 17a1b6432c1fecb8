#include "app/report.h"

#include <fmt/format.h>

#include <cstdio>

#include "base/text.h"

namespace icecore::app {

namespace {

/// `where` without the target's own name, which the line starts with already.
std::string_view placeWithin(std::string_view where, std::string_view target) {
    if (!where.starts_with(target)) return where;
    // Another file of nearly the same name: "x.aff4.part".
    if (where.substr(target.size()).starts_with('.')) return where;
    return trim(where.substr(target.size()));
}

}  // namespace

std::string_view hintFor(const Error& error) {
    // The innermost cause knows best what was wrong.
    const Error* innermost = &error;
    while (innermost->cause)
        innermost = innermost->cause.get();
    switch (innermost->code) {
    case Errc::exists: return "choose another name, or give --overwrite";
    case Errc::not_found: return {};
    case Errc::permission: return "run it as the owner or as root";
    case Errc::internal: return "this is a defect of icecore, please report it";
    default: return {};
    }
}

void printError(std::string_view target, const Error& error) {
    std::string text = error.message;
    if (const auto place = placeWithin(error.where, target); !place.empty())
        text += fmt::format(" ({})", place);
    if (error.cause) text += ": " + error.cause->describe();
    if (const auto hint = hintFor(error); !hint.empty()) text += fmt::format("; {}", hint);
    printError(target, text);
}

void printError(std::string_view target, std::string_view message) {
    fmt::print(stderr, "icecore: {}: {}\n", printable(target), printable(message));
}

void printIssues(std::string_view target, const Issues& issues) {
    for (const Issue& issue : issues.items()) {
        const std::string_view kind = issue.severity == Severity::loss ? "lost" : "note";
        printError(target, fmt::format("{}: {}", kind, issue.describe()));
    }
    if (issues.dropped() > 0)
        printError(target, fmt::format("and {} more of the kind", issues.dropped()));
}

void printJson(const Json& document) {
    const std::string text = document.dump(2, ' ', false, Json::error_handler_t::replace);
    fmt::print("{}\n", text);
}

}  // namespace icecore::app
