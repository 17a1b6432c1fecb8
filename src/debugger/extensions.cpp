#include "debugger/extensions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <ranges>

#include "base/text.h"
#include "debugger/output.h"
#include "debugger/session.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

namespace fs = std::filesystem;

/// Commands of one extension, before its table is taken for one without an end.
constexpr std::size_t mostCommands = 256;

/// What WinDbg's users load by these names; none of it exists outside Windows.
constexpr std::array<std::string_view, 15> windowsExtensions = {
    "sos",  "sosex",  "psscor2",  "psscor4", "mex",  "ext",  "exts",   "uext",
    "kext", "kdexts", "ntsdexts", "netext",  "mona", "pykd", "mimilib"};

std::string stemOf(std::string_view path) {
    const std::size_t slash = path.find_last_of("/\\");
    if (slash != std::string_view::npos) path.remove_prefix(slash + 1);
    for (const std::string_view ending : {".so", ".dll", ".dylib"}) {
        if (path.size() > ending.size() &&
            equalsIgnoreCase(path.substr(path.size() - ending.size()), ending))
            path.remove_suffix(ending.size());
    }
    return std::string(path);
}

bool isWindowsLibrary(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    char magic[2] = {};
    file.read(magic, sizeof magic);
    return file.gcount() == 2 && magic[0] == 'M' && magic[1] == 'Z';
}

std::unexpected<Error> onlyForWindows(std::string_view path) {
    return fail(Errc::unsupported,
                fmt::format("{} is an extension for WinDbg, a library that runs on Windows inside "
                            "WinDbg alone; icecore loads its own kind (icecore_extension.h), and "
                            "has commands for much of what such extensions do: .help lists them",
                            printable(stemOf(path))));
}

/// What the functions of icecore_host find behind `context`.
struct Call {
    Session& session;
    Output& out;
    const std::function<bool(std::string_view)>& execute;
};
Call& callOf(const icecore_host* host) {
    return *static_cast<Call*>(host->context);
}

void print(const icecore_host* host, const char* text, std::size_t length) {
    callOf(host).out.write(std::string_view(text, length));
}
std::size_t readMemory(const icecore_host* host, std::uint64_t address, void* buffer,
                       std::size_t size) {
    return callOf(host)
        .session.memory()
        .read(address, std::span(static_cast<std::byte*>(buffer), size))
        .bytes;
}
int evaluateText(const icecore_host* host, const char* expression, std::uint64_t* value) {
    const auto result = evaluate(expression, callOf(host).session);
    if (result) *value = *result;
    return result ? 1 : 0;
}
int execute(const icecore_host* host, const char* commands) {
    return callOf(host).execute(commands) ? 1 : 0;
}
std::size_t symbol(const icecore_host* host, std::uint64_t address, char* buffer,
                   std::size_t size) {
    const std::string text = symbolOrAddressText(callOf(host).session, address);
    if (size > 0) {
        const std::size_t length = std::min(text.size(), size - 1);
        std::memcpy(buffer, text.data(), length);
        buffer[length] = '\0';
    }
    return text.size();
}
std::uint32_t pointerSize(const icecore_host* host) {
    return static_cast<std::uint32_t>(callOf(host).session.pointerSize());
}
std::size_t threadCount(const icecore_host* host) {
    return callOf(host).session.process().threads.size();
}
std::uint64_t threadId(const icecore_host* host, std::size_t number) {
    const auto& threads = callOf(host).session.process().threads;
    return number < threads.size() ? threads[number].id : 0;
}
int interrupted(const icecore_host* host) {
    return callOf(host).session.interrupted() ? 1 : 0;
}

}  // namespace

Result<const Extension*> Extensions::load(const std::string& path) {
    const std::string stem = stemOf(path);
    std::error_code error;
    fs::path file(path);
    if (!fs::is_regular_file(file, error)) file += ".so";
    if (!fs::is_regular_file(file, error)) {
        const bool known = std::ranges::any_of(
            windowsExtensions, [&](std::string_view name) { return equalsIgnoreCase(name, stem); });
        const bool dll = path.size() > 4 && equalsIgnoreCase(path.substr(path.size() - 4), ".dll");
        if (known || dll) return onlyForWindows(path);
        return fail(Errc::not_found, "no such extension", path);
    }
    if (isWindowsLibrary(file)) return onlyForWindows(path);
    const std::string whole = fs::absolute(file, error).string();
    const std::array<std::string_view, 1> names = {whole};
    auto library = DynamicLibrary::open(names);
    if (!library) return std::unexpected(library.error());
    const auto entry =
        reinterpret_cast<icecore_extension_function>((*library)->symbol("icecore_extension"));
    const icecore_command* commands = entry != nullptr ? entry(ICECORE_EXTENSION_API) : nullptr;
    if (commands == nullptr) {
        return fail(Errc::unsupported,
                    entry == nullptr ? "is no extension of icecore: it exports no icecore_extension"
                                     : fmt::format("does not work with extension interface {}",
                                                   ICECORE_EXTENSION_API),
                    whole);
    }
    Extension extension{whole, stem, std::move(*library), {}};
    for (std::size_t i = 0; i < mostCommands && commands[i].name != nullptr; ++i) {
        if (commands[i].run == nullptr) continue;
        extension.commands.push_back({std::string("!") + commands[i].name,
                                      commands[i].summary != nullptr ? commands[i].summary : "",
                                      &commands[i]});
    }
    unload(stem);
    loaded_.push_back(std::move(extension));
    return &loaded_.back();
}

bool Extensions::unload(std::string_view name) {
    return std::erase_if(loaded_, [&](const Extension& extension) {
               return equalsIgnoreCase(extension.name, name) || extension.path == name;
           }) != 0;
}

const ExtensionCommand* Extensions::find(std::string_view word) const {
    if (!word.starts_with('!')) return nullptr;
    std::string_view extension;
    std::string name(word);
    if (const std::size_t dot = word.find('.'); dot != std::string_view::npos) {
        extension = word.substr(1, dot - 1);
        name = "!" + std::string(word.substr(dot + 1));
    }
    for (const Extension& candidate : std::views::reverse(loaded_)) {
        if (!extension.empty() && !equalsIgnoreCase(candidate.name, extension)) continue;
        for (const ExtensionCommand& command : candidate.commands) {
            if (equalsIgnoreCase(command.name, name)) return &command;
        }
    }
    return nullptr;
}

Result<void> Extensions::run(const ExtensionCommand& command, std::string_view arguments,
                             Session& session, Output& out,
                             const std::function<bool(std::string_view)>& executeLine) {
    Call call{session, out, executeLine};
    const icecore_host host = {ICECORE_EXTENSION_API,
                               sizeof(icecore_host),
                               &call,
                               print,
                               readMemory,
                               evaluateText,
                               execute,
                               symbol,
                               pointerSize,
                               threadCount,
                               threadId,
                               interrupted};
    const std::string text(arguments);
    if (command.command->run(&host, text.c_str()) == 0)
        return fail(Errc::internal, fmt::format("{} failed", printable(command.name)));
    return {};
}

}  // namespace icecore::debugger
