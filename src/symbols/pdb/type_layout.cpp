#include "symbols/pdb/type_layout.h"

#include <algorithm>

#include "symbols/pdb/built_in_types.h"

namespace icecore::pdb {

namespace {

constexpr int deepest = 32;

struct Pointer {
    std::uint32_t target = 0, attributes = 0;
    [[nodiscard]] std::uint64_t size() const { return (attributes >> 13) & 0x3f; }
    [[nodiscard]] std::string mark() const {
        const std::uint32_t mode = (attributes >> 5) & 7;
        std::string text = mode == 1 ? "&" : mode == 4 ? "&&" : "*";
        if ((attributes & 0x400) != 0) text += " const";
        if ((attributes & 0x200) != 0) text += " volatile";
        return text;
    }
};

Pointer readPointer(const TypeRecord& record) {
    Cursor cursor(record.content());
    return {cursor.u32(), cursor.u32()};
}

std::string nameOf(const PdbFile& file, std::uint32_t index, int depth);

std::string argumentsOf(const PdbFile& file, std::uint32_t index, int depth) {
    const auto record = file.types().record(index);
    if (!record || record->kind != leafArgumentList) return {};
    Cursor cursor(record->content());
    std::string text;
    const std::uint32_t count = cursor.u32();
    constexpr std::size_t longest = 4096;
    for (std::uint32_t i = 0; i < count && cursor.canHold(1, 4) && text.size() < longest; ++i) {
        const std::uint32_t type = cursor.u32();
        if (i != 0) text += ", ";
        text += type == 0 ? "..." : nameOf(file, type, depth + 1);
    }
    return text;
}

std::string functionName(const PdbFile& file, const TypeRecord& record, std::string_view inner,
                         int depth) {
    Cursor cursor(record.content());
    const std::uint32_t result = cursor.u32();
    if (record.kind == leafMemberFunction) cursor.skip(8);  // class, this
    cursor.skip(4);  // convention, attributes, count of parameters
    const std::uint32_t arguments = cursor.u32();
    return nameOf(file, result, depth + 1) + " " + std::string(inner) + "(" +
           argumentsOf(file, arguments, depth) + ")";
}

std::string pointerName(const PdbFile& file, const Pointer& pointer, int depth) {
    const auto target = file.types().record(pointer.target);
    if (target && (target->kind == leafProcedure || target->kind == leafMemberFunction))
        return functionName(file, *target, "(" + pointer.mark() + ")", depth);
    return nameOf(file, pointer.target, depth + 1) + " " + pointer.mark();
}

std::string arrayName(const PdbFile& file, const TypeRecord& record, int depth) {
    Cursor cursor(record.content());
    const std::uint32_t element = cursor.u32();
    cursor.skip(4);
    const std::uint64_t size = numericLeaf(cursor);
    const std::uint64_t each = depth < deepest ? typeSize(file, element).value_or(0) : 0;
    const std::string count = each != 0 && cursor.ok() ? std::to_string(size / each) : "";
    // Of arrays of arrays the outer dimension stands first.
    std::string inner = nameOf(file, element, depth + 1);
    const std::size_t bracket = inner.find('[');
    if (bracket == std::string::npos) return inner + "[" + count + "]";
    return inner.substr(0, bracket) + "[" + count + "]" + inner.substr(bracket);
}

std::string nameOf(const PdbFile& file, std::uint32_t index, int depth) {
    if (depth > deepest) return "…";
    if (index < firstRecord) {
        const BuiltIn* type = builtIn(index);
        std::string name(type != nullptr ? type->name : "<built-in type>");
        return builtInPointerSize(index) != 0 ? name + " *" : name;
    }
    const auto record = file.types().record(index);
    if (!record) return "<type not in the file>";
    Cursor cursor(record->content());
    switch (record->kind) {
    case leafModifier: {
        const std::uint32_t target = cursor.u32();
        const std::uint16_t flags = cursor.u16();
        std::string text;
        if ((flags & 1) != 0) text += "const ";
        if ((flags & 2) != 0) text += "volatile ";
        return text + nameOf(file, target, depth + 1);
    }
    case leafPointer: return pointerName(file, readPointer(*record), depth);
    case leafArray: return arrayName(file, *record, depth);
    case leafProcedure:
    case leafMemberFunction: return functionName(file, *record, "", depth);
    case leafBitField: return nameOf(file, cursor.u32(), depth + 1);
    default: break;
    }
    const auto user = readUserType(*record);
    return user ? user->name : "<type>";
}

std::optional<std::uint64_t> sizeOf(const PdbFile& file, std::uint32_t index, int depth) {
    if (depth > deepest) return std::nullopt;
    if (index < firstRecord) {
        if (const std::uint64_t pointer = builtInPointerSize(index); pointer != 0) return pointer;
        const BuiltIn* type = builtIn(index);
        return type != nullptr ? std::optional<std::uint64_t>(type->size) : std::nullopt;
    }
    const auto record = file.types().record(index);
    if (!record) return std::nullopt;
    Cursor cursor(record->content());
    switch (record->kind) {
    case leafModifier:
    case leafBitField: return sizeOf(file, cursor.u32(), depth + 1);
    case leafPointer: return readPointer(*record).size();
    case leafArray: {
        cursor.skip(8);
        const std::uint64_t size = numericLeaf(cursor);
        return cursor.ok() ? std::optional(size) : std::nullopt;
    }
    default: break;
    }
    const auto user = readUserType(*record);
    if (!user) return std::nullopt;
    if (user->kind == leafEnum && !user->forward) return sizeOf(file, user->underlying, depth + 1);
    if (!user->forward) return user->size;
    const auto whole = file.completeType(*user);
    if (!whole || *whole == index) return std::nullopt;
    return sizeOf(file, *whole, depth + 1);
}

/// Members, from the list's records one after another; a list may go on in another.
class FieldReader {
public:
    FieldReader(const PdbFile& file, TypeLayout& layout) : file_(file), layout_(layout) {}

