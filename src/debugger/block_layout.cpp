// Where the fields of Windows' blocks lie: by the types of ntdll's PDB, else as they are known.
#include <array>

#include "base/text.h"
#include "debugger/type_listing.h"
#include "debugger/windows_blocks.h"

namespace icecore::debugger {

namespace {

constexpr BlockLayout layout64 = {8,    0x40, 0x58, 0x60, 0x68, 0x6c, 0x1250, 0x16b0, 0x10,
                                  0x18, 0x20, 0x28, 0x30, 0xbc, 0x10, 0x20,   0x30,   0x30,
                                  0x48, 0x80, 0x38, 0x50, 0x60, 0x70, 0x80,   0xb0};
constexpr BlockLayout layout32 = {4,    0x20, 0x2c, 0x30, 0x34, 0x38, 0xbf4, 0xf28, 0x08,
                                  0x0c, 0x10, 0x14, 0x18, 0x68, 0x0c, 0x14,  0x1c,  0x18,
                                  0x24, 0x44, 0x24, 0x30, 0x38, 0x40, 0x48,  0x70};

struct Field {
    std::uint16_t BlockLayout::* where;
    const char* type;
    const char* path;
};
constexpr std::array<Field, 25> fields = {{
    {&BlockLayout::clientId, "_TEB", "ClientId"},
    {&BlockLayout::tlsStorage, "_TEB", "ThreadLocalStoragePointer"},
    {&BlockLayout::peb, "_TEB", "ProcessEnvironmentBlock"},
    {&BlockLayout::lastError, "_TEB", "LastErrorValue"},
    {&BlockLayout::ownedLocks, "_TEB", "CountOfOwnedCriticalSections"},
    {&BlockLayout::lastStatus, "_TEB", "LastStatusValue"},
    {&BlockLayout::hardErrorMode, "_TEB", "HardErrorMode"},
    {&BlockLayout::imageBase, "_PEB", "ImageBaseAddress"},
    {&BlockLayout::loader, "_PEB", "Ldr"},
    {&BlockLayout::parameters, "_PEB", "ProcessParameters"},
    {&BlockLayout::subSystem, "_PEB", "SubSystemData"},
    {&BlockLayout::heap, "_PEB", "ProcessHeap"},
    {&BlockLayout::globalFlag, "_PEB", "NtGlobalFlag"},
    {&BlockLayout::inLoadOrder, "_PEB_LDR_DATA", "InLoadOrderModuleList"},
    {&BlockLayout::inMemoryOrder, "_PEB_LDR_DATA", "InMemoryOrderModuleList"},
    {&BlockLayout::inInitialisationOrder, "_PEB_LDR_DATA", "InInitializationOrderModuleList"},
    {&BlockLayout::entryBase, "_LDR_DATA_TABLE_ENTRY", "DllBase"},
    {&BlockLayout::entryName, "_LDR_DATA_TABLE_ENTRY", "FullDllName"},
    {&BlockLayout::entryTime, "_LDR_DATA_TABLE_ENTRY", "TimeDateStamp"},
    {&BlockLayout::currentDirectory, "_RTL_USER_PROCESS_PARAMETERS", "CurrentDirectory"},
    {&BlockLayout::dllPath, "_RTL_USER_PROCESS_PARAMETERS", "DllPath"},
    {&BlockLayout::imageFile, "_RTL_USER_PROCESS_PARAMETERS", "ImagePathName"},
    {&BlockLayout::commandLine, "_RTL_USER_PROCESS_PARAMETERS", "CommandLine"},
    {&BlockLayout::environment, "_RTL_USER_PROCESS_PARAMETERS", "Environment"},
    {&BlockLayout::windowTitle, "_RTL_USER_PROCESS_PARAMETERS", "WindowTitle"},
}};

}  // namespace

BlockLayout knownBlockLayout(Arch arch) {
    return archInfo(arch).pointerSize == 4 ? layout32 : layout64;
}

BlockLayout blockLayout(const Session& session) {
    BlockLayout layout = knownBlockLayout(session.arch());
    const Module* module = session.ntdll(layout.pointer);
    const ModuleTypes ntdll = module != nullptr ? typesOf(session, *module) : ModuleTypes();
    if (ntdll.types == nullptr) return layout;
    for (const Field& field : fields) {
        const auto type = ntdll.types->find(field.type);
        const auto found = type ? findField(*ntdll.types, *type, field.path) : std::nullopt;
        if (found && found->offset <= UINT16_MAX)
            layout.*field.where = static_cast<std::uint16_t>(found->offset);
    }
    return layout;
}

}  // namespace icecore::debugger
