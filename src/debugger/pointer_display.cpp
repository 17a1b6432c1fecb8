// dps dqs dds dpp dpa dpu: pointers and what they point to.
#include <fmt/format.h>

#include "base/text.h"
#include "debugger/commands.h"
#include "debugger/memory_read.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

constexpr std::uint64_t defaultCount = 16;
/// Characters of a string shown behind its pointer.
constexpr std::size_t stringLimit = 48;

std::string stringAt(const Session& session, std::uint64_t address, std::size_t size) {
    const PatchyBytes bytes(session.memory(), address, stringLimit * size);
    std::string text;
    for (std::size_t i = 0; i < stringLimit; ++i) {
        const auto unit = bytes.integer(i * size, size);
        if (!unit || *unit == 0) break;
        text += *unit >= 0x20 && *unit < 0x7f ? static_cast<char>(*unit) : '.';
    }
    if (text.empty() && bytes.empty()) return {};
    return fmt::format("\"{}\"", text);
}

/// What stands behind the value: a symbol, what it points to, or a string.
std::string noteFor(const Session& session, std::string_view name, std::uint64_t value,
                    std::size_t size) {
    if (name == "dpa") return stringAt(session, value, 1);
    if (name == "dpu") return stringAt(session, value, 2);
    if (name != "dpp") return symbolText(session, value);
    const auto pointed = session.memory().readPointer(value, size);
    if (!pointed) {
        return size == 4 ? std::string("????????") : std::string("????????`????????");
    }
    return (size == 4 ? hexDigits(*pointed, 8) : hexTicked(*pointed)) + " " +
           symbolText(session, *pointed);
}

}  // namespace

Result<void> displayPointers(CommandCall& call) {
    Session& session = call.session;
    session.lastDisplay = std::string(call.name);
    const std::size_t size = call.name == "dds"   ? 4
                             : call.name == "dqs" ? 8
                                                  : session.pointerSize();
    ObjectRange range;
    if (call.arguments.empty()) {
        range.address = session.nextData.value_or(session.registers().sp());
    } else {
        ASSIGN_OR_RETURN(range, call.arguments.takeRange(size));
        TRY(call.arguments.finish());
    }
    const std::uint64_t count = range.count.value_or(defaultCount);
    std::uint64_t at = range.address;
    for (std::uint64_t i = 0; i < count && !session.interrupted(); ++i, at += size) {
        const PatchyBytes bytes(session.memory(), at, size);
        const auto value = bytes.integer(0, size);
        std::string line = fmt::format("{}  {}", addressText(session, at),
                                       valuesText(bytes, 0, size, size, false));
        if (value) {
            if (const std::string note = noteFor(session, call.name, *value, size); !note.empty())
                line += " " + note;
        }
        line.erase(line.find_last_not_of(' ') + 1);
        call.out.write(line + "\n");
    }
    session.nextData = at;
    return {};
}

}  // namespace icecore::debugger
