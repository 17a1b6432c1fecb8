// Windows' process and thread environment blocks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "debugger/command.h"

namespace icecore::debugger {

/// Where the fields lie. As known by pointer size: layouts of ntdll's _TEB, _PEB, _PEB_LDR_DATA,
/// _LDR_DATA_TABLE_ENTRY and _RTL_USER_PROCESS_PARAMETERS as its public PDBs have told them
/// unchanged since Windows 7 (geoffchappell.com lists them by version).
struct BlockLayout {
    std::uint8_t pointer;
    std::uint16_t clientId, tlsStorage, peb, lastError, ownedLocks, lastStatus, hardErrorMode;
    std::uint16_t imageBase, loader, parameters, subSystem, heap, globalFlag;
    std::uint16_t inLoadOrder, inMemoryOrder, inInitialisationOrder;
    std::uint16_t entryBase, entryName, entryTime;
    std::uint16_t currentDirectory, dllPath, imageFile, commandLine, environment, windowTitle;
};
BlockLayout knownBlockLayout(Arch arch);
/// By the types of ntdll's PDB where it is at hand; a field that it does not have is where it is
/// known to be (block_layout.cpp).
BlockLayout blockLayout(const Session& session);

/// `!peb` and `!teb` of a Windows dump.
Result<void> windowsProcessEnvironment(CommandCall& call);
Result<void> windowsThreadEnvironment(CommandCall& call, std::uint64_t teb);

/// LastErrorValue and LastStatusValue of the current thread; an error where its TEB is not there.
struct LastErrors {
    std::uint32_t error = 0;
    std::optional<std::uint32_t> status;
};
Result<LastErrors> windowsLastErrors(Session& session);

/// "(Win32) 0x5 (5) - ERROR_ACCESS_DENIED: access is denied".
std::string win32ErrorText(std::uint32_t number);

}  // namespace icecore::debugger