    void read(std::uint32_t list, int depth = 0) {
        const auto record = file_.types().record(list);
        if (!record || record->kind != leafFieldList || depth > deepest) {
            layout_.complete = false;
            return;
        }
        Cursor cursor(record->content());
        while (!cursor.atEnd()) {
            const std::uint16_t kind = cursor.u16();
            if (!one(kind, cursor, depth) || !cursor.ok()) {
                layout_.complete = false;
                return;
            }
            // Each is padded to four bytes by bytes that tell how many are left.
            while (!cursor.atEnd()) {
                const auto next =
                    std::to_integer<std::uint8_t>(cursor.view().data()[cursor.position()]);
                constexpr std::uint8_t firstPad = 0xf0;
                if (next < firstPad) break;
                cursor.skip(std::max<std::uint64_t>(1, next & 0xfU));
            }
        }
    }

private:
    void add(TypeMember member) { layout_.members.push_back(std::move(member)); }

    bool one(std::uint16_t kind, Cursor& cursor, int depth) {
        TypeMember member;
        switch (kind) {
        case leafMember:
            cursor.skip(2);  // access
            member.type = cursor.u32();
            member.offset = numericLeaf(cursor);
            member.name = cursor.cString();
            bitField(member);
            break;
        case leafStaticMember:
            member.kind = TypeMember::Kind::static_data;
            cursor.skip(2);
            member.type = cursor.u32();
            member.name = cursor.cString();
            break;
        case leafEnumerator:
            member.kind = TypeMember::Kind::enumerator;
            cursor.skip(2);
            member.offset = numericLeaf(cursor);
            member.name = cursor.cString();
            break;
        case leafBaseClass:
            member.kind = TypeMember::Kind::base_class;
            cursor.skip(2);
            member.type = cursor.u32();
            member.offset = numericLeaf(cursor);
            member.name = typeName(file_, static_cast<std::uint32_t>(member.type));
            break;
        case leafVirtualBase:
        case leafIndirectVirtualBase:
            member.kind = TypeMember::Kind::virtual_base;
            cursor.skip(2);
            member.type = cursor.u32();
            cursor.skip(4);  // type of the pointer to the table
            member.offset = numericLeaf(cursor);
            (void)numericLeaf(cursor);
            member.name = typeName(file_, static_cast<std::uint32_t>(member.type));
            break;
        case leafFunctionTable:
            member.kind = TypeMember::Kind::function_table;
            cursor.skip(2);
            member.type = cursor.u32();
            member.name = "__vfptr";
            member.offset = 0;
            break;
        case leafNestedType:
            cursor.skip(6);
            (void)cursor.cString();
            return true;
        case leafMethodList:
            cursor.skip(6);
            (void)cursor.cString();
            return true;
        case leafOneMethod: {
            const std::uint16_t attributes = cursor.u16();
            cursor.skip(4);
            const int property = (attributes >> 2) & 7;
            if (property == 4 || property == 6) cursor.skip(4);  // introduces a virtual function
            (void)cursor.cString();
            return true;
        }
        case leafIndex: {
            cursor.skip(2);
            const std::uint32_t more = cursor.u32();
            if (cursor.ok()) read(more, depth + 1);
            return true;
        }
        default: return false;
        }
        if (cursor.ok()) add(std::move(member));
        return true;
    }

    void bitField(TypeMember& member) const {
        const auto record = file_.types().record(static_cast<std::uint32_t>(member.type));
        if (!record || record->kind != leafBitField) return;
        Cursor cursor(record->content());
        member.type = cursor.u32();
        member.bitLength = cursor.u8();
        member.bitPosition = cursor.u8();
    }

    const PdbFile& file_;
    TypeLayout& layout_;
};

}  // namespace

std::optional<TypeLayout> typeLayout(const PdbFile& file, std::uint32_t index) {
    auto record = file.types().record(index);
    auto user = record ? readUserType(*record) : std::nullopt;
    if (!user) return std::nullopt;
    if (user->forward) {
        const auto whole = file.completeType(*user);
        record = whole ? file.types().record(*whole) : std::nullopt;
        auto found = record ? readUserType(*record) : std::nullopt;
        if (found) {
            user = std::move(found);
            index = *whole;
        }
    }
    TypeLayout layout;
    layout.kind = user->kind;
    layout.name = user->name;
    layout.size = typeSize(file, index).value_or(0);
    layout.complete = !user->forward;
    if (user->fields != 0)
        FieldReader(file, layout).read(user->fields);
    else if (user->count != 0)
        layout.complete = false;
    return layout;
}

std::string typeName(const PdbFile& file, std::uint32_t index) {
    return nameOf(file, index, 0);
}

std::optional<std::uint64_t> typeSize(const PdbFile& file, std::uint32_t index) {
    return sizeOf(file, index, 0);
}

std::optional<std::uint32_t> targetType(const PdbFile& file, std::uint32_t index) {
    if (index < firstRecord)
        return builtInPointerSize(index) != 0 ? std::optional(index & 0xffU) : std::nullopt;
    const auto record = file.types().record(index);
    if (!record) return std::nullopt;
    Cursor cursor(record->content());
    if (record->kind == leafPointer || record->kind == leafModifier || record->kind == leafArray ||
        record->kind == leafBitField)
        return cursor.u32();
    return std::nullopt;
}

}  // namespace icecore::pdb
