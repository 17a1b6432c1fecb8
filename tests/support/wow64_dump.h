// The dump of a 32-bit process on 64-bit Windows, as a 64-bit program takes it (WOW64): its blocks,
// registers and stacks are made by hand in the shape they have there, its program is real code.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace icecore::tests {

/// Bytes with words at offsets.
class Block {
public:
    explicit Block(std::size_t size) : bytes_(size) {}
    template <class T>
    Block& put(std::size_t offset, std::type_identity_t<T> value) {
        std::memcpy(bytes_.data() + offset, &value, sizeof value);
        return *this;
    }
    [[nodiscard]] const std::vector<unsigned char>& bytes() const { return bytes_; }

private:
    std::vector<unsigned char> bytes_;
};

/// winnt.h, CONTEXT of AMD64 with control, integer and segment registers.
inline Block amd64Context(std::uint64_t rip, std::uint64_t rsp, std::uint16_t cs,
                          std::uint64_t rbp = 0, std::uint64_t rax = 0) {
    Block context(0x4d0);
    context.put<std::uint32_t>(0x30, 0x100007).put<std::uint16_t>(0x38, cs);
    for (const std::size_t segment : {0x3aU, 0x3cU, 0x40U, 0x42U})
        context.put<std::uint16_t>(segment, 0x2b);
    context.put<std::uint16_t>(0x3e, 0x53).put<std::uint32_t>(0x44, 0x10202);
    context.put<std::uint64_t>(0x78, rax).put<std::uint64_t>(0x98, rsp);
    return context.put<std::uint64_t>(0xa0, rbp).put<std::uint64_t>(0xf8, rip);
}

/// WOW64_CPURESERVED and the CONTEXT of x86 behind it (winnt.h).
inline Block cpuArea(std::uint32_t eip, std::uint32_t esp, std::uint32_t ebp,
                     std::uint32_t eax = 0) {
    constexpr std::size_t context = 4;
    Block area(context + 0x2cc);
    area.put<std::uint16_t>(2, 0x14c).put<std::uint32_t>(context, 0x10007);
    for (const std::size_t segment : {0x8cU, 0x94U, 0x98U, 0xc8U})
        area.put<std::uint32_t>(context + segment, 0x2b);
    area.put<std::uint32_t>(context + 0x90, 0x53).put<std::uint32_t>(context + 0xbc, 0x23);
    area.put<std::uint32_t>(context + 0xc0, 0x246).put<std::uint32_t>(context + 0xb0, eax);
    area.put<std::uint32_t>(context + 0xb4, ebp).put<std::uint32_t>(context + 0xb8, eip);
    return area.put<std::uint32_t>(context + 0xc4, esp);
}

/// What is in the dump; text() is its description for `icecore build`.
struct Wow64Dump {
    struct ModuleEntry {
        std::uint64_t base = 0;
        std::uint32_t size = 0, timestamp = 0;
        std::string path;
        std::vector<unsigned char> codeView;
    };
    struct ThreadEntry {
        std::uint32_t id = 0;
        std::uint64_t teb = 0;
        Block context{0};
    };
    struct Event {
        std::uint32_t thread = 0, code = 0;
        std::uint64_t address = 0, accessed = 0;
        Block context{0};
    };
    std::vector<ModuleEntry> modules;
    std::vector<ThreadEntry> threads;
    std::optional<Event> event;
    std::map<std::uint64_t, std::vector<unsigned char>> memory;

    [[nodiscard]] std::string text() const;

private:
    static std::string piece(const std::string& label, const std::vector<unsigned char>& bytes) {
        std::string hex;
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            if (i % 64 == 0) hex += "\n  ";
            hex += fmt::format("{:02x}", bytes[i]);
        }
        return fmt::format("bytes {} {{{}\n}}\n", label, hex);
    }
};

