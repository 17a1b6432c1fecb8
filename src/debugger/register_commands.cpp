// r, .ecxr, .cxr.
#include <fmt/format.h>

#include "base/text.h"
#include "debugger/commands.h"
#include "debugger/context_record.h"
#include "debugger/register_text.h"

namespace icecore::debugger {

namespace {

/// `r $t1 = 5`. The dump itself is never changed.
Result<void> assign(CommandCall& call, std::string_view name, std::string_view expression) {
    ASSIGN_OR_RETURN(const std::uint64_t value, evaluate(expression, call.session));
    if (name.starts_with("$t") || name.starts_with("$T")) {
        const auto number = parseDecimal(name.substr(2));
        if (number && *number < call.session.temporaries.size()) {
            call.session.temporaries[*number] = value;
            return {};
        }
    }
    return fail(Errc::usage, fmt::format("only $t0 to $t19 can be set: the registers of a dump are "
                                         "what they were ('{}')",
                                         printable(name)));
}

/// `r $.u0 = text`, or "text"; nothing behind the sign: it stands for nothing any more.
void setFixedAlias(CommandCall& call, std::size_t number, std::string_view text) {
    text = trim(text);
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
        text = text.substr(1, text.size() - 2);
    call.session.fixedAliases.at(number) =
        text.empty() ? std::nullopt : std::optional(std::string(text));
}

Result<void> showOne(CommandCall& call, std::string_view name) {
    if (name.starts_with('@')) name.remove_prefix(1);
    const Arch arch = call.session.arch();
    if (const auto id = registerByName(arch, name)) {
        call.out.print("{}={}\n", toLower(name), registerValueText(call.session.registers(), *id));
        return {};
    }
    const auto value = call.session.registerValue(name);
    if (!value) return fail(Errc::not_found, fmt::format("Bad register error at '{}'", name));
    call.out.print("{}={}\n", toLower(name),
                   name.starts_with('$') || equalsIgnoreCase(name, "ssp")
                       ? hexDigits(*value, static_cast<int>(call.session.pointerSize() * 2))
                       : fmt::format("{:x}", *value));
    return {};
}

void showAll(CommandCall& call) {
    call.out.write(registersText(call.session, call.session.registers()));
    call.out.write(instructionAt(call.session, call.session.registers()));
}

}  // namespace

Result<void> showRegisters(CommandCall& call) {
    if (call.session.registers().empty()) {
        return fail(Errc::not_found, "the dump has no registers of this thread");
    }
    if (call.arguments.empty()) {
        showAll(call);
        return {};
    }
    const std::string_view text = call.arguments.takeRest();
    if (const std::size_t equals = text.find('='); equals != std::string_view::npos) {
        std::string_view name = trim(text.substr(0, equals));
        if (name.size() == 4 && name.starts_with("$.u") && name[3] >= '0' && name[3] <= '9') {
            setFixedAlias(call, static_cast<std::size_t>(name[3] - '0'), text.substr(equals + 1));
            return {};
        }
        if (name.starts_with('@')) name.remove_prefix(1);
        return assign(call, name, text.substr(equals + 1));
    }
    for (const std::string_view field : split(text, ',')) {
        for (const std::string_view name : splitBlanks(field))
            TRY(showOne(call, name));
    }
    return {};
}

Result<void> useException(CommandCall& call) {
    TRY(call.arguments.finish());
    Session& session = call.session;
    const auto& exception = session.process().exception;
    if (!exception) {
        return fail(Errc::not_found,
                    "Unable to get exception context: nothing went wrong in this dump");
    }
    if (session.eventThread() && *session.eventThread() != session.threadIndex())
        session.selectThread(*session.eventThread());
    const Thread* thread = session.thread();
    const std::optional<Context>& own = thread != nullptr ? thread->context : std::nullopt;
    const std::optional<Context>& context = exception->context ? exception->context : own;
    if (!context) {
        return fail(Errc::not_found, "the dump has no registers of the thread it happened in");
    }
    session.useContext(ContextKind::exception, context->registers);
    showAll(call);
    return {};
}

Result<void> useContextRecord(CommandCall& call) {
    if (call.arguments.empty()) {
        call.session.resetContext();
        call.out.write("Resetting default scope\n");
        return {};
    }
    ASSIGN_OR_RETURN(const std::uint64_t address, call.arguments.takeExpression());
    TRY(call.arguments.finish());
    ASSIGN_OR_RETURN(const Registers registers, readUserContext(call.session, address));
    call.session.useContext(ContextKind::record, registers);
    showAll(call);
    return {};
}

}  // namespace icecore::debugger
