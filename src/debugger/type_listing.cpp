#include "debugger/type_listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

/// What one command prints at most: types that contain themselves grow fast.
constexpr std::size_t mostLines = 20'000;
constexpr unsigned deepestBase = 32;
constexpr std::uint64_t mostElements = 1024;

using Kind = TypeMember::Kind;

bool fieldMatches(std::string_view name, std::string_view wanted, bool prefixes) {
    if (prefixes) return name.starts_with(wanted);
    if (wanted.find_first_of("*?") != std::string_view::npos)
        return matchesWildcard(name, wanted, false);
    return name == wanted;
}

/// Calls `visit(member, offset, owner's name)` for the members a structure has, those of its bases
/// among them at the bases' places, as debuggers list them. `visit` returns false to stop.
template <class Visit>
bool eachMember(const TypeSource& types, TypeId type, std::uint64_t offset, unsigned depth,
                const Visit& visit) {
    const std::string owner = types.shape(type).name;
    for (const TypeMember& member : types.members(type)) {
        if (member.kind == Kind::base_class && depth < deepestBase) {
            if (!eachMember(types, member.type, offset + member.offset, depth + 1, visit))
                return false;
            continue;
        }
        if (!visit(member, offset + member.offset, owner)) return false;
    }
    return true;
}

class Lister {
public:
    Lister(Session& session, Output& out, const ModuleTypes& module, const TypeListing& how)
        : session_(session), out_(out), module_(module), types_(*module.types), how_(how) {}

    bool structure(TypeId type, std::optional<std::uint64_t> address, unsigned depth,
                   const std::string& indent, const std::vector<std::string>& fields);

private:
    /// The widest of the names that are asked for; of whole structures WinDbg's column.
    void measure(TypeId type, const std::vector<std::string>& fields);
    void enumeration(TypeId type, const TypeShape& shape, const std::string& indent);
    void member(const TypeMember& member, std::uint64_t offset, const std::string& owner,
                std::optional<std::uint64_t> address, unsigned depth, const std::string& indent,
                bool open);
    void insides(const TypeMember& member, std::optional<std::uint64_t> at, unsigned depth,
                 const std::string& indent);
    void elements(TypeId type, const TypeShape& shape, std::optional<std::uint64_t> at,
                  const std::string& indent);
    [[nodiscard]] std::string value(const TypeMember& member,
                                    std::optional<std::uint64_t> at) const;
    bool line(const std::string& text) {
        if (lines_++ < mostLines && !session_.interrupted()) {
            out_.write(text + "\n");
            return true;
        }
        if (lines_ == mostLines + 1) out_.write("(more than can be shown)\n");
        return false;
    }

    Session& session_;
    Output& out_;
    const ModuleTypes& module_;
    const TypeSource& types_;
    const TypeListing& how_;
    std::size_t lines_ = 0;
    std::size_t column_ = 16;
};

void Lister::measure(TypeId type, const std::vector<std::string>& fields) {
    if (fields.empty()) return;
    column_ = 0;
    eachMember(
        types_, type, 0, 0, [&](const TypeMember& member, std::uint64_t, const std::string&) {
            for (const std::string& field : fields) {
                const std::string_view head = std::string_view(field).substr(0, field.find('.'));
                if (fieldMatches(member.name, head, how_.prefixes))
                    column_ = std::max(column_, member.name.size());
            }
            return true;
        });
}

std::string Lister::value(const TypeMember& member, std::optional<std::uint64_t> at) const {
    if (member.bitLength != 0) {
        if (!at) {
            return fmt::format("Pos {}, {} Bit{}", member.bitPosition, member.bitLength,
                               member.bitLength == 1 ? "" : "s");
        }
        return bitsText(member, bytesAt(session_, *at, types_.shape(member.type).size));
    }
    if (!at) return layoutTypeText(types_, member.type);
    return valueTextAt(session_, module_, member.type, *at, ValueStyle::dt);
}

void Lister::enumeration(TypeId type, const TypeShape& shape, const std::string& indent) {
    const unsigned shift =
        shape.size >= 8 || shape.size == 0 ? 0 : static_cast<unsigned>(64 - 8 * shape.size);
    for (const TypeMember& member : types_.members(type)) {
        if (member.kind != Kind::enumerator) continue;
        const std::int64_t number = static_cast<std::int64_t>(member.offset << shift) >> shift;
        if (!line(fmt::format("{}   {} = 0n{}", indent, printable(member.name), number))) return;
    }
}

void Lister::elements(TypeId type, const TypeShape& shape, std::optional<std::uint64_t> at,
                      const std::string& indent) {
    if (!shape.target) return;
    const std::uint64_t each = types_.shape(*shape.target).size;
    for (std::uint64_t i = 0; i < std::min(shape.count, mostElements); ++i) {
        const std::string text =
            at ? valueTextAt(session_, module_, *shape.target, *at + i * each, ValueStyle::dt)
               : layoutTypeText(types_, type);
        if (!line(fmt::format("{}    [{:02}] {}", indent, i, text))) return;
    }
}

