#include "debugger/windows_blocks.h"

#include <fmt/format.h>

#include <array>

#include "analysis/windows_status.h"
#include "base/text.h"
#include "debugger/symbol_text.h"
#include "debugger/thread_text.h"

namespace icecore::debugger {

namespace {

/// What a process can have loaded, and how long its environment can be, before it is damage.
constexpr std::size_t mostModules = 4096;
constexpr std::size_t longestEnvironment = 64 << 10;

/// Reads fields of blocks; each that is not in the dump is unknown on its own.
class Blocks {
public:
    explicit Blocks(Session& session) : session_(session), layout(blockLayout(session)) {}

    [[nodiscard]] std::optional<std::uint64_t> pointer(std::uint64_t address) const {
        return session_.memory().readPointer(address, layout.pointer);
    }
    [[nodiscard]] std::optional<std::uint32_t> word(std::uint64_t address) const {
        return session_.memory().readInteger<std::uint32_t>(address);
    }
    /// A value as a column; question marks where it is not there.
    [[nodiscard]] std::string text(std::uint64_t address) const {
        const auto value = pointer(address);
        const auto digits = static_cast<int>(layout.pointer * 2U);
        return value ? hexDigits(*value, digits) : std::string(layout.pointer * 2U, '?');
    }
    /// UNICODE_STRING: length in bytes, room, pointer.
    [[nodiscard]] std::optional<std::string> string(std::uint64_t address) const {
        const auto length = session_.memory().readInteger<std::uint16_t>(address);
        const auto buffer = pointer(address + layout.pointer);
        if (!length || !buffer) return std::nullopt;
        std::vector<std::byte> bytes(*length & ~1U);
        if (session_.memory().read(*buffer, bytes).bytes != bytes.size()) return std::nullopt;
        return utf8(bytes);
    }
    static std::string utf8(std::span<const std::byte> bytes) {
        std::u16string wide(bytes.size() / 2, u'\0');
        for (std::size_t i = 0; i < wide.size(); ++i)
            wide[i] = static_cast<char16_t>(loadInteger<std::uint16_t>(bytes.data() + 2 * i));
        return utf16ToUtf8(wide);
    }
    /// Strings one behind the other, up to an empty one.
    [[nodiscard]] std::vector<std::string> environment(std::uint64_t address) const {
        std::vector<std::byte> bytes(longestEnvironment);
        bytes.resize(session_.memory().read(address, bytes).bytes & ~std::size_t{1});
        std::vector<std::string> variables;
        std::size_t begin = 0;
        for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
            if (loadInteger<std::uint16_t>(bytes.data() + i) != 0) continue;
            if (i == begin) break;
            variables.push_back(utf8(std::span(bytes).subspan(begin, i - begin)));
            begin = i + 2;
        }
        return variables;
    }

private:
    Session& session_;

public:
    const BlockLayout layout;
};

void printModules(CommandCall& call, const Blocks& blocks, std::uint64_t loader) {
    const BlockLayout& layout = blocks.layout;
    const auto list = [&](std::string_view label, std::uint16_t offset) {
        call.out.print("    Ldr.{:<36} {} . {}\n", fmt::format("{}:", label),
                       blocks.text(loader + offset), blocks.text(loader + offset + layout.pointer));
    };
    const auto initialised = blocks.word(loader + 4);
    call.out.print("    Ldr.Initialized:          {}\n", !initialised        ? "?"
                                                         : *initialised != 0 ? "Yes"
                                                                             : "No");
    list("InInitializationOrderModuleList", layout.inInitialisationOrder);
    list("InLoadOrderModuleList", layout.inLoadOrder);
    list("InMemoryOrderModuleList", layout.inMemoryOrder);
    call.out.print("    {:>{}} TimeStamp                     Module\n", "Base",
                   layout.pointer * 2U);
    const std::uint64_t head = loader + layout.inLoadOrder;
    auto entry = blocks.pointer(head);
    for (std::size_t i = 0; entry && *entry != head && i < mostModules; ++i) {
        const auto time = blocks.word(*entry + layout.entryTime);
        const auto name = blocks.string(*entry + layout.entryName);
        if (!time && !name) break;
        call.out.print("    {} {} {}\n", blocks.text(*entry + layout.entryBase),
                       time ? hexDigits(*time, 8) : std::string("????????"),
                       name ? printable(*name) : std::string("?"));
        entry = blocks.pointer(*entry);
    }
}

void printParameters(CommandCall& call, const Blocks& blocks, std::uint64_t parameters) {
    const BlockLayout& layout = blocks.layout;
    const auto line = [&](std::string_view label, std::uint16_t offset) {
        const auto text = blocks.string(parameters + offset);
        call.out.print("    {:<18} {}\n", label,
                       text ? fmt::format("'{}'", printable(*text)) : "not in this dump");
    };
    line("CurrentDirectory:", layout.currentDirectory);
    line("WindowTitle:", layout.windowTitle);
    line("ImageFile:", layout.imageFile);
    line("CommandLine:", layout.commandLine);
    line("DllPath:", layout.dllPath);
    call.out.print("    Environment:       {}\n", blocks.text(parameters + layout.environment));
    const auto environment = blocks.pointer(parameters + layout.environment);
    if (!environment) return;
    for (const std::string& variable : blocks.environment(*environment))
        call.out.print("        {}\n", printable(variable));
}

}  // namespace

