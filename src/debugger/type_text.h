// Types and values in WinDbg's words: those of `dt` and those of `dv`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "debugger/session.h"
#include "symbols/type_source.h"

namespace icecore::debugger {

/// A module's types; what every text about one of them needs.
struct ModuleTypes {
    const Module* module = nullptr;
    const TypeSource* types = nullptr;
    std::uint64_t bias = 0;  ///< runtime address less the address the types speak of
};
/// `types` is null when no file tells any.
ModuleTypes typesOf(const Session& session, const Module& module);

/// `dt`'s: "Int4B", "Ptr64 ice::Thing", "[3] Ptr64 Char".
std::string layoutTypeText(const TypeSource& types, TypeId type);
/// `dv /t`'s: "int", "struct ice::Thing *", "int [3]".
std::string declaredTypeText(const TypeSource& types, TypeId type);

/// Whose words a value is given in: they differ in blanks and in what stands for a structure.
enum class ValueStyle : std::uint8_t { dt, dv };

/// A value of `type` whose bytes are `bytes`; shorter than the type: the rest is not known. Text
/// and functions that it points to are read from the dump's memory.
std::string valueText(const Session& session, const ModuleTypes& module, TypeId type,
                      std::span<const std::byte> bytes, ValueStyle style);
/// The same of a value in memory.
std::string valueTextAt(const Session& session, const ModuleTypes& module, TypeId type,
                        std::uint64_t address, ValueStyle style);
/// A bit field whose integer is `bytes`: "0y101", "0y10001 (0x11)".
std::string bitsText(const TypeMember& member, std::span<const std::byte> bytes);

/// The unsigned little-endian integer of up to eight bytes; nothing of none or more.
std::optional<std::uint64_t> integerOf(std::span<const std::byte> bytes);
/// Up to `size` bytes, as far as the dump has them; sizes beyond a page are damage or too much to
/// show.
std::vector<std::byte> bytesAt(const Session& session, std::uint64_t address, std::uint64_t size);

}  // namespace icecore::debugger
