// as, aS, ad, al.
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>

#include "base/text.h"
#include "debugger/commands.h"
#include "debugger/interpreter.h"
#include "debugger/memory_read.h"

namespace icecore::debugger {

namespace {

/// Text that an alias takes out of memory or of a file is no longer than this, in bytes.
constexpr std::size_t longestText = 64U << 10U;

/// Text in memory, of characters of `unit` bytes: up to a NUL, or `length` bytes of it.
Result<std::string> textAt(const Session& session, std::uint64_t address, std::size_t unit,
                           std::optional<std::size_t> length) {
    const PatchyBytes bytes(session.memory(), address, length.value_or(longestText));
    std::u16string wide;
    std::string narrow;
    for (std::size_t at = 0; at + unit <= bytes.size(); at += unit) {
        const auto character = bytes.integer(at, unit);
        if (!character) {
            return fail(Errc::unreadable,
                        fmt::format("Memory access error at '{}': {}", hexTicked(address + at),
                                    session.memory().explain(address + at)));
        }
        if (*character == 0 && !length) break;
        if (unit == 1) narrow += static_cast<char>(*character);
        if (unit == 2) wide += static_cast<char16_t>(*character);
    }
    return unit == 1 ? narrow : utf16ToUtf8(wide);
}

/// ANSI_STRING and UNICODE_STRING (ntdef.h): Length in bytes, MaximumLength, 16 bits each, then a
/// pointer at its own alignment.
Result<std::string> countedTextAt(const Session& session, std::uint64_t address, std::size_t unit) {
    ASSIGN_OR_RETURN(const std::uint64_t length, session.readMemory(address, 2));
    ASSIGN_OR_RETURN(const std::uint64_t buffer,
                     session.readMemory(address + session.pointerSize(), session.pointerSize()));
    return textAt(session, buffer, unit, static_cast<std::size_t>(length));
}

Result<std::string> fileText(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return fail(Errc::io, "cannot be read", path);
    std::string text(longestText + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > longestText) return fail(Errc::limit, "too long for an alias", path);
    return text;
}

constexpr const char* usage =
    "as NAME TEXT, as /x NAME EXPRESSION, as /ma|/mu|/msa|/msu NAME ADDRESS, as /e NAME VARIABLE, "
    "as /c NAME COMMANDS, aS /f NAME FILE";

}  // namespace

Result<std::string> Interpreter::aliasValue(std::string_view option, std::string_view text,
                                            int depth) {
    if (option == "/c") {
        std::string caught;
        captureLine(text, depth, caught);
        return caught;
    }
    if (option == "/f") return fileText(std::string(text));
    if (option == "/e") {
        const char* value =
            std::getenv(std::string(text).c_str());  // NOLINT(concurrency-mt-unsafe)
        if (value == nullptr)
            return fail(Errc::not_found, fmt::format("'{}' is not in the environment", text));
        return std::string(value);
    }
    ASSIGN_OR_RETURN(const std::uint64_t number, evaluate(text, session_));
    if (option == "/x") return fmt::format("0x{:x}", number);
    if (option == "/ma") return textAt(session_, number, 1, std::nullopt);
    if (option == "/mu") return textAt(session_, number, 2, std::nullopt);
    if (option == "/msa") return countedTextAt(session_, number, 1);
    if (option == "/msu") return countedTextAt(session_, number, 2);
    return fail(Errc::usage, usage);
}

bool Interpreter::executeAlias(std::string_view word, std::string_view arguments, int depth) {
    const auto takeWord = [&] {
        const std::size_t end = std::min(arguments.find_first_of(" \t"), arguments.size());
        const std::string_view taken = arguments.substr(0, end);
        arguments = trim(arguments.substr(end));
        return taken;
    };
    std::string_view name = takeWord(), option;
    if (name.starts_with('/') && name.size() > 1) {
        option = name;
        name = takeWord();
    }
    if (name.empty() || arguments.empty()) return report(fail(Errc::usage, usage));
    if (!option.empty()) {
        auto value = aliasValue(option, arguments, depth);
        if (!value) return report(std::unexpected(value.error()));
        session_.aliases[std::string(name)] = std::move(*value);
        return true;
    }
    // Quotes belong to the text, but around that of `aS`, where they keep a ';' in.
    if (word == "aS" && arguments.size() >= 2 && arguments.front() == '"' &&
        arguments.back() == '"')
        arguments = arguments.substr(1, arguments.size() - 2);
    session_.aliases[std::string(name)] = std::string(arguments);
    return true;
}

Result<void> deleteAlias(CommandCall& call) {
    const bool quiet = call.arguments.takeSwitch('q');
    const std::string_view name = call.arguments.takeWord();
    TRY(call.arguments.finish());
    if (name == "*") {
        call.session.aliases.clear();
        return {};
    }
    const auto found = call.session.aliases.find(name);
    if (found != call.session.aliases.end()) {
        call.session.aliases.erase(found);
    } else if (!quiet) {
        return fail(Errc::not_found, fmt::format("No alias named '{}'", printable(name)));
    }
    return {};
}

Result<void> listAliases(CommandCall& call) {
    TRY(call.arguments.finish());
    if (call.session.aliases.empty()) {
        call.out.write("No aliases\n");
        return {};
    }
    call.out.print("  {:<16} {}  \n {:<16} {} \n", "Alias", "Value", "-------", "-------");
    for (const auto& [name, value] : call.session.aliases)
        call.out.print(" {:<16} {} \n", printable(name), value);
    return {};
}

}  // namespace icecore::debugger
