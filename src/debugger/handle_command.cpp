// !handle.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>

#include "base/text.h"
#include "debugger/commands.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

/// What `!handle` shows of each, as its second argument has it.
enum : std::uint64_t { showType = 1, showBasic = 2, showName = 4, showObject = 8, showAll = 15 };

struct AccessNames {
    std::string_view type;
    /// From bit 0 on; an empty one has no name.
    std::array<std::string_view, 12> bits;
};
// winnt.h, in the words of WinDbg.
constexpr std::array<AccessNames, 9> accessNames = {{
    {"Event", {"QueryState", "ModifyState"}},
    {"Mutant", {"QueryState"}},
    {"Semaphore", {"QueryState", "ModifyState"}},
    {"Section", {"Query", "MapWrite", "MapRead", "MapExecute", "Extend"}},
    {"Directory", {"Query", "Traverse", "CreateObject", "CreateSubDir"}},
    {"Key", {"QueryValue", "SetValue", "CreateSubKey", "EnumSubKey", "Notify", "CreateLink"}},
    {"File",
     {"Read/List", "Write/Add", "Append/SubDir/CreatePipe", "ReadEA", "WriteEA", "Execute/Traverse",
      "DeleteChild", "ReadAttr", "WriteAttr"}},
    {"Thread",
     {"Terminate", "Suspend", "Alert", "GetContext", "SetContext", "SetInfo", "QueryInfo",
      "SetToken", "Impersonate", "DirectImpersonate"}},
    {"Process",
     {"Terminate", "CreateThread", "", "VMOp", "VMRead", "VMWrite", "DupHandle", "CreateProcess",
      "SetQuota", "SetInfo", "QueryInfo", "SetPort"}},
}};
constexpr std::array<std::string_view, 5> standardRights = {"Delete", "ReadControl", "WriteDac",
                                                            "WriteOwner", "Synch"};
constexpr unsigned standardShift = 16;

void appendWord(std::string& list, std::string_view word) {
    if (!list.empty()) list += ',';
    list += word;
}

/// "Delete,Synch" and "QueryState", each on its line.
std::string accessText(const Handle& handle) {
    std::string standard, specific;
    for (std::size_t bit = 0; bit < standardRights.size(); ++bit) {
        if ((handle.access >> (standardShift + bit) & 1U) != 0)
            appendWord(standard, standardRights[bit]);
    }
    for (const AccessNames& names : accessNames) {
        if (names.type != handle.type) continue;
        for (std::size_t bit = 0; bit < names.bits.size(); ++bit) {
            if ((handle.access >> bit & 1U) != 0 && !names.bits[bit].empty())
                appendWord(specific, names.bits[bit]);
        }
    }
    return fmt::format("         {}\n         {}\n", standard.empty() ? "None" : standard,
                       specific.empty() ? "None" : specific);
}

/// The reader's words for the state of an object, in those of WinDbg.
std::string stateText(std::string_view words) {
    std::string text;
    for (std::string_view word : split(words, ',')) {
        word = trim(word);
        const std::vector<std::string_view> parts = splitBlanks(word);
        std::string line(word);
        if (word == "manual reset") line = "Event Type Manual Reset";
        if (word == "auto reset") line = "Event Type Auto Reset";
        if (word == "set") line = "Event is Set";
        if (word == "not set") line = "Event is Waiting";
        if (word == "free") line = "Mutex is Free";
        if (word.starts_with("taken")) line = "Mutex is Owned";
        if (word.starts_with("count ") && parts.size() == 4)
            line = fmt::format("Semaphore Count {}\n    Semaphore Limit {}", parts[1], parts[3]);
        if (word.starts_with("owned by thread ") && parts.size() == 7) {
            line = fmt::format("Mutant Owner {:x}.{:x}", parseDecimal(parts[6]).value_or(0),
                               parseDecimal(parts[3]).value_or(0));
        }
        text += "    " + line + "\n";
    }
    return text;
}

