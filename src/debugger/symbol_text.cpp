#include "debugger/symbol_text.h"

#include <fmt/format.h>

#include "base/text.h"

namespace icecore::debugger {

namespace {

std::string withOffset(std::string name, std::uint64_t offset) {
    if (offset != 0) name += fmt::format("+0x{:x}", offset);
    return name;
}

}  // namespace

std::string addressText(const Session& session, std::uint64_t address) {
    if (session.pointerSize() == 4 && address <= UINT32_MAX) return hexDigits(address, 8);
    return hexTicked(address);
}

std::string unknownAddressText(const Session& session) {
    return session.pointerSize() == 4 ? "????????" : "????????`????????";
}

std::string moduleText(const Session& session, const Module* module) {
    return module == nullptr ? std::string() : session.moduleNames().name(*module);
}

std::string symbolText(const Session& session, std::uint64_t address) {
    const Module* module = session.process().moduleAt(address);
    if (module == nullptr) return {};
    const std::string name = moduleText(session, module);
    if (const auto symbol = session.symbolizer().nearestSymbol(address)) {
        return withOffset(name + "!" + printable(symbol->name), address - symbol->address);
    }
    return withOffset(name, address - module->range.begin());
}

std::string symbolOrAddressText(const Session& session, std::uint64_t address) {
    std::string text = symbolText(session, address);
    return text.empty() ? addressText(session, address) : text;
}

std::string frameText(const Session& session, const NamedFrame& frame) {
    const std::string module = moduleText(session, frame.module);
    if (!frame.function.empty()) {
        const std::string name = printable(frame.function);
        return withOffset(module.empty() ? name : module + "!" + name, frame.functionOffset);
    }
    if (module.empty()) return fmt::format("0x{}", addressText(session, frame.pc));
    return withOffset(module, frame.moduleOffset);
}

std::string lineText(const std::string& file, std::uint32_t line) {
    if (file.empty() || line == 0) return {};
    return fmt::format(" [{} @ {}]", printable(file), line);
}

}  // namespace icecore::debugger