/// What is inside a member, or behind its pointer, one level further in.
void Lister::insides(const TypeMember& member, std::optional<std::uint64_t> at, unsigned depth,
                     const std::string& indent) {
    const TypeShape shape = types_.shape(member.type);
    const std::string inner = indent + "   ";
    if (how_.arrays && shape.kind == TypeKind::array) elements(member.type, shape, at, inner);
    if (depth == 0) return;
    if (shape.kind == TypeKind::structure || shape.kind == TypeKind::class_type ||
        shape.kind == TypeKind::union_type) {
        structure(member.type, at, depth - 1, inner, {});
    } else if (shape.kind == TypeKind::pointer && shape.target && !how_.embeddedOnly) {
        const TypeShape target = types_.shape(*shape.target);
        if (!hasMembers(target) || target.kind == TypeKind::enumeration) return;
        std::optional<std::uint64_t> to;
        if (at) {
            to = session_.memory().readPointer(*at, session_.pointerSize());
            if (!to || *to == 0) return;
        }
        structure(*shape.target, to, depth - 1, inner, {});
    } else if (shape.kind == TypeKind::enumeration && !at) {
        enumeration(member.type, shape, inner);
    }
}

void Lister::member(const TypeMember& member, std::uint64_t offset, const std::string& owner,
                    std::optional<std::uint64_t> address, unsigned depth, const std::string& indent,
                    bool open) {
    std::optional<std::uint64_t> at;
    if (address) at = *address + offset;
    std::string text = indent;
    if (member.kind == Kind::static_data) {
        const auto place = session_.symbolizer().byName(
            fmt::format("{}!{}::{}", module_.module->fileName(), owner, member.name));
        at = place ? std::optional(place->address) : std::nullopt;
        text += "   =" + (at ? addressText(session_, *at) : unknownAddressText(session_)) + " ";
    } else if (how_.offsets) {
        text += fmt::format("   +0x{:03x} ", offset);
    } else {
        text += "   ";
    }
    if (member.kind == Kind::function_table) {
        line(text + "__VFN_table : " + value(member, at));
        return;
    }
    const std::string name = member.kind == Kind::virtual_base
                                 ? "__VirtualBase " + printable(member.name)
                                 : printable(member.name);
    // A static member has a value when one is asked for.
    const auto shown = member.kind == Kind::static_data && !address ? std::nullopt : at;
    if (!line(fmt::format("{}{:<{}} : {}", text, name, column_,
                          open ? std::string() : value(member, shown))))
        return;
    insides(member, shown, open ? depth + 1 : depth, indent);
}

bool Lister::structure(TypeId type, std::optional<std::uint64_t> address, unsigned depth,
                       const std::string& indent, const std::vector<std::string>& fields) {
    const TypeShape shape = types_.shape(type);
    if (shape.kind == TypeKind::enumeration) {
        enumeration(type, shape, indent);
        return true;
    }
    bool any = false;
    const std::size_t outerColumn = std::exchange(column_, 16);
    measure(type, fields);
    eachMember(types_, type, 0, 0,
               [&](const TypeMember& candidate, std::uint64_t offset, const std::string& owner) {
                   if (lines_ > mostLines || session_.interrupted()) return false;
                   if (fields.empty()) {
                       any = true;
                       member(candidate, offset, owner, address, depth, indent, false);
                       return true;
                   }
                   for (const std::string& field : fields) {
                       const std::size_t dot = field.find('.');
                       const std::string_view head = std::string_view(field).substr(0, dot);
                       if (!fieldMatches(candidate.name, head, how_.prefixes)) continue;
                       const std::string rest =
                           dot == std::string::npos ? std::string() : field.substr(dot + 1);
                       any = true;
                       if (rest.empty()) {
                           member(candidate, offset, owner, address, depth, indent,
                                  dot != std::string::npos);
                           break;
                       }
                       // The members that the path goes on to, below the name of this one.
                       line(fmt::format("{}   +0x{:03x} {:<{}} : ", indent, offset,
                                        printable(candidate.name), column_));
                       std::optional<std::uint64_t> at;
                       if (address) at = *address + offset;
                       TypeId inner = candidate.type;
                       const TypeShape reached = types_.shape(inner);
                       if (reached.kind == TypeKind::pointer && reached.target) {
                           inner = *reached.target;
                           if (at) at = session_.memory().readPointer(*at, session_.pointerSize());
                       }
                       structure(inner, at, depth, indent + "   ", {rest});
                       break;
                   }
                   return true;
               });
    column_ = outerColumn;
    return any;
}

}  // namespace

bool hasMembers(const TypeShape& shape) {
    switch (shape.kind) {
    case TypeKind::structure:
    case TypeKind::class_type:
    case TypeKind::union_type:
    case TypeKind::enumeration: return true;
    default: return false;
    }
}

bool hasField(const TypeSource& types, TypeId type, std::string_view path, bool prefixes) {
    const std::string_view head = path.substr(0, path.find('.'));
    bool found = false;
    eachMember(types, type, 0, 0, [&](const TypeMember& member, std::uint64_t, const std::string&) {
        found = fieldMatches(member.name, head, prefixes);
        return !found;
    });
    return found;
}

std::optional<FoundField> findField(const TypeSource& types, TypeId type, std::string_view path) {
    FoundField found;
    found.type = type;
    while (!path.empty()) {
        const std::size_t dot = path.find('.');
        const std::string_view head = path.substr(0, dot);
        std::optional<FoundField> next;
        eachMember(types, found.type, found.offset, 0,
                   [&](const TypeMember& member, std::uint64_t offset, const std::string&) {
                       if (member.kind != Kind::data || member.name != head) return true;
                       next = FoundField{offset,     member.type,      found.offset,
                                         found.type, member.bitLength, member.bitPosition};
                       return false;
                   });
        if (!next) return std::nullopt;
        found = *next;
        path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
    }
    return found;
}

bool listMembers(Session& session, Output& out, const ModuleTypes& module, TypeId type,
                 std::optional<std::uint64_t> address, const TypeListing& how) {
    return Lister(session, out, module, how).structure(type, address, how.depth, "", how.fields);
}

}  // namespace icecore::debugger
