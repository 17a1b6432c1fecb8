// A session over a made-up process, for tests and the fuzzer: memory with holes, two threads, a
// crash, modules without files.
#pragma once

#include <memory>
#include <string>

#include "debugger/session.h"
#include "memory/segment_space.h"

namespace icecore::debugger {

/// Addresses of the made-up process.
namespace synthetic {
inline constexpr std::uint64_t code = 0x401000;     ///< 0x40 bytes: some x86-64 instructions
inline constexpr std::uint64_t data = 0x10000;      ///< 0x40 bytes 00 01 02 …, then a hole of 0x10
inline constexpr std::uint64_t more = 0x10050;      ///< 0x30 bytes: text
inline constexpr std::uint64_t stack = 0x7fff0000;  ///< 0x1000 bytes of zeros and a return address
}  // namespace synthetic

inline Snapshot syntheticSnapshot() {
    const auto bytesAt = [](std::vector<std::byte>& file, std::string_view text) {
        const std::uint64_t offset = file.size();
        for (const char c : text)
            file.push_back(static_cast<std::byte>(c));
        return offset;
    };
    std::vector<std::byte> file;
    // push rbp; mov rbp,rsp; cmp dword [rdi],0; je +2; xor eax,eax; pop rbp; ret; nop…
    const std::string code("\x55\x48\x89\xe5\x83\x3f\x00\x74\x02\x31\xc0\x5d\xc3", 13);
    const std::uint64_t codeOffset = bytesAt(file, code + std::string(0x40 - 13, '\x90'));
    std::string counting;
    for (int i = 0; i < 0x40; ++i)
        counting += static_cast<char>(i);
    const std::uint64_t dataOffset = bytesAt(file, counting);
    const std::uint64_t moreOffset =
        bytesAt(file, std::string("Hello, ice core\0W\0i\0d\0e\0\0\0needle needle\0\0\0\0", 0x2a) +
                          std::string(6, '\0'));
    std::string stackBytes(0x1000, '\0');
    stackBytes[0x808] = '\x20';  // a return address: code + 0x20
    stackBytes[0x809] = '\x10';
    stackBytes[0x80a] = '\x40';
    const std::uint64_t stackOffset = bytesAt(file, stackBytes);

    SegmentSpaceBuilder builder(memorySource(std::move(file), "synthetic"));
    builder.addStored(Range::ofSize(synthetic::code, 0x40), codeOffset);
    builder.addStored(Range::ofSize(synthetic::data, 0x40), dataOffset);
    builder.addAbsent(Range::ofSize(synthetic::data + 0x40, 0x10), Absence::not_captured);
    builder.addStored(Range::ofSize(synthetic::more, 0x30), moreOffset);
    builder.addStored(Range::ofSize(synthetic::stack, 0x1000), stackOffset);

    Process process;
    process.system.os = Os::linux_os;
    process.system.version = "6.1.0";
    process.system.arch = Arch::x86_64;
    process.pid = 0x1234;
    process.name = "made-up";
    process.executable = "/nowhere/made-up";
    process.commandLine = {"made-up", "two words"};
    process.environment = {"HOME=/nowhere"};
    process.memory = builder.build();
    for (std::uint64_t id : {0x1234U, 0x1235U}) {
        Thread thread;
        thread.id = id;
        thread.name = id == 0x1234U ? "main" : "worker";
        thread.tls = 0x10000;
        Context context;
        context.registers = Registers(Arch::x86_64);
        context.registers.set(x64::rip, synthetic::code + 4);
        context.registers.set(x64::rsp, synthetic::stack + 0x800);
        context.registers.set(x64::rbp, synthetic::stack + 0x800);
        context.registers.set(x64::rdi, 0);
        context.registers.set(x64::rax, 0x1122334455667788);
        context.registers.set(x64::eflags, 0x246);
        thread.context = context;
        thread.stack = Range::ofSize(synthetic::stack + 0x800, 0x800);
        process.threads.items.push_back(thread);
    }
    process.threads.coverage = Coverage::complete;
    const auto module = [&](std::uint64_t begin, std::uint64_t size, std::string path) {
        Module made;
        made.range = Range::ofSize(begin, size);
        made.path = std::move(path);
        process.modules.items.push_back(made);
    };
    module(0x400000, 0x2000, "/nowhere/made-up");
    module(0x500000, 0x1000, "/nowhere/libstdc++.so.6");
    module(0x600000, 0x1000, "/nowhere/ld-linux-x86-64.so.2");
    process.modules.coverage = Coverage::complete;
    const auto region = [&](std::uint64_t begin, std::uint64_t size, bool write, bool execute,
                            RegionKind kind, std::string name) {
        Region made;
        made.range = Range::ofSize(begin, size);
        made.protection = {true, write, execute, false};
        made.kind = kind;
        made.name = std::move(name);
        process.regions.items.push_back(made);
    };
    region(0x10000, 0x1000, true, false, RegionKind::anonymous, "");
    region(0x400000, 0x2000, false, true, RegionKind::image, "/nowhere/made-up");
    region(0x7fff0000, 0x1000, true, false, RegionKind::stack, "[stack]");
    process.regions.coverage = Coverage::complete;
    Exception exception;
    exception.threadId = 0x1235;
    exception.code = 11;
    exception.signalCode = 1;
    exception.address = synthetic::code + 4;
    exception.faultAddress = 0;
    process.exception = exception;

    Snapshot snapshot;
    snapshot.provenance.path = "synthetic";
    snapshot.provenance.format = "core";
    snapshot.process = std::move(process);
    return snapshot;
}

inline std::unique_ptr<Session> syntheticSession() {
    SymbolOptions options;
    options.useDefaultPaths = false;
    auto session = Session::create(syntheticSnapshot(), options);
    return session ? std::move(*session) : nullptr;
}

}  // namespace icecore::debugger
