// Types and variables: what `dt` and `dv` ask of a module's debug information, whatever its format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arch/registers.h"

namespace icecore {

/// A type by the number its source knows it by.
using TypeId = std::uint64_t;

enum class TypeKind : std::uint8_t {
    unknown,
    nothing,  ///< void
    signed_integer,
    unsigned_integer,
    character,  ///< signed text: char, wchar_t, char8_t… of `size` bytes
    unsigned_character,
    boolean,
    floating,
    pointer,
    array,
    structure,
    class_type,
    union_type,
    enumeration,
    function,
};

/// A type itself; `const` and names that stand for other types are looked through.
struct TypeShape {
    TypeKind kind = TypeKind::unknown;
    std::string name;              ///< as in C++, without "struct": "ice::Thing *"
    std::uint64_t size = 0;        ///< bytes, 0 unknown
    std::optional<TypeId> target;  ///< what a pointer points to; an array's element; of a function
                                   ///< its result; of an enumeration the integer below it
    std::uint64_t count = 0;       ///< elements of an array
};

struct TypeMember {
    enum class Kind : std::uint8_t {
        data,
        base_class,
        virtual_base,
        static_data,
        enumerator,
        function_table,
    };
    Kind kind = Kind::data;
    std::string name;            ///< of a base class: its type's
    std::uint64_t offset = 0;    ///< bytes; of an enumerator: its value
    TypeId type = 0;             ///< of a bit field: the type it is a part of
    std::uint8_t bitLength = 0;  ///< 0: no bit field
    std::uint8_t bitPosition = 0;
};

/// Where a piece of a variable is while the code at one address runs.
struct VariablePiece {
    enum class Place : std::uint8_t {
        in_register,
        in_vector,    ///< the vector register with the number `offset`
        at_register,  ///< in memory, `offset` bytes from what the register holds
        at_frame,     ///< `offset` bytes from the frame's address: what the caller's stack
                      ///< pointer was after its call, less one pointer (x86's virtual frame)
        at_address,   ///< `offset` is an address of the module
        computed,     ///< `offset` is an address of the process that was computed for one frame
        value,        ///< nowhere: `offset` is the value itself
    };
    Place place = Place::in_register;
    RegisterId reg = 0;
    std::uint8_t registerShift = 0;  ///< bits: the second byte of a register (ah)
    std::int64_t offset = 0;
    std::uint32_t at = 0;    ///< bytes of the variable before this piece
    std::uint32_t size = 0;  ///< bytes of the piece; 0: to the variable's end
};

struct Variable {
    std::string name;
    TypeId type = 0;
    bool parameter = false;
    /// Nothing: the variable has no value here (optimised away).
    std::vector<VariablePiece> pieces;
    std::optional<std::uint64_t> constant;  ///< its value, where the code needs no place for it
};

/// The frame whose variables are asked for: some places have to be computed from it.
struct VariableFrame {
    Registers registers;
    /// The stack pointer after the return to the caller.
    std::optional<std::uint64_t> callerSp;
    /// Unsigned integers of the process' memory, of 1, 2, 4 or 8 bytes.
    std::function<std::optional<std::uint64_t>(std::uint64_t address, std::size_t size)> load;
    std::uint64_t bias = 0;  ///< runtime address less the module's own
    /// The frame that called this one, with its return address as the module's own; null when it
    /// is not known, or of another module.
    const VariableFrame* caller = nullptr;
    std::uint64_t pc = 0;  ///< the module's own
};

/// Thread-safe. Numbers from a file that is damaged lead to `unknown` shapes and empty lists.
class TypeSource {
public:
    virtual ~TypeSource() = default;
    TypeSource() = default;
    TypeSource(const TypeSource&) = delete;
    TypeSource& operator=(const TypeSource&) = delete;

    /// The complete type of that name ("ns::Class", "_PEB", "HANDLE", "unsigned int").
    [[nodiscard]] virtual std::optional<TypeId> find(std::string_view name) const = 0;
    /// Names of types that match a pattern with wildcards, each once; at most `limit`.
    [[nodiscard]] virtual std::vector<std::string> matching(std::string_view pattern,
                                                            std::size_t limit) const = 0;
    [[nodiscard]] virtual TypeShape shape(TypeId type) const = 0;
    /// Of a structure, class, union (data, bases) or enumeration (its values), in the order of
    /// the declaration.
    [[nodiscard]] virtual std::vector<TypeMember> members(TypeId type) const = 0;
    /// The type of a global or static variable by its name.
    [[nodiscard]] virtual std::optional<TypeId> variableType(std::string_view name) const = 0;
    /// The variables in scope at an address of the module, innermost block first. `level` chooses
    /// among the functions that ModuleReader::locate lists for it: 0 is the innermost inlined one.
    /// Without a `frame`, places that have to be computed are left out.
    [[nodiscard]] virtual std::vector<Variable> variablesAt(std::uint64_t address,
                                                            std::size_t level,
                                                            const VariableFrame* frame) const = 0;
};

}  // namespace icecore