inline std::string Wow64Dump::text() const {
    std::string text = fmt::format(
        "MINIDUMP_HEADER header {{\n  Signature: \"MDMP\"\n  Version: 0xa793\n  NumberOfStreams: "
        "{}\n  StreamDirectoryRva: @directory.0\n  TimeDateStamp: 1700000000\n}}\n",
        event ? 5 : 4);
    int number = 0;
    const auto stream = [&](unsigned type, std::size_t size, std::string_view label) {
        text += fmt::format(
            "MINIDUMP_DIRECTORY directory.{} {{\n  StreamType: {}\n  DataSize: {}\n  Rva: "
            "@{}\n}}\n",
            number++, type, size, label);
    };
    stream(7, 56, "system");
    stream(3, 4 + 48 * threads.size(), "threads");
    stream(4, 4 + 108 * modules.size(), "modules");
    stream(5, 4 + 16 * memory.size(), "memory");
    if (event) stream(6, 168, "event");
    text +=
        "MINIDUMP_SYSTEM_INFO system {\n  ProcessorArchitecture: 9\n  NumberOfProcessors: 4\n  "
        "ProductType: 1\n  MajorVersion: 10\n  BuildNumber: 19045\n  PlatformId: 2\n}\n";

    text += fmt::format("Count threads {{\n  Count: {}\n}}\n", threads.size());
    for (const ThreadEntry& thread : threads) {
        text += fmt::format(
            "MINIDUMP_THREAD {{\n  ThreadId: {}\n  Teb: {:#x}\n  ContextSize: @context{}.size\n"
            "  ContextRva: @context{}\n}}\n",
            thread.id, thread.teb, thread.id, thread.id);
    }
    text += fmt::format("Count modules {{\n  Count: {}\n}}\n", modules.size());
    for (std::size_t i = 0; i < modules.size(); ++i) {
        const ModuleEntry& module = modules[i];
        text += fmt::format(
            "MINIDUMP_MODULE {{\n  BaseOfImage: {:#x}\n  SizeOfImage: {:#x}\n  TimeDateStamp: {}\n"
            "  ModuleNameRva: @name{}\n",
            module.base, module.size, module.timestamp, i);
        if (!module.codeView.empty())
            text += fmt::format("  CvRecordSize: @cv{}.size\n  CvRecordRva: @cv{}\n", i, i);
        text += "}\n";
    }
    text += fmt::format("Count memory {{\n  Count: {}\n}}\n", memory.size());
    for (const auto& [address, bytes] : memory) {
        text += fmt::format(
            "MINIDUMP_MEMORY_DESCRIPTOR {{\n  StartOfMemoryRange: {:#x}\n  DataSize: {}\n  Rva: "
            "@at{:x}\n}}\n",
            address, bytes.size(), address);
    }
    if (event) {
        Block parameters(120);
        parameters.put<std::uint64_t>(0, 1).put<std::uint64_t>(8, event->accessed);
        std::string hex;
        for (const unsigned char byte : parameters.bytes())
            hex += fmt::format("{:02x}", byte);
        text += fmt::format(
            "MINIDUMP_EXCEPTION_STREAM event {{\n  ThreadId: {}\n  ExceptionCode: {:#x}\n"
            "  ExceptionAddress: {:#x}\n  NumberParameters: 2\n  ExceptionInformation: <{}>\n"
            "  ContextSize: @eventContext.size\n  ContextRva: @eventContext\n}}\n",
            event->thread, event->code, event->address, hex);
        text += piece("eventContext", event->context.bytes());
    }
    for (const ThreadEntry& thread : threads)
        text += piece(fmt::format("context{}", thread.id), thread.context.bytes());
    for (std::size_t i = 0; i < modules.size(); ++i) {
        const ModuleEntry& module = modules[i];
        std::string escaped;
        for (const char c : module.path)
            escaped += c == '\\' ? std::string("\\\\") : std::string(1, c);
        // Behind the text a NUL that its length does not count.
        text += fmt::format("MINIDUMP_STRING name{} {{\n  Length: {}\n  Buffer: \"{}\\x00\"\n}}\n",
                            i, 2 * module.path.size(), escaped);
        if (!module.codeView.empty()) text += piece(fmt::format("cv{}", i), module.codeView);
    }
    for (const auto& [address, bytes] : memory)
        text += piece(fmt::format("at{:x}", address), bytes);
    return text;
}

}  // namespace icecore::tests
