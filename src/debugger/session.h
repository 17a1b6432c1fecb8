// One opened dump and where a person stands in it: thread, frame, symbol paths, aliases.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/analysis.h"
#include "debugger/aliases.h"
#include "debugger/expression.h"
#include "debugger/extensions.h"
#include "debugger/module_names.h"
#include "model/snapshot.h"
#include "model/wow64.h"
#include "symbols/symbolizer.h"
#include "unwind/unwinder.h"

namespace icecore::debugger {

/// Whose registers commands look at.
enum class ContextKind : std::uint8_t {
    thread,     ///< the current thread's own
    exception,  ///< `.ecxr`
    record,     ///< `.cxr ADDRESS`
    frame,      ///< `.frame /c N`: as the unwinder recovered them
};

/// Not thread-safe, but for interrupt(). Threads are numbered as they stand in the dump, from 0.
class Session final : public ExpressionScope {
public:
    /// `unsupported` when the dump is not one of a process.
    static Result<std::unique_ptr<Session>> create(Snapshot snapshot, const SymbolOptions& options);
    ~Session() override = default;
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    [[nodiscard]] const Snapshot& snapshot() const { return snapshot_; }
    /// `.dumpdebug`: what the dump's file consists of, as text. Null where nobody told.
    std::function<Result<std::string>()> outline;
    [[nodiscard]] const Process& process() const { return *snapshot_.process; }
    [[nodiscard]] const Symbolizer& symbolizer() const { return *symbolizer_; }
    [[nodiscard]] const Unwinder& unwinder() const { return *unwinder_; }
    [[nodiscard]] const ModuleNames& moduleNames() const { return moduleNames_; }
    /// The dump's memory; where it was not captured, what cannot have changed since it was mapped
    /// from the modules' files (code, constants), when these are at hand.
    [[nodiscard]] const AddressSpace& memory() const { return *memory_; }
    /// The machine that all this is about: the effective one.
    [[nodiscard]] Arch arch() const { return process().system.arch; }

    // --- a process with two sides (WOW64): process(), registers, stacks are those of one ---
    /// The machine of the other side; nothing when the process has but one.
    [[nodiscard]] std::optional<Arch> otherArch() const;
    /// The machine that the dump was taken on.
    [[nodiscard]] Arch nativeArch() const { return nativeArch_; }
    /// The machine whose code the event of the dump belongs to.
    [[nodiscard]] Arch eventArch() const { return eventArch_; }
    /// Goes to the other side. The context becomes the thread's own there, or that of the
    /// exception where it was that of the exception.
    void exchangeSides();
    /// Windows' ntdll.dll of the side with such pointers; null where the dump lists none.
    [[nodiscard]] const Module* ntdll(std::size_t pointerSize) const;

    // --- where we stand ---
    [[nodiscard]] std::size_t threadIndex() const { return thread_; }
    /// Null when the dump has no threads.
    [[nodiscard]] const Thread* thread() const;
    /// Index of the thread of the exception.
    [[nodiscard]] std::optional<std::size_t> eventThread() const { return eventThread_; }
    /// Makes the thread current; its own registers become the context. `index` must be valid.
    void selectThread(std::size_t index);
    [[nodiscard]] ContextKind contextKind() const { return contextKind_; }
    /// Registers of the current context; empty when there are none.
    [[nodiscard]] const Registers& registers() const { return registers_; }
    /// Whether the context's program counter is a return address (so that names and lines are
    /// those of the call before it).
    [[nodiscard]] bool pcIsReturnAddress() const { return pcIsReturnAddress_; }
    void useContext(ContextKind kind, const Registers& registers, bool pcIsReturnAddress = false);
    /// Back to the thread's own registers.
    void resetContext();
    /// The stack of the current context, named.
    [[nodiscard]] const NamedStack& stack() const;
    /// The stack of a thread's own context, named. `index` must be valid.
    [[nodiscard]] const NamedStack& stackOf(std::size_t index) const;
    /// Unwinds and names all threads side by side, so that stackOf is at hand for each.
    void prepareAllStacks();
    /// Index into stack().frames.
    [[nodiscard]] std::size_t frame() const { return frame_; }
    void selectFrame(std::size_t frame) { frame_ = frame; }

