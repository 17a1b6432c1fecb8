// dt.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "debugger/commands.h"
#include "debugger/frame_variables.h"
#include "debugger/named_type.h"
#include "debugger/symbol_text.h"
#include "debugger/type_listing.h"

namespace icecore::debugger {

namespace {

constexpr unsigned deepest = 9;            // as WinDbg's -r
constexpr std::size_t mostNames = 20'000;  // one listing prints
constexpr std::size_t longestList = 1000;  // structures followed by -l

struct Options {
    TypeListing listing;
    std::string list;  ///< -l FIELD
};

Result<Options> takeOptions(Arguments& arguments) {
    Options options;
    while (arguments.rest().starts_with('-') || arguments.rest().starts_with('/')) {
        const std::string_view word = arguments.takeWord().substr(1);
        if (word.starts_with('r')) {
            const auto depth = parseDecimal(word.substr(1));
            if (!depth && word.size() > 1)
                return fail(Errc::usage, fmt::format("dt: -{}: -r takes a depth, -r2", word));
            options.listing.depth =
                static_cast<unsigned>(std::min<std::uint64_t>(depth.value_or(deepest), deepest));
        } else if (word == "b") {
            options.listing.embeddedOnly = true;
            options.listing.depth = deepest;
        } else if (word.starts_with('a')) {
            options.listing.arrays = true;
        } else if (word == "v") {
            options.listing.verbose = true;
        } else if (word == "y") {
            options.listing.prefixes = true;
        } else if (word == "o") {
            options.listing.offsets = false;
        } else if (word == "l") {
            options.list = std::string(arguments.takeWord());
        } else if (word != "n" && word != "t" && word != "i" && word != "c" && word != "p" &&
                   word != "s" && word != "e" && word != "d") {
            return fail(Errc::usage, fmt::format("dt: unknown option -{}", printable(word)));
        }
    }
    return options;
}

/// `dt MODULE!PATTERN`: the names of types, and of variables and functions with their addresses.
Result<void> listNames(CommandCall& call, std::string_view pattern) {
    Session& session = call.session;
    const std::size_t bang = pattern.find('!');
    const std::string_view name =
        bang == std::string_view::npos ? pattern : pattern.substr(bang + 1);
    std::size_t count = 0;
    const int blanks = static_cast<int>(session.pointerSize() * 2);
    for (const Module* module : session.moduleNames().matching(
             bang == std::string_view::npos ? "*" : pattern.substr(0, bang))) {
        const TypeSource* types = typesOf(session, *module).types;
        const std::string prefix = moduleText(session, module) + "!";
        if (types == nullptr || session.interrupted()) continue;
        for (const std::string& type : types->matching(name, mostNames)) {
            if (count++ < mostNames) call.out.print("          {}{}\n", prefix, printable(type));
        }
        for (const Symbol& symbol :
             session.symbolizer().find(module->fileName(), name, mostNames)) {
            if (symbol.module == module && count++ < mostNames)
                call.out.print("{:0{}x}  {}{}\n", symbol.address, blanks, prefix,
                               printable(symbol.name));
        }
    }
    if (count > mostNames) call.out.write("(more match; the rest is left out)\n");
    if (count == 0)
        return fail(Errc::not_found, fmt::format("nothing matches '{}'", printable(pattern)));
    return {};
}

/// A pointer, and the structure that it points to.
void printTarget(CommandCall& call, const ModuleTypes& module, TypeId target, std::uint64_t to,
                 const TypeListing& listing) {
    call.out.print("0x{} \n", addressText(call.session, to));
    listMembers(call.session, call.out, module, target, to, listing);
}

void printOne(CommandCall& call, const NamedType& named, const TypeListing& listing) {
    const TypeSource& types = *named.module.types;
    const TypeShape shape = types.shape(named.type);
    if (hasMembers(shape)) {
        if (listing.verbose) {
            const char* word = shape.kind == TypeKind::class_type    ? "class"
                               : shape.kind == TypeKind::union_type  ? "union"
                               : shape.kind == TypeKind::enumeration ? "enum"
                                                                     : "struct";
            call.out.print("{} {}, {} elements, 0x{:x} bytes\n", word, printable(shape.name),
                           types.members(named.type).size(), shape.size);
        }
        if (shape.kind == TypeKind::enumeration && named.address) {
            call.out.print("{}\n", valueTextAt(call.session, named.module, named.type,
                                               *named.address, ValueStyle::dt));
            return;
        }
        if (!listMembers(call.session, call.out, named.module, named.type, named.address, listing))
            call.out.write(listing.fields.empty() ? "(no members)\n"
                                                  : "Cannot find specified field members.\n");
        return;
    }
    if (!named.address) {
        call.out.print("{}\n", layoutTypeText(types, named.type));
        return;
    }
    // A pointer's own target, as one level of members.
    if (shape.kind == TypeKind::pointer && shape.target && hasMembers(types.shape(*shape.target))) {
        const auto to =
            call.session.memory().readPointer(*named.address, call.session.pointerSize());
        if (to && *to != 0) {
            printTarget(call, named.module, *shape.target, *to, listing);
            return;
        }
    }
    call.out.print("{}\n", valueTextAt(call.session, named.module, named.type, *named.address,
                                       ValueStyle::dt));
}

/// -a of an array variable, and arrays of structures: one element after the other.
void printArray(CommandCall& call, const NamedType& named, const TypeListing& listing) {
    const TypeShape shape = named.module.types->shape(named.type);
    const std::uint64_t each = named.module.types->shape(*shape.target).size;
    NamedType element = named;
    element.type = *shape.target;
    for (std::uint64_t i = 0; i < shape.count && !call.session.interrupted(); ++i) {
        element.address = *named.address + i * each;
        call.out.print("[{}] @ {} \n---------------------------------------------\n", i,
                       addressText(call.session, *element.address));
        printOne(call, element, listing);
        call.out.write("\n");
        if (i >= longestList) return call.out.write("(the rest is left out)\n");
    }
}

/// -l FIELD: from structure to structure along the field, up to the first one, null, or the end of
/// what is readable.
Result<void> followList(CommandCall& call, NamedType named, const Options& options) {
    const TypeSource& types = *named.module.types;
    const auto field = findField(types, named.type, options.list);
    if (!field || types.shape(field->type).kind != TypeKind::pointer) {
        return fail(Errc::not_found, fmt::format("{} has no pointer called {}",
                                                 printable(named.name), printable(options.list)));
    }
    if (!named.address) return fail(Errc::usage, "dt -l FIELD TYPE ADDRESS");
    // LIST_ENTRY and its like point to the next one's own entry, not to the structure around it.
    const TypeShape pointer = types.shape(field->type);
    const bool toEntry = pointer.target &&
                         types.shape(*pointer.target).name == types.shape(field->parent).name &&
                         field->parent != named.type;
    std::set<std::uint64_t> seen;
    while (named.address && !call.session.interrupted() && seen.size() < longestList) {
        if (!seen.insert(*named.address).second) break;
        call.out.print("{} at 0x{}\n---------------------------------------------\n",
                       printable(options.list), addressText(call.session, *named.address));
        printOne(call, named, options.listing);
        call.out.write("\n");
        auto next = call.session.memory().readPointer(*named.address + field->offset,
                                                      call.session.pointerSize());
        if (!next || *next == 0) break;
        named.address = toEntry ? *next - field->parentOffset : *next;
    }
    if (seen.size() >= longestList) call.out.write("(the list goes on)\n");
    return {};
}

/// "ice::Thing*", as WinDbg spells the type of a variable here.
std::string typeWithStar(std::string name) {
    if (name.ends_with(" *")) name.erase(name.size() - 2, 1);
    return printable(name);
}

/// A bare name can be a variable of the frame.
bool showLocal(CommandCall& call, std::string_view name, const TypeListing& listing) {
    const auto frame = frameVariables(call.session);
    if (!frame) return false;
    for (const Variable& variable : frame->variables) {
        if (variable.name != name) continue;
        const VariableValue value = locateVariable(call.session, *frame, variable);
        call.out.print("Local var @ {} Type {}\n",
                       value.address ? fmt::format("0x{:x}", *value.address) : value.where,
                       typeWithStar(frame->module.types->shape(variable.type).name));
        NamedType named{frame->module, variable.type, true, value.address, variable.name};
        if (value.address) {
            printOne(call, named, listing);
            return true;
        }
        const TypeShape shape = frame->module.types->shape(variable.type);
        const auto to = integerOf(value.bytes);
        if (shape.kind == TypeKind::pointer && shape.target && to && *to != 0 &&
            hasMembers(frame->module.types->shape(*shape.target)))
            printTarget(call, frame->module, *shape.target, *to, listing);
        else
            call.out.print("{}\n", valueText(call.session, frame->module, variable.type,
                                             value.bytes, ValueStyle::dt));
        return true;
    }
    return false;
}

}  // namespace

Result<void> displayType(CommandCall& call) {
    ASSIGN_OR_RETURN(Options options, takeOptions(call.arguments));
    const std::string_view name = call.arguments.takeWord();
    if (name.empty()) return fail(Errc::usage, "dt [MODULE!]TYPE [FIELD…] [ADDRESS]");
    if (name.find_first_of("*?") != std::string_view::npos && call.arguments.empty())
        return listNames(call, name);
    const bool bare = name.find('!') == std::string_view::npos;
    if (bare && options.list.empty() && call.arguments.empty() &&
        showLocal(call, name, options.listing))
        return {};
    ASSIGN_OR_RETURN(NamedType named, findNamedType(call.session, name));
    while (!call.arguments.empty()) {
        const std::string_view word = call.arguments.peekWord();
        if (word.starts_with('-')) {
            ASSIGN_OR_RETURN(const Options more, takeOptions(call.arguments));
            options.listing.prefixes = options.listing.prefixes || more.listing.prefixes;
            options.listing.depth = std::max(options.listing.depth, more.listing.depth);
            continue;
        }
        if (hasField(*named.module.types, named.type, word, options.listing.prefixes)) {
            options.listing.fields.emplace_back(call.arguments.takeWord());
            continue;
        }
        const std::string kept(word);
        const auto address = call.arguments.takeExpression();
        if (!address) {
            return fail(Errc::not_found, fmt::format("{}: neither a field of {} nor an address",
                                                     printable(kept), printable(named.name)));
        }
        named.address = *address;
    }
    if (!options.list.empty()) return followList(call, named, options);
    if (bare) call.out.print("{}\n", printable(named.name));
    const TypeShape shape = named.module.types->shape(named.type);
    if (shape.kind == TypeKind::array && named.address && shape.target &&
        (options.listing.arrays || hasMembers(named.module.types->shape(*shape.target)))) {
        printArray(call, named, options.listing);
        return {};
    }
    printOne(call, named, options.listing);
    return {};
}

}  // namespace icecore::debugger
