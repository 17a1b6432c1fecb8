// The variables of a function, and where they are while the code at an address runs.
#include <algorithm>
#include <unordered_set>

#include "symbols/dwarf/constants.h"
#include "symbols/dwarf/location.h"
#include "symbols/dwarf/location_list.h"
#include "symbols/dwarf/types.h"

namespace icecore::dwarf {

namespace {

constexpr std::size_t mostVariables = 65'536;
constexpr int deepestNesting = 512;
/// Origins and specifications are followed at most so far.
constexpr int longestChain = 16;

bool isBlock(std::uint16_t tag) {
    return tag == tag_lexical_block || tag == tag_try_block;
}

/// Scopes that contain an address, from the function inwards.
std::vector<FullEntry> scopesAt(const Unit& unit, FullEntry function, std::uint64_t address) {
    std::vector<FullEntry> path{std::move(function)};
    std::vector<Range> pieces;
    for (int depth = 0; depth < deepestNesting; ++depth) {
        std::optional<FullEntry> inside;
        unit.children(path.back(), [&](const FullEntry& child) {
            if (child.tag != tag_inlined_subroutine && !isBlock(child.tag)) return true;
            pieces.clear();
            unit.codeRanges(child.value(at_low_pc), child.value(at_high_pc), child.value(at_ranges),
                            pieces);
            for (const Range& range : pieces) {
                if (!range.contains(address)) continue;
                inside = child;
                return false;
            }
            return true;
        });
        if (!inside) break;
        path.push_back(std::move(*inside));
    }
    return path;
}

/// The call that returns to `returnAddress`, in `parent` or a block within it.
std::optional<FullEntry> callSite(const Unit& unit, const FullEntry& parent,
                                  std::uint64_t returnAddress, int depth) {
    std::optional<FullEntry> found;
    if (depth > deepestNesting) return found;
    unit.children(parent, [&](const FullEntry& child) {
        if (child.tag == tag_call_site || child.tag == tag_gnu_call_site) {
            const Value at =
                child.value(child.tag == tag_call_site ? at_call_return_pc : at_low_pc);
            if (unit.address(at) == returnAddress) found = child;
        } else if (isBlock(child.tag) || child.tag == tag_inlined_subroutine) {
            found = callSite(unit, child, returnAddress, depth + 1);
        }
        return !found;
    });
    return found;
}

/// One function's variables.
class Reader {
public:
    Reader(DebugData& data, Arch arch, const Unit& unit, const FullEntry& function,
           std::uint64_t address, const VariableFrame* frame)
        : data_(data), function_(function), address_(address), input_{unit, arch, {}, frame, {}} {
        input_.frameBase = locationAt(unit, function.value(at_frame_base), address);
        input_.entryValue = [this](std::uint64_t reg) { return entryValue(reg); };
    }

    struct Found {
        Variable variable;
        Value type;
        const Unit* typeUnit = nullptr;
    };
    std::vector<Found> found;

    void scope(const FullEntry& scope) {
        const Unit& unit = input_.unit;
        std::unordered_set<std::uint64_t> origins;
        unit.children(scope, [&](const FullEntry& child) {
            if (child.tag == tag_formal_parameter || child.tag == tag_variable) {
                if (const auto origin = data_.resolve(unit, child.value(at_abstract_origin)))
                    origins.insert(origin->second);
                add(unit, child, true);
            }
            return found.size() < mostVariables;
        });
        // What was optimised away is left out of this copy of the function's code, and stands in
        // the function that it is a copy of.
        if (isBlock(scope.tag)) return;
        const auto place = data_.resolve(unit, scope.value(at_abstract_origin));
        const auto abstract = place ? place->first->fullEntryAt(place->second) : std::nullopt;
        if (!abstract) return;
        place->first->children(*abstract, [&](const FullEntry& child) {
            if ((child.tag == tag_formal_parameter || child.tag == tag_variable) &&
                !origins.contains(child.offset))
                add(*place->first, child, false);
            return found.size() < mostVariables;
        });
    }

private:
    void add(const Unit& unit, const FullEntry& entry, bool concrete) {
        Found one;
        one.variable.parameter = entry.tag == tag_formal_parameter;
        Value location = entry.value(at_location), constant = entry.value(at_const_value);
        const Unit* at = &unit;
        FullEntry link = entry;
        // Name and type stand where the function was declared; a static variable's place, too.
        for (int i = 0; i < longestChain; ++i) {
            if (one.variable.name.empty())
                one.variable.name = data_.textOf(*at, link.value(at_name));
            if (one.typeUnit == nullptr && link.value(at_type).present()) {
                one.type = link.value(at_type);
                one.typeUnit = at;
            }
            const bool ownPlace = at == &input_.unit;
            if (ownPlace && !location.present()) location = link.value(at_location);
            if (ownPlace && !constant.present()) constant = link.value(at_const_value);
            const Value origin = link.value(at_abstract_origin);
            const auto next =
                data_.resolve(*at, origin.present() ? origin : link.value(at_specification));
            auto further = next ? next->first->fullEntryAt(next->second) : std::nullopt;
            if (!further) break;
            at = next->first;
            link = std::move(*further);
        }
        if (one.variable.name.empty() || one.typeUnit == nullptr) return;
        // "extern int x;" within a function.
        if (entry.flag(at_declaration) && !location.present()) return;
        if (constant.present())
            ofConstant(constant, one.variable);
        else if (const auto text = locationAt(input_.unit, location, address_); text && concrete)
            one.variable.pieces = placesOf(*text, input_);
        else if (text)
            ofStatic(*text, one.variable);
        found.push_back(std::move(one));
    }

