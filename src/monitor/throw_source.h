// Exceptions of a language's own runtime, seen at the place where every throw passes.
//
// A runtime joins in by one class and one line in throwSources(): it says where its throws pass in
// a module that has just been loaded, and reads what is thrown once a thread stands there. C++ does
// it by __cxa_throw; a managed runtime would name the function that its throw helper calls, or
// none, and be asked at the signals it raises.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arch/registers.h"
#include "memory/address_space.h"
#include "symbols/symbol_table.h"

namespace icecore::monitor {

/// What a thread is about to throw.
struct Thrown {
    std::string type;     ///< as its language spells it: "std::runtime_error"
    std::string message;  ///< empty when it has none, or none that can be read
    /// "TYPE: MESSAGE", or the type alone: what filters look at.
    [[nodiscard]] std::string text() const;
};

class ThrowSource {
public:
    virtual ~ThrowSource() = default;
    /// "C++".
    [[nodiscard]] virtual std::string_view language() const = 0;
    /// Link-time addresses of the instructions that every throw passes, where the module with
    /// these symbols is the one that has them; usually none.
    [[nodiscard]] virtual std::vector<std::uint64_t> throwSites(
        const SymbolTable& symbols) const = 0;
    /// What a thread that stands at such a place throws; nothing when it cannot be read.
    [[nodiscard]] virtual std::optional<Thrown> thrown(const Registers& registers,
                                                       const AddressSpace& memory) const = 0;
};

/// Every runtime we know.
const std::vector<std::unique_ptr<ThrowSource>>& throwSources();

/// C++ by the Itanium ABI (libstdc++, libc++abi): throw_source_cpp.cpp.
std::unique_ptr<ThrowSource> makeCppThrowSource();

}  // namespace icecore::monitor