Result<void> windowsProcessEnvironment(CommandCall& call) {
    Session& session = call.session;
    const auto peb = session.process().peb;
    if (!peb) return fail(Errc::not_found, "this dump does not tell where the PEB is");
    const Blocks blocks(session);
    const BlockLayout& layout = blocks.layout;
    const auto flags = blocks.word(*peb);
    if (!flags) {
        return fail(Errc::unreadable,
                    fmt::format("the PEB at {} is not in this dump: {}", addressText(session, *peb),
                                session.memory().explain(*peb)));
    }
    call.out.print("PEB at {}\n", addressText(session, *peb));
    const auto yes = [&](std::string_view label, unsigned byte) {
        call.out.print("    {:<25} {}\n", label,
                       (*flags >> (8 * byte) & 0xffU) != 0 ? "Yes" : "No");
    };
    yes("InheritedAddressSpace:", 0);
    yes("ReadImageFileExecOptions:", 1);
    yes("BeingDebugged:", 2);
    call.out.print("    ImageBaseAddress:         {}\n", blocks.text(*peb + layout.imageBase));
    const auto global = blocks.word(*peb + layout.globalFlag);
    call.out.print("    NtGlobalFlag:             {}\n",
                   global ? fmt::format("{:x}", *global) : "?");
    call.out.print("    Ldr                       {}\n", blocks.text(*peb + layout.loader));
    if (const auto loader = blocks.pointer(*peb + layout.loader))
        printModules(call, blocks, *loader);
    call.out.print("    SubSystemData:     {}\n", blocks.text(*peb + layout.subSystem));
    call.out.print("    ProcessHeap:       {}\n", blocks.text(*peb + layout.heap));
    call.out.print("    ProcessParameters: {}\n", blocks.text(*peb + layout.parameters));
    if (const auto parameters = blocks.pointer(*peb + layout.parameters))
        printParameters(call, blocks, *parameters);
    return {};
}

Result<void> windowsThreadEnvironment(CommandCall& call, std::uint64_t teb) {
    Session& session = call.session;
    const Blocks blocks(session);
    const BlockLayout& layout = blocks.layout;
    if (!blocks.pointer(teb)) {
        return fail(Errc::unreadable,
                    fmt::format("the TEB at {} is not in this dump: {}", addressText(session, teb),
                                session.memory().explain(teb)));
    }
    call.out.print("TEB at {}\n", addressText(session, teb));
    const auto pointer = [&](std::string_view label, std::uint64_t offset) {
        call.out.print("    {:<21} {}\n", label, blocks.text(teb + offset));
    };
    constexpr std::array<std::string_view, 8> tib = {
        "ExceptionList:",        "StackBase:", "StackLimit:",        "SubSystemTib:", "FiberData:",
        "ArbitraryUserPointer:", "Self:",      "EnvironmentPointer:"};
    for (std::size_t i = 0; i < tib.size(); ++i)
        pointer(tib[i], i * layout.pointer);
    call.out.print("    {:<21} {} . {}\n", "ClientId:", blocks.text(teb + layout.clientId),
                   blocks.text(teb + layout.clientId + layout.pointer));
    pointer("RpcHandle:", layout.clientId + 2U * layout.pointer);
    pointer("Tls Storage:", layout.tlsStorage);
    pointer("PEB Address:", layout.peb);
    const auto number = [&](std::string_view label, std::uint16_t offset) {
        const auto value = blocks.word(teb + offset);
        call.out.print("    {:<21} {}\n", label, value ? fmt::format("{:x}", *value) : "?");
    };
    const auto error = blocks.word(teb + layout.lastError);
    call.out.print("    {:<21} {}\n", "LastErrorValue:", error ? fmt::format("{}", *error) : "?");
    number("LastStatusValue:", layout.lastStatus);
    number("Count Owned Locks:", layout.ownedLocks);
    number("HardErrorMode:", layout.hardErrorMode);
    return {};
}

