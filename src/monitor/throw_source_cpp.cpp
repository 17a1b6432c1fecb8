// C++ throws: void __cxa_throw(void* object, std::type_info* type, void (*destructor)(void*)).
// Layouts: Itanium C++ ABI, 2.9.5 "RTTI Layout" and 3.4 (exceptions, "Level II").
#include <array>

#include "monitor/pure_call.h"
#include "monitor/throw_source.h"
#include "symbols/demangle.h"

namespace icecore::monitor {

namespace {

constexpr std::size_t longestName = 4096;
constexpr std::size_t longestMessage = 4096;
constexpr std::size_t pointer = 8;

/// The mangled name that a std::type_info holds, without the '*' that marks a local one.
std::optional<std::string> nameOf(std::uint64_t typeInfo, const AddressSpace& memory) {
    const auto name = memory.readPointer(typeInfo + pointer);
    auto text = name ? memory.readCString(*name, longestName) : std::nullopt;
    if (!text || text->empty()) return std::nullopt;
    if (text->front() == '*') text->erase(0, 1);
    return text;
}

/// Which kind of type_info it is: a type_info has a vtable, and that a type_info of its own.
std::string kindOf(std::uint64_t typeInfo, const AddressSpace& memory) {
    const auto table = memory.readPointer(typeInfo);
    const auto own = table ? memory.readPointer(*table - pointer) : std::nullopt;
    return own ? nameOf(*own, memory).value_or("") : std::string();
}

/// Where in the object at `object`, which is of `typeInfo`, its std::exception lies.
std::optional<std::uint64_t> findStdException(std::uint64_t typeInfo, std::uint64_t object,
                                              const AddressSpace& memory, int depth) {
    constexpr int deepest = 32;
    constexpr std::uint32_t mostBases = 64;
    if (depth > deepest) return std::nullopt;
    if (nameOf(typeInfo, memory) == "St9exception") return object;
    const std::string kind = kindOf(typeInfo, memory);
    if (kind == "N10__cxxabiv120__si_class_type_infoE") {
        // One public base at offset 0: __base_type.
        const auto base = memory.readPointer(typeInfo + 2 * pointer);
        return base ? findStdException(*base, object, memory, depth + 1) : std::nullopt;
    }
    if (kind != "N10__cxxabiv121__vmi_class_type_infoE") return std::nullopt;
    // unsigned __flags, __base_count; then pairs of __base_type and __offset_flags.
    const auto count = memory.readInteger<std::uint32_t>(typeInfo + 2 * pointer + 4);
    for (std::uint32_t i = 0; count && i < std::min(*count, mostBases); ++i) {
        const std::uint64_t entry = typeInfo + 3 * pointer + std::uint64_t{i} * 2 * pointer;
        const auto base = memory.readPointer(entry);
        const auto flags = memory.readInteger<std::int64_t>(entry + pointer);
        if (!base || !flags) return std::nullopt;
        std::int64_t offset = *flags >> 8;
        if ((*flags & 1) != 0) {  // virtual: the offset is one in the vtable
            const auto table = memory.readPointer(object);
            const auto stored =
                table
                    ? memory.readInteger<std::int64_t>(*table + static_cast<std::uint64_t>(offset))
                    : std::nullopt;
            if (!stored) continue;
            offset = *stored;
        }
        if (const auto found = findStdException(*base, object + static_cast<std::uint64_t>(offset),
                                                memory, depth + 1))
            return found;
    }
    return std::nullopt;
}

/// What what() would return. Nothing runs in the target: its code is followed on paper.
std::optional<std::string> whatOf(std::uint64_t exception, const AddressSpace& memory) {
    // The vtable of std::exception: two destructors, what().
    const auto table = memory.readPointer(exception);
    const auto what = table ? memory.readPointer(*table + 2 * pointer) : std::nullopt;
    const auto text = what ? evaluatePureCall(memory, *what, exception) : std::nullopt;
    return text && *text != 0 ? memory.readCString(*text, longestMessage) : std::nullopt;
}

class CppThrowSource final : public ThrowSource {
public:
    [[nodiscard]] std::string_view language() const override { return "C++"; }

    [[nodiscard]] std::vector<std::uint64_t> throwSites(const SymbolTable& symbols) const override {
        std::vector<std::uint64_t> sites;
        for (const SymbolTable::Entry& entry : symbols.entries()) {
            const std::string_view name = symbols.name(entry);
            if (entry.code && entry.address != 0 &&
                (name == "__cxa_throw" || name.starts_with("__cxa_throw@"))) {
                sites.push_back(entry.address);
                break;
            }
        }
        return sites;
    }

    [[nodiscard]] std::optional<Thrown> thrown(const Registers& registers,
                                               const AddressSpace& memory) const override {
        if (registers.arch() != Arch::x86_64) return std::nullopt;
        const auto object = registers.get(x64::rdi);
        const auto typeInfo = registers.get(x64::rsi);
        if (!object || !typeInfo) return std::nullopt;
        const auto name = nameOf(*typeInfo, memory);
        if (!name) return std::nullopt;
        Thrown thrown;
        constexpr std::string_view prefix = "typeinfo for ";
        const std::string readable = demangle("_ZTI" + *name);
        thrown.type =
            readable.starts_with(prefix) ? readable.substr(prefix.size()) : std::string(*name);
        if (const auto exception = findStdException(*typeInfo, *object, memory, 0))
            thrown.message = whatOf(*exception, memory).value_or("");
        return thrown;
    }
};

}  // namespace

std::unique_ptr<ThrowSource> makeCppThrowSource() {
    return std::make_unique<CppThrowSource>();
}

}  // namespace icecore::monitor
