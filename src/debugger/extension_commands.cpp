// .load, .unload, .chain.
#include <fmt/format.h>

#include "base/text.h"
#include "debugger/commands.h"

namespace icecore::debugger {

namespace {

void tell(CommandCall& call, const Extension& extension) {
    call.out.print("{}: {}\n", printable(extension.name), printable(extension.path));
    for (const ExtensionCommand& command : extension.commands)
        call.out.print("    {:<16} {}\n", printable(command.name), printable(command.summary));
}

}  // namespace

Result<void> loadExtension(CommandCall& call) {
    std::string_view path = call.arguments.takeRest();
    if (path.size() >= 2 && path.front() == '"' && path.back() == '"')
        path = path.substr(1, path.size() - 2);
    if (path.empty()) return fail(Errc::usage, fmt::format("{} FILE", call.name));
    // Its commands are here without it.
    const std::string_view file = path.substr(path.find_last_of("/\\") + 1);
    if (equalsIgnoreCase(file, "wow64exts") || equalsIgnoreCase(file, "wow64exts.dll"))
        return showWowHelp(call);
    ASSIGN_OR_RETURN(const Extension* extension, call.session.extensions.load(std::string(path)));
    tell(call, *extension);
    return {};
}

Result<void> unloadExtension(CommandCall& call) {
    const std::string_view name = call.arguments.takeRest();
    if (!call.session.extensions.unload(name)) {
        return fail(Errc::not_found, fmt::format("no extension '{}' is loaded (.chain lists them)",
                                                 printable(name)));
    }
    call.out.print("{} unloaded\n", printable(name));
    return {};
}

Result<void> listExtensions(CommandCall& call) {
    TRY(call.arguments.finish());
    if (call.session.extensions.all().empty())
        call.out.write("No extension is loaded; .load FILE loads one.\n");
    for (const Extension& extension : call.session.extensions.all())
        tell(call, extension);
    return {};
}

}  // namespace icecore::debugger