/// The reader's words by handle: the attachment "handles/objects" has "0x88 Mutant: taken once".
std::map<std::uint64_t, std::string> objectStates(const Snapshot& snapshot) {
    std::map<std::uint64_t, std::string> states;
    const SharedBytes* list = snapshot.attachment("handles/objects");
    if (list == nullptr) return states;
    for (const std::string_view line : split(list->text(), '\n')) {
        const std::size_t blank = line.find(' '), colon = line.find(": ");
        if (blank == std::string_view::npos || colon == std::string_view::npos) continue;
        if (const auto handle = parseNumber(line.substr(0, blank)))
            states.emplace(*handle, line.substr(colon + 2));
    }
    return states;
}

std::string typeOf(const Handle& handle) {
    return handle.type.empty() ? "<unknown>" : printable(handle.type);
}

}  // namespace

/// `!handle [HANDLE [FLAGS [TYPE]]]`. Of systems whose descriptors are known by their names all is
/// shown, where WinDbg shows types alone.
Result<void> listHandles(CommandCall& call) {
    Session& session = call.session;
    const bool windows = session.process().system.os == Os::windows;
    std::optional<std::uint64_t> wanted;
    std::uint64_t flags = windows ? showType : showAll;
    std::string type;
    if (!call.arguments.empty()) {
        ASSIGN_OR_RETURN(wanted, call.arguments.takeExpression());
        // `!handle 0 f` and `!handle -1 f`: all of them.
        if (*wanted == 0 || *wanted == UINT64_MAX) wanted.reset();
        if (!call.arguments.empty()) {
            ASSIGN_OR_RETURN(flags, call.arguments.takeExpression());
            type = std::string(call.arguments.takeWord());
        }
        TRY(call.arguments.finish());
    }
    const auto& handles = session.process().handles;
    if (handles.coverage == Coverage::absent) {
        return fail(Errc::not_found,
                    "this dump does not hold open handles (dump with "
                    "MiniDumpWithHandleData to have them)");
    }
    const auto states = objectStates(session.snapshot());
    std::size_t shown = 0;
    std::map<std::string, std::size_t> types;
    for (const Handle& handle : handles) {
        if (session.interrupted()) break;
        if ((wanted && handle.value != *wanted) || (!type.empty() && handle.type != type)) continue;
        ++shown;
        ++types[typeOf(handle)];
        call.out.print("Handle {:x}\n", handle.value);
        if ((flags & showType) != 0) call.out.print("  Type         \t{}\n", typeOf(handle));
        if ((flags & showBasic) != 0) {
            call.out.print("  Attributes   \t{:#x}\n  GrantedAccess\t{:#x}:\n{}", handle.attributes,
                           handle.access, windows ? accessText(handle) : std::string());
            if (windows) {
                call.out.print("  HandleCount  \t{}\n  PointerCount \t{}\n", handle.handleCount,
                               handle.pointerCount);
            }
        }
        if ((flags & showName) != 0) {
            call.out.print("  Name         \t{}\n",
                           handle.name.empty() ? "<none>" : printable(handle.name));
        }
        if ((flags & showObject) == 0) continue;
        const auto state = states.find(handle.value);
        if (state != states.end() || handle.position)
            call.out.write("  Object Specific Information\n");
        if (state != states.end()) call.out.write(stateText(state->second));
        if (handle.position) call.out.print("    Position {:#x}\n", *handle.position);
    }
    if (wanted && shown == 0) return fail(Errc::not_found, "no such handle is open");
    if (wanted) return {};
    call.out.print("{} Handles\nType           \tCount\n", shown);
    std::vector<std::pair<std::string, std::size_t>> counts(types.begin(), types.end());
    std::ranges::stable_sort(counts,
                             [](const auto& a, const auto& b) { return a.second > b.second; });
    for (const auto& [name, count] : counts)
        call.out.print("{:<15}\t{}\n", name, count);
    return {};
}

}  // namespace icecore::debugger