Result<LastErrors> windowsLastErrors(Session& session) {
    const Thread* thread = session.thread();
    if (thread == nullptr || !thread->tls)
        return fail(Errc::not_found, "the dump does not tell where the thread's TEB is");
    const Blocks blocks(session);
    const auto error = blocks.word(*thread->tls + blocks.layout.lastError);
    if (!error) {
        return fail(Errc::unreadable,
                    fmt::format("the TEB at {} is not in this dump: {}", hexTicked(*thread->tls),
                                session.memory().explain(*thread->tls)));
    }
    return LastErrors{*error, blocks.word(*thread->tls + blocks.layout.lastStatus)};
}

std::string win32ErrorText(std::uint32_t number) {
    // winerror.h; those that programs meet.
    constexpr auto known = std::to_array<StatusWords>({
        {0, "ERROR_SUCCESS", "success"},
        {1, "ERROR_INVALID_FUNCTION", "incorrect function"},
        {2, "ERROR_FILE_NOT_FOUND", "the file was not found"},
        {3, "ERROR_PATH_NOT_FOUND", "the path was not found"},
        {4, "ERROR_TOO_MANY_OPEN_FILES", "too many open files"},
        {5, "ERROR_ACCESS_DENIED", "access is denied"},
        {6, "ERROR_INVALID_HANDLE", "the handle is invalid"},
        {8, "ERROR_NOT_ENOUGH_MEMORY", "not enough memory"},
        {14, "ERROR_OUTOFMEMORY", "out of memory"},
        {18, "ERROR_NO_MORE_FILES", "there are no more files"},
        {32, "ERROR_SHARING_VIOLATION", "another process uses the file"},
        {38, "ERROR_HANDLE_EOF", "the end of the file is reached"},
        {50, "ERROR_NOT_SUPPORTED", "not supported"},
        {53, "ERROR_BAD_NETPATH", "the network path was not found"},
        {80, "ERROR_FILE_EXISTS", "the file exists"},
        {87, "ERROR_INVALID_PARAMETER", "a parameter is incorrect"},
        {109, "ERROR_BROKEN_PIPE", "the pipe has been ended"},
        {112, "ERROR_DISK_FULL", "the disk is full"},
        {120, "ERROR_CALL_NOT_IMPLEMENTED", "not implemented on this system"},
        {122, "ERROR_INSUFFICIENT_BUFFER", "the buffer is too small"},
        {123, "ERROR_INVALID_NAME", "the name's syntax is incorrect"},
        {126, "ERROR_MOD_NOT_FOUND", "the module was not found"},
        {127, "ERROR_PROC_NOT_FOUND", "the procedure was not found"},
        {183, "ERROR_ALREADY_EXISTS", "it exists already"},
        {193, "ERROR_BAD_EXE_FORMAT", "not a valid program"},
        {203, "ERROR_ENVVAR_NOT_FOUND", "the environment variable was not found"},
        {206, "ERROR_FILENAME_EXCED_RANGE", "the file name is too long"},
        {230, "ERROR_BAD_PIPE", "the pipe's state is invalid"},
        {231, "ERROR_PIPE_BUSY", "all instances of the pipe are busy"},
        {234, "ERROR_MORE_DATA", "there is more data"},
        {258, "WAIT_TIMEOUT", "the wait timed out"},
        {259, "ERROR_NO_MORE_ITEMS", "there is no more data"},
        {299, "ERROR_PARTIAL_COPY", "only part of the memory was read or written"},
        {487, "ERROR_INVALID_ADDRESS", "an invalid address"},
        {995, "ERROR_OPERATION_ABORTED", "the operation was aborted"},
        {996, "ERROR_IO_INCOMPLETE", "the operation is not complete"},
        {997, "ERROR_IO_PENDING", "the operation is in progress"},
        {998, "ERROR_NOACCESS", "invalid access to memory"},
        {1053, "ERROR_SERVICE_REQUEST_TIMEOUT", "the service did not answer in time"},
        {1114, "ERROR_DLL_INIT_FAILED", "a library's initialisation failed"},
        {1168, "ERROR_NOT_FOUND", "not found"},
        {1223, "ERROR_CANCELLED", "cancelled by the user"},
        {1225, "ERROR_CONNECTION_REFUSED", "the connection was refused"},
        {1234, "ERROR_PORT_UNREACHABLE", "nothing listens at the port"},
        {1400, "ERROR_INVALID_WINDOW_HANDLE", "an invalid window handle"},
        {1450, "ERROR_NO_SYSTEM_RESOURCES", "not enough system resources"},
        {1455, "ERROR_COMMITMENT_LIMIT", "the paging file is too small"},
        {1460, "ERROR_TIMEOUT", "timed out"},
    });
    for (const StatusWords& words : known) {
        if (words.code == number)
            return fmt::format("(Win32) {:#x} ({}) - {}: {}", number, number, words.name,
                               words.text);
    }
    return fmt::format("(Win32) {:#x} ({})", number, number);
}

}  // namespace icecore::debugger
