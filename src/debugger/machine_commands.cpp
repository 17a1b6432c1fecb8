// .effmach, !wow64exts.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "debugger/commands.h"
#include "debugger/event_text.h"

namespace icecore::debugger {

namespace {

/// A machine by the names that people give it.
struct MachineName {
    std::string_view name;
    Arch arch;
};
constexpr std::array<MachineName, 9> machineNames = {{{"x86", Arch::x86},
                                                      {"i386", Arch::x86},
                                                      {"amd64", Arch::x86_64},
                                                      {"x64", Arch::x86_64},
                                                      {"x86_64", Arch::x86_64},
                                                      {"arm64", Arch::arm64},
                                                      {"aarch64", Arch::arm64},
                                                      {"arm", Arch::arm},
                                                      {"armnt", Arch::arm}}};

/// Goes to the side of `arch`; where the dump has none, why not.
Result<void> useMachine(Session& session, Arch arch) {
    if (session.arch() == arch) return {};
    if (session.otherArch() == arch) {
        session.exchangeSides();
        return {};
    }
    return fail(Errc::unsupported,
                session.otherArch()
                    ? fmt::format("the dump's threads ran as {} and {}: other machines are not "
                                  "emulated",
                                  toString(session.arch()), toString(*session.otherArch()))
                    : fmt::format("the dump's threads ran as {}: other machines are not emulated",
                                  toString(session.arch())));
}

Result<void> requireTwoSides(const Session& session) {
    if (session.otherArch()) return {};
    return fail(Errc::unsupported,
                "this is no dump of a 32-bit process that a 64-bit program took (WOW64)");
}

}  // namespace

Result<void> effectiveMachine(CommandCall& call) {
    Session& session = call.session;
    const std::string_view wanted = call.arguments.takeWord();
    TRY(call.arguments.finish());
    if (wanted == ".") {
        TRY(useMachine(session, session.nativeArch()));
    } else if (wanted == "#") {
        TRY(useMachine(session, session.eventArch()));
    } else if (!wanted.empty()) {
        const auto row = std::ranges::find_if(machineNames, [&](const MachineName& each) {
            return equalsIgnoreCase(each.name, wanted);
        });
        if (row == machineNames.end()) {
            return fail(Errc::usage,
                        fmt::format("there is no machine '{}': x86, amd64, arm64, arm, "
                                    "`.` the dump's own, `#` that of the event",
                                    printable(wanted)));
        }
        TRY(useMachine(session, row->arch));
    }
    call.out.print("Effective machine: {}\n", machineText(session.arch()));
    return {};
}

Result<void> switchSides(CommandCall& call) {
    TRY(call.arguments.finish());
    TRY(requireTwoSides(call.session));
    call.session.exchangeSides();
    const bool native = call.session.arch() == call.session.nativeArch();
    call.out.print("Switched to {} mode\n", native ? "Host" : "Guest (WoW)");
    return {};
}

Result<void> showBothStacks(CommandCall& call) {
    Session& session = call.session;
    const std::string count(call.arguments.takeRest());
    TRY(requireTwoSides(session));
    const Arch before = session.arch();
    const ContextKind kind = session.contextKind();
    const Registers registers = session.registers();
    const bool afterCall = session.pcIsReturnAddress();
    const std::size_t frame = session.frame();
    for (const bool native : {true, false}) {
        if ((session.arch() == session.nativeArch()) != native) session.exchangeSides();
        call.out.print("Walking {} Stack...\n", native ? "Native" : "Guest (WoW)");
        call.execute("k " + count);
    }
    if (session.arch() != before) session.exchangeSides();
    if (kind != ContextKind::thread) session.useContext(kind, registers, afterCall);
    session.selectFrame(frame);
    return {};
}

Result<void> showWowHelp(CommandCall& call) {
    call.out.write(
        "!wow64exts.sw     go to the 32-bit side and back, as .effmach does\n"
        "!wow64exts.k [N]  the stacks of both sides\n");
    return {};
}

}  // namespace icecore::debugger