    // --- symbols ---
    /// Looks for symbol files anew, with other options.
    void reload(SymbolOptions options);
    /// `!sym noisy`.
    bool noisySymbols = false;
    /// Modules whose symbol search was told about.
    std::set<const Module*> toldSymbols;
    /// `.srcpath`: directories, ';'-separated.
    std::string sourcePath;
    /// The file `lsa` showed last and the line behind what was shown; `ls` goes on there.
    std::string lastSource;
    std::uint32_t nextSourceLine = 1;

    // --- memory commands go on where they ended ---
    std::optional<std::uint64_t> nextData, nextCode;
    std::string lastDisplay = "db";  ///< what `d` repeats

    // --- text ---
    Aliases aliases;
    /// What WinDbg defines itself: "$ntnsym", "$CurrentDumpFile"…
    [[nodiscard]] const Aliases& automaticAliases() const { return automaticAliases_; }
    /// `$u0` … `$u9`, which stand for text anywhere.
    std::array<std::optional<std::string>, 10> fixedAliases;
    /// Commands that one typed line may come to, loops and scripts included.
    std::size_t commandLimit = 10'000'000;
    /// `.load`.
    Extensions extensions;
    std::optional<std::ofstream> log;
    std::string logPath;
    /// The values of $t0 … $t19.
    std::array<std::uint64_t, 20> temporaries{};
    bool quit = false;

    /// Stops the running command at its next look; may be called from a signal handler.
    void interrupt() { interrupted_.store(true); }
    void clearInterrupt() { interrupted_.store(false); }
    [[nodiscard]] bool interrupted() const { return interrupted_.load(); }

    void setRadix(unsigned radix) { radix_ = radix; }

    // --- ExpressionScope ---
    [[nodiscard]] std::optional<std::uint64_t> registerValue(std::string_view name) const override;
    [[nodiscard]] Result<std::uint64_t> symbolValue(std::string_view name) const override;
    [[nodiscard]] bool isModule(std::string_view name) const override;
    [[nodiscard]] Result<std::uint64_t> readMemory(std::uint64_t address,
                                                   std::size_t size) const override;
    [[nodiscard]] std::size_t pointerSize() const override;
    [[nodiscard]] unsigned radix() const override { return radix_; }
    [[nodiscard]] Result<std::uint64_t> cppValue(std::string_view text) const override;

private:
    Session(Snapshot snapshot, const SymbolOptions& options);
    [[nodiscard]] std::optional<std::uint64_t> pseudoRegister(std::string_view name) const;
    /// Address of a variable of the current frame, when it lies in memory.
    [[nodiscard]] std::optional<std::uint64_t> localAddress(std::string_view name) const;
    /// The pc of the frame that the current context's code returns to.
    [[nodiscard]] std::optional<std::uint64_t> returnAddress() const;

    [[nodiscard]] std::map<std::uint64_t, std::uint64_t> shadowStacks() const;
    void forgetStacks();

    Snapshot snapshot_;
    std::optional<ProcessSide> otherSide_;
    Arch nativeArch_ = Arch::unknown, eventArch_ = Arch::unknown;
    std::unique_ptr<Symbolizer> symbolizer_;
    std::unique_ptr<Unwinder> unwinder_;
    ModuleNames moduleNames_;
    std::shared_ptr<const AddressSpace> memory_;
    Aliases automaticAliases_;

    std::size_t thread_ = 0;
    std::optional<std::size_t> eventThread_;
    ContextKind contextKind_ = ContextKind::thread;
    Registers registers_;
    bool pcIsReturnAddress_ = false;
    std::size_t frame_ = 0;
    // Found at the first question.
    mutable std::optional<NamedStack> contextStack_;
    mutable std::vector<std::optional<NamedStack>> threadStacks_;
    unsigned radix_ = 16;
    std::atomic<bool> interrupted_{false};
};

/// Stands on another thread for a while (`~3k`, `~*e`), then comes back with context and frame.
class ThreadVisit {
public:
    ThreadVisit(Session& session, std::size_t index);
    ~ThreadVisit();
    ThreadVisit(const ThreadVisit&) = delete;
    ThreadVisit& operator=(const ThreadVisit&) = delete;

private:
    Session& session_;
    std::size_t thread_;
    std::size_t frame_;
    ContextKind kind_;
    Registers registers_;
    bool pcIsReturnAddress_;
    bool stays_;  ///< the thread visited is the current one: keep its context
};

}  // namespace icecore::debugger
