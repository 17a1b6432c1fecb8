// dv.
#include <fmt/format.h>

#include "base/text.h"
#include "debugger/commands.h"
#include "debugger/frame_variables.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

Result<void> displayVariables(CommandCall& call) {
    bool types = false, places = false, kinds = false;
    std::string pattern = "*";
    while (!call.arguments.empty()) {
        const std::string_view word = call.arguments.takeWord();
        if (!word.starts_with('/') && !word.starts_with('-')) {
            pattern = std::string(word);
            continue;
        }
        for (const char letter : word.substr(1)) {
            switch (letter) {
            case 't': types = true; break;
            case 'v':
            case 'V': places = true; break;
            case 'i': kinds = true; break;
            case 'a':
            case 'n':
            case 'f': break;
            default: return fail(Errc::usage, fmt::format("dv: unknown option /{}", letter));
            }
        }
    }
    Session& session = call.session;
    ASSIGN_OR_RETURN(const FrameVariables frame, frameVariables(session));
    for (const Variable& variable : frame.variables) {
        if (session.interrupted()) break;
        if (!matchesWildcard(variable.name, pattern)) continue;
        std::string line;
        if (kinds) line += variable.parameter ? "prv param  " : "prv local  ";
        if (places) line += fmt::format("{:<17} ", locateVariable(session, frame, variable).where);
        if (types) line += declaredTypeText(*frame.module.types, variable.type) + " ";
        line += types || places || kinds ? printable(variable.name)
                                         : fmt::format("{:>15}", printable(variable.name));
        call.out.print("{} = {}\n", line, variableText(session, frame, variable));
    }
    if (frame.variables.empty()) call.out.write("(the function has no variables here)\n");
    return {};
}

}  // namespace icecore::debugger
