// Types and variables out of DWARF: what `dt` and `dv` ask of an ELF module.
#pragma once

#include <functional>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "symbols/dwarf/debug_data.h"
#include "symbols/type_source.h"

namespace icecore::dwarf {

/// Thread-safe. Types are read when somebody asks; the first question by a name looks through all
/// units once.
/// Source: DWARF 5, section 5 (types), 3.3 and 4.1 (functions and variables).
class DwarfTypes final : public TypeSource {
public:
    /// `data` must outlive it.
    DwarfTypes(DebugData& data, Arch arch) : data_(&data), arch_(arch) {}

    [[nodiscard]] std::optional<TypeId> find(std::string_view name) const override;
    [[nodiscard]] std::vector<std::string> matching(std::string_view pattern,
                                                    std::size_t limit) const override;
    [[nodiscard]] TypeShape shape(TypeId id) const override;
    [[nodiscard]] std::vector<TypeMember> members(TypeId id) const override;
    [[nodiscard]] std::optional<TypeId> variableType(std::string_view name) const override;
    [[nodiscard]] std::vector<Variable> variablesAt(std::uint64_t address, std::size_t level,
                                                    const VariableFrame* frame) const override;

private:
    /// A type's entry with qualifiers and names for other types looked through.
    struct Type {
        const Unit* unit = nullptr;  ///< null: void, or nothing that can be read
        FullEntry entry;
        unsigned dimension = 0;  ///< of an array: how many of its dimensions were taken off
        bool nothing = false;    ///< void
    };
    [[nodiscard]] Type typeAt(TypeId id, bool lookThrough) const;
    /// Of an entry that only declares a structure: the one that defines it, where there is one.
    [[nodiscard]] Type complete(Type type) const;
    /// What a DW_AT_type means; void when there is none.
    [[nodiscard]] TypeId typeOf(const Unit& unit, const Value& reference) const;
    [[nodiscard]] std::string nameOf(TypeId id, int depth) const;
    [[nodiscard]] std::string functionNameOf(const Type& type, std::string_view inner,
                                             int depth) const;
    [[nodiscard]] std::string qualifiedName(const Type& type) const;
    /// "ns::Class::" for an entry that may have a DW_AT_specification.
    [[nodiscard]] std::string scopesOf(const Unit& unit, std::uint64_t entry,
                                       const Value& specification) const;
    [[nodiscard]] std::uint64_t sizeOf(const Type& type, int depth) const;
    /// Elements in each dimension.
    [[nodiscard]] std::vector<std::uint64_t> dimensionsOf(const Type& type) const;
    [[nodiscard]] TypeMember memberOf(const Unit& unit, const FullEntry& entry) const;

    /// Calls `visit(tag, qualified name, place, only declared)` for every type and global variable
    /// that has a name, until it returns false.
    using NameVisitor =
        std::function<bool(std::uint16_t, const std::string&, const EntryPlace&, bool declaration)>;
    void eachName(const NameVisitor& visit) const;
    [[nodiscard]] bool namesIn(const Unit& unit, const NameVisitor& visit) const;
    struct Indexed {
        std::uint64_t hash = 0, number = 0;
        std::uint16_t tag = 0;
    };
    [[nodiscard]] std::optional<std::uint64_t> indexed(std::string_view name, bool variable) const;

    DebugData* data_;
    Arch arch_;
    mutable std::once_flag indexOnce_;
    mutable std::vector<Indexed> index_;  ///< by hash
    mutable std::mutex namesMutex_;
    mutable std::unordered_map<std::uint64_t, std::string> scopes_;  ///< by the entry's number
};

}  // namespace icecore::dwarf
