// Variables of a PDB: global ones by name, local ones by address.
#include "symbols/pdb/local_variables.h"
#include "symbols/pdb/pdb_file.h"

namespace icecore::pdb {

std::optional<std::uint32_t> PdbFile::dataType(std::string_view name) const {
    std::optional<std::uint32_t> found;
    globals_.named(name, [&](const GlobalSymbol& symbol) {
        switch (symbol.kind) {
        case symGData32:
        case symLData32:
        case symGThread32:
        case symLThread32: found = symbol.type; return false;
        default: return true;
        }
    });
    return found;
}

void PdbFile::typedefs(const std::function<bool(std::string_view)>& visit) const {
    globals_.all(
        [&](const GlobalSymbol& symbol) { return symbol.kind != symUdt || visit(symbol.name); });
}

std::vector<Variable> PdbFile::variablesAt(std::uint32_t address, std::size_t level) const {
    const AddressMap& addresses = dbi_->addresses();
    const auto linked = addresses.fromImage(address);
    const auto place = linked ? addresses.place(*linked) : std::nullopt;
    const auto module = place ? dbi_->moduleAt(*place) : std::nullopt;
    const auto symbols = module ? object(*module) : nullptr;
    const ObjectSymbols::Function* function = symbols ? symbols->functionAt(*linked) : nullptr;
    if (function == nullptr) return {};
    const auto inlines = symbols->inlines(*function, *linked);
    if (level > inlines.size()) return {};
    VariableScope where;
    where.symbols = symbols->symbols();
    where.function = function->record;
    where.scope = level < inlines.size() ? inlines[level].record : function->record;
    where.address = *linked;
    where.machine = machine();
    std::vector<Variable> variables = scopeVariables(where, addresses);
    for (Variable& variable : variables) {
        std::erase_if(variable.pieces, [&](VariablePiece& piece) {
            if (piece.place != VariablePiece::Place::at_address) return false;
            const auto outside = addresses.toImage(static_cast<std::uint32_t>(piece.offset));
            piece.offset = outside.value_or(0);
            return !outside;
        });
    }
    return variables;
}

}  // namespace icecore::pdb
