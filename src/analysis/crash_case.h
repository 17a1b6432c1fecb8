// What every step of the analysis looks at.
#pragma once

#include <memory>
#include <string>

#include "analysis/analysis.h"

namespace icecore {

struct CrashCase {
    const Snapshot& snapshot;
    const Process& process;
    const Symbolizer& symbolizer;
    std::shared_ptr<const AddressSpace> memory;  ///< the dump's, completed by the modules' files
    std::unique_ptr<Disassembler> disassembler;  ///< null for an unknown architecture

    [[nodiscard]] Arch arch() const { return process.system.arch; }
    [[nodiscard]] std::uint8_t pointerSize() const { return archInfo(arch()).pointerSize; }
    [[nodiscard]] std::optional<std::uint64_t> readPointer(std::uint64_t address) const {
        return memory->readPointer(address, pointerSize());
    }
    /// The instruction at `address`, when its bytes are known and valid.
    [[nodiscard]] std::optional<Instruction> instructionAt(std::uint64_t address) const;
};

/// What lies at an address, in words: "libc.so.6+0x1234, r-x", "the stack of thread 12 (worker)",
/// "not mapped; [heap] ends 0x10 bytes before".
std::string describeAddress(const Process& process, std::uint64_t address);
/// "r-x".
std::string protectionText(const Protection& protection);
/// "thread 12 (worker)".
std::string threadText(const Process& process, std::uint64_t id);
/// "crasher!boom+0x12 (crasher.cpp:29)"; "crasher+0x1234" without a name.
std::string frameText(const NamedFrame& frame);
/// "crasher!boom", or "crasher+0x1234", or "unknown": the same in every run.
std::string placeText(const NamedFrame& frame);
/// Whether something is mapped at `address`. Nothing when the dump does not list its regions.
std::optional<bool> isMapped(const Process& process, std::uint64_t address);

}  // namespace icecore