    /// Of an entry of the function that this is a copy of only what does not depend on the copy.
    void ofStatic(ByteView text, Variable& variable) const {
        for (const VariablePiece& piece : placesOf(text, input_)) {
            if (piece.place == VariablePiece::Place::at_address) variable.pieces.push_back(piece);
        }
    }

    static void ofConstant(const Value& constant, Variable& variable) {
        if (constant.form == form_string || constant.form == form_strp) return;
        if (constant.text.empty()) {
            variable.constant = constant.number;
            return;
        }
        VariablePiece piece;
        piece.place = VariablePiece::Place::value;
        constexpr std::uint64_t each = 8, most = 4096;
        const ByteView bytes = constant.block();
        for (std::uint64_t at = 0; at < std::min<std::uint64_t>(bytes.size(), most); at += each) {
            Cursor cursor(bytes.slice(at, each));
            piece.at = static_cast<std::uint32_t>(at);
            piece.size = static_cast<std::uint32_t>(cursor.remaining());
            piece.offset = static_cast<std::int64_t>(cursor.unsignedOf(piece.size));
            variable.pieces.push_back(piece);
        }
    }

    /// What the caller says of the register that it passed a parameter in.
    std::optional<std::uint64_t> entryValue(std::uint64_t reg) const {
        const VariableFrame* caller = input_.frame != nullptr ? input_.frame->caller : nullptr;
        if (caller == nullptr || caller->pc == 0) return std::nullopt;
        const Unit* main = data_.unitAt(caller->pc - 1);
        if (main == nullptr) return std::nullopt;
        const Unit& unit = data_.withCode(*main);
        const FunctionRange* range = unit.functionAt(caller->pc - 1);
        const auto function = range != nullptr ? unit.fullEntryAt(range->entry) : std::nullopt;
        const auto call = function ? callSite(unit, *function, caller->pc, 0) : std::nullopt;
        if (!call || !callsThis(unit, *call)) return std::nullopt;
        LocationInput there{unit,
                            input_.arch,
                            locationAt(unit, function->value(at_frame_base), caller->pc - 1),
                            caller,
                            {}};
        std::optional<std::uint64_t> value;
        unit.children(*call, [&](const FullEntry& child) {
            if (registerOf(child.value(at_location).block()) != reg) return true;
            const bool gnu = child.tag == tag_gnu_call_site_parameter;
            value =
                valueOf(child.value(gnu ? at_gnu_call_site_value : at_call_value).block(), there);
            return false;
        });
        return value;
    }

    /// Whether the call names this function: another one may have jumped here.
    bool callsThis(const Unit& unit, const FullEntry& call) const {
        const bool gnu = call.tag == tag_gnu_call_site;
        auto called = data_.resolve(unit, call.value(gnu ? at_abstract_origin : at_call_origin));
        for (int i = 0; called && i < longestChain; ++i) {
            EntryPlace own{&input_.unit, function_.offset};
            for (int j = 0; j < longestChain; ++j) {
                if (own == *called) return true;
                const auto next = further(own);
                if (!next) break;
                own = *next;
            }
            called = further(*called);
        }
        return false;
    }

    std::optional<EntryPlace> further(const EntryPlace& place) const {
        const auto entry = place.first->fullEntryAt(place.second);
        if (!entry) return std::nullopt;
        const Value origin = entry->value(at_abstract_origin);
        return data_.resolve(*place.first,
                             origin.present() ? origin : entry->value(at_specification));
    }

    DebugData& data_;
    const FullEntry& function_;
    std::uint64_t address_;
    LocationInput input_;
};

}  // namespace

std::vector<Variable> DwarfTypes::variablesAt(std::uint64_t address, std::size_t level,
                                              const VariableFrame* frame) const {
    std::vector<Variable> variables;
    const Unit* main = data_->unitAt(address);
    if (main == nullptr) return variables;
    const Unit& unit = data_->withCode(*main);
    const FunctionRange* range = unit.functionAt(address);
    auto function = range != nullptr ? unit.fullEntryAt(range->entry) : std::nullopt;
    if (!function) return variables;
    const std::vector<FullEntry> path = scopesAt(unit, *function, address);

    // Each inlined call begins a function of its own.
    std::size_t end = path.size();
    const auto beginOf = [&](std::size_t behind) {
        while (behind > 1 && isBlock(path[behind - 1].tag))
            --behind;
        return behind - 1;
    };
    std::size_t begin = beginOf(end);
    for (; level > 0; --level) {
        if (begin == 0) return variables;
        end = begin;
        begin = beginOf(end);
    }
    Reader reader(*data_, arch_, unit, *function, address, frame);
    for (std::size_t i = end; i-- > begin;)
        reader.scope(path[i]);
    for (Reader::Found& one : reader.found) {
        one.variable.type = typeOf(*one.typeUnit, one.type);
        // A register is as wide as what is in it.
        if (one.variable.pieces.size() == 1 && one.variable.pieces.front().size == 0 &&
            one.variable.pieces.front().place == VariablePiece::Place::in_register) {
            one.variable.pieces.front().size = static_cast<std::uint32_t>(
                std::min<std::uint64_t>(shape(one.variable.type).size, UINT32_MAX));
        }
        variables.push_back(std::move(one.variable));
    }
    return variables;
}

}  // namespace icecore::dwarf
