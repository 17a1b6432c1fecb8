// A PDB's types and variables, as debuggers ask for them.
#pragma once

#include <memory>

#include "symbols/pdb/pdb_file.h"
#include "symbols/type_source.h"

namespace icecore::pdb {

/// Addresses are relative to the image's base, as the PDB's are.
class PdbTypes final : public TypeSource {
public:
    explicit PdbTypes(std::shared_ptr<const PdbFile> file) : file_(std::move(file)) {}

    [[nodiscard]] std::optional<TypeId> find(std::string_view name) const override;
    [[nodiscard]] std::vector<std::string> matching(std::string_view pattern,
                                                    std::size_t limit) const override;
    [[nodiscard]] TypeShape shape(TypeId type) const override;
    [[nodiscard]] std::vector<TypeMember> members(TypeId type) const override;
    [[nodiscard]] std::optional<TypeId> variableType(std::string_view name) const override;
    [[nodiscard]] std::vector<Variable> variablesAt(std::uint64_t address, std::size_t level,
                                                    const VariableFrame* frame) const override;

private:
    std::shared_ptr<const PdbFile> file_;
};

}  // namespace icecore::pdb
