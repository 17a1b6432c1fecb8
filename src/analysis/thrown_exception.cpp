// C++ exceptions in memory. Layout: Itanium C++ ABI, exception handling, and libstdc++'s and
// libc++abi's headers (unwind-cxx.h, cxa_exception.h). On 64-bit systems both place the exception's
// std::type_info pointer 80 bytes before the _Unwind_Exception, which begins with the class
// "GNUCC++\0" or "CLNGC++\0" (last byte 1: a dependent exception, made by std::rethrow_exception),
// is 32 bytes long, and is followed by the thrown object.
#include <algorithm>
#include <array>
#include <span>

#include "analysis/abort_reason.h"
#include "base/text.h"
#include "symbols/demangle.h"

namespace icecore {

namespace {

constexpr std::uint64_t gnuClass = 0x474e5543432b2b00;
constexpr std::uint64_t clangClass = 0x434c4e47432b2b00;
constexpr std::uint64_t headerBefore = 80;  // exceptionType … up to unwindHeader
constexpr std::uint64_t unwindHeaderSize = 32;

/// Standard exceptions whose message is a reference-counted string right behind the vtable pointer
/// (libstdc++ stdexcept: a pointer to the characters; libc++: the same).
bool carriesMessage(std::string_view type) {
    constexpr auto types = std::to_array<std::string_view>(
        {"std::runtime_error", "std::logic_error", "std::invalid_argument", "std::domain_error",
         "std::length_error", "std::out_of_range", "std::range_error", "std::overflow_error",
         "std::underflow_error", "std::system_error", "std::ios_base::failure",
         "std::filesystem::filesystem_error"});
    std::string plain(type);
    for (const std::string_view inner : {"__cxx11::", "__1::"}) {
        if (const auto at = plain.find(inner); at != std::string::npos)
            plain.erase(at, inner.size());
    }
    return std::ranges::find(types, std::string_view(plain)) != types.end();
}

/// The type's name from its std::type_info, or nothing when that is none.
bool readType(const CrashCase& crash, std::uint64_t typeInfo, ThrownException& out) {
    if (crash.process.moduleAt(typeInfo) == nullptr) return false;  // type_info lives in modules
    constexpr std::string_view prefix = "typeinfo for ";
    const auto symbol = crash.symbolizer.nearestSymbol(typeInfo);
    if (symbol && symbol->address == typeInfo && symbol->name.starts_with(prefix)) {
        out.type = symbol->name.substr(prefix.size());
        out.typeIsSymbol = true;
        return true;
    }
    // vtable pointer, then the mangled name without "_Z"; a leading '*' is not part of it.
    const auto nameAt = crash.readPointer(typeInfo + 8);
    const auto name = nameAt ? crash.memory->readCString(*nameAt, 1024) : std::nullopt;
    if (!name || name->empty() || crash.process.moduleAt(*nameAt) == nullptr) return false;
    const std::string_view mangled = std::string_view(*name).substr(name->front() == '*' ? 1 : 0);
    const std::string symbolName = "_ZTI" + std::string(mangled);
    const std::string readable = demangle(symbolName);
    if (!readable.starts_with(prefix)) return false;
    out.type = readable.substr(prefix.size());
    return true;
}

std::optional<ThrownException> readHeader(const CrashCase& crash, std::uint64_t unwindHeader) {
    const auto exceptionClass = crash.memory->readInteger<std::uint64_t>(unwindHeader);
    if (!exceptionClass) return std::nullopt;
    const std::uint64_t family = *exceptionClass & ~std::uint64_t{0xff};
    if (family != gnuClass && family != clangClass) return std::nullopt;
    if ((*exceptionClass & 0xff) > 1 || unwindHeader < headerBefore) return std::nullopt;
    ThrownException out;
    out.object = unwindHeader + unwindHeaderSize;
    if ((*exceptionClass & 0xff) == 1) {
        // A dependent exception: its first field is the primary object, whose own header says the
        // type.
        const auto primary = crash.readPointer(unwindHeader - headerBefore);
        if (!primary || *primary < headerBefore + unwindHeaderSize) return std::nullopt;
        out.object = *primary;
        unwindHeader = *primary - unwindHeaderSize;
    }
    const auto typeInfo = crash.readPointer(unwindHeader - headerBefore);
    if (!typeInfo) return std::nullopt;
    out.typeInfo = *typeInfo;
    if (!readType(crash, *typeInfo, out)) return std::nullopt;
    if (carriesMessage(out.type)) {
        const auto text = crash.readPointer(out.object + 8);
        if (const auto what = text ? crash.memory->readCString(*text, 1024) : std::nullopt)
            out.what = *what;
    }
    return out;
}

}  // namespace

std::optional<ThrownException> findThrownException(const CrashCase& crash, const Thread& thread) {
    if (crash.pointerSize() != 8 || !thread.context) return std::nullopt;
    constexpr std::uint64_t limit = 256 << 10;
    const std::uint64_t sp = thread.context->registers.sp();
    const std::uint64_t size =
        thread.stack && thread.stack->contains(sp) ? thread.stack->end() - sp : limit;
    const auto stack = crash.process.memory->readUpTo(sp, std::min(size, limit));
    std::uint64_t last = 0;
    for (std::size_t at = 0; at + 8 <= stack.size(); at += 8) {
        const auto value = loadInteger<std::uint64_t>(stack.data() + at);
        if (value == last || value % 8 != 0 || value < 0x10000) continue;
        last = value;
        if (auto thrown = readHeader(crash, value)) return thrown;
    }
    return std::nullopt;
}

}  // namespace icecore
