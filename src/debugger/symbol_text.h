// Addresses and symbols as WinDbg spells them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "debugger/session.h"

namespace icecore::debugger {

/// "00007ff6`12345678", or eight digits for 32-bit processes.
std::string addressText(const Session& session, std::uint64_t address);
/// What stands for an address or value that is not known: "????????`????????".
std::string unknownAddressText(const Session& session);

/// "crash!main+0x10", "libfoo+0x1234" without symbols, empty outside every module. By the
/// symbol tables alone, which is what pointers in memory and branch targets want.
std::string symbolText(const Session& session, std::uint64_t address);
/// As symbolText; outside modules the bare address.
std::string symbolOrAddressText(const Session& session, std::uint64_t address);
/// "crash!main+0x10" of a frame; the bare address outside modules.
std::string frameText(const Session& session, const NamedFrame& frame);
/// " [main.c @ 14]", or nothing.
std::string lineText(const std::string& file, std::uint32_t line);
/// The name before the frame's '!', or empty.
std::string moduleText(const Session& session, const Module* module);

}  // namespace icecore::debugger
