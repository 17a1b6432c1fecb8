#include "debugger/named_type.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

/// A type or a global variable of that name.
std::optional<NamedType> inModule(const Session& session, const Module& module,
                                  std::string_view name) {
    NamedType found;
    found.module = typesOf(session, module);
    if (found.module.types == nullptr) return std::nullopt;
    found.name = moduleText(session, &module) + "!" + std::string(name);
    if (const auto type = found.module.types->find(name)) {
        found.type = *type;
        return found;
    }
    const auto type = found.module.types->variableType(name);
    if (!type) return std::nullopt;
    found.type = *type;
    found.variable = true;
    const auto symbol = session.symbolizer().byName(fmt::format("{}!{}", module.fileName(), name));
    if (symbol && symbol->module == &module) found.address = symbol->address;
    return found;
}

/// Modules in the order a bare name is looked for: where we stand, the program, the others.
std::vector<const Module*> searchOrder(const Session& session) {
    std::vector<const Module*> order;
    const auto add = [&](const Module* module) {
        if (module != nullptr && std::ranges::find(order, module) == order.end())
            order.push_back(module);
    };
    const NamedStack& stack = session.stack();
    if (session.frame() < stack.frames.size()) add(stack.frames[session.frame()].module);
    for (const Module& module : session.process().modules)
        add(&module);
    return order;
}

}  // namespace

Result<NamedType> findNamedType(const Session& session, std::string_view text) {
    const std::size_t bang = text.find('!');
    if (bang != std::string_view::npos) {
        const Module* module = session.moduleNames().find(text.substr(0, bang));
        if (module == nullptr) {
            return fail(Errc::not_found, fmt::format("no module is called '{}' (lm lists them)",
                                                     printable(text.substr(0, bang))));
        }
        if (auto found = inModule(session, *module, text.substr(bang + 1))) return *found;
        if (typesOf(session, *module).types == nullptr) {
            return fail(Errc::not_found,
                        fmt::format("Symbol {} not found: the symbols of {} tell no types",
                                    printable(text), moduleText(session, module)));
        }
        return fail(Errc::not_found, fmt::format("Symbol {} not found.", printable(text)));
    }
    for (const Module* module : searchOrder(session)) {
        if (session.interrupted()) break;
        if (auto found = inModule(session, *module, text)) return *found;
    }
    return fail(Errc::not_found,
                fmt::format("Symbol {} not found: neither a type nor a variable of any module",
                            printable(text)));
}

}  // namespace icecore::debugger
