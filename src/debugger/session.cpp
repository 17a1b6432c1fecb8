#include "debugger/session.h"

#include <fmt/format.h>

#include "analysis/caught_signal.h"
#include "analysis/shadow_stacks.h"
#include "base/text.h"
#include "debugger/cpp_expression.h"
#include "debugger/frame_variables.h"
#include "unwind/image_memory.h"

namespace icecore::debugger {

namespace {

/// A part of a register by its x86 name: which register, how far right, how many bits.
struct RegisterPart {
    std::string_view name;
    RegisterId whole;
    unsigned shift;
    unsigned bits;
};
constexpr std::array<RegisterPart, 68> x64Parts = {{
    {"eax", x64::rax, 0, 32},        {"ebx", x64::rbx, 0, 32},        {"ecx", x64::rcx, 0, 32},
    {"edx", x64::rdx, 0, 32},        {"esi", x64::rsi, 0, 32},        {"edi", x64::rdi, 0, 32},
    {"ebp", x64::rbp, 0, 32},        {"esp", x64::rsp, 0, 32},        {"eip", x64::rip, 0, 32},
    {"ax", x64::rax, 0, 16},         {"bx", x64::rbx, 0, 16},         {"cx", x64::rcx, 0, 16},
    {"dx", x64::rdx, 0, 16},         {"si", x64::rsi, 0, 16},         {"di", x64::rdi, 0, 16},
    {"bp", x64::rbp, 0, 16},         {"sp", x64::rsp, 0, 16},         {"al", x64::rax, 0, 8},
    {"bl", x64::rbx, 0, 8},          {"cl", x64::rcx, 0, 8},          {"dl", x64::rdx, 0, 8},
    {"ah", x64::rax, 8, 8},          {"bh", x64::rbx, 8, 8},          {"ch", x64::rcx, 8, 8},
    {"dh", x64::rdx, 8, 8},          {"sil", x64::rsi, 0, 8},         {"dil", x64::rdi, 0, 8},
    {"bpl", x64::rbp, 0, 8},         {"spl", x64::rsp, 0, 8},         {"r8d", x64::r8, 0, 32},
    {"r9d", x64::r9, 0, 32},         {"r10d", x64::r10, 0, 32},       {"r11d", x64::r11, 0, 32},
    {"r12d", x64::r12, 0, 32},       {"r13d", x64::r13, 0, 32},       {"r14d", x64::r14, 0, 32},
    {"r15d", x64::r15, 0, 32},       {"r8w", x64::r8, 0, 16},         {"r9w", x64::r9, 0, 16},
    {"r10w", x64::r10, 0, 16},       {"r11w", x64::r11, 0, 16},       {"r12w", x64::r12, 0, 16},
    {"r13w", x64::r13, 0, 16},       {"r14w", x64::r14, 0, 16},       {"r15w", x64::r15, 0, 16},
    {"r8b", x64::r8, 0, 8},          {"r9b", x64::r9, 0, 8},          {"r10b", x64::r10, 0, 8},
    {"r11b", x64::r11, 0, 8},        {"r12b", x64::r12, 0, 8},        {"r13b", x64::r13, 0, 8},
    {"r14b", x64::r14, 0, 8},        {"r15b", x64::r15, 0, 8},        {"cf", x64::eflags, 0, 1},
    {"pf", x64::eflags, 2, 1},       {"af", x64::eflags, 4, 1},       {"zf", x64::eflags, 6, 1},
    {"sf", x64::eflags, 7, 1},       {"tf", x64::eflags, 8, 1},       {"if", x64::eflags, 9, 1},
    {"df", x64::eflags, 10, 1},      {"of", x64::eflags, 11, 1},      {"iopl", x64::eflags, 12, 2},
    {"fsbase", x64::fs_base, 0, 64}, {"gsbase", x64::gs_base, 0, 64}, {"flags", x64::eflags, 0, 16},
    {"rflags", x64::eflags, 0, 64},  {"eflags", x64::eflags, 0, 32},
}};

/// The 32-bit register that has such a part, where one does. Those that x64 made longer have the
/// same numbers.
std::optional<RegisterId> partOfX86(const RegisterPart& part) {
    static_assert(int{x64::rax} == int{x86::eax} && int{x64::rsp} == int{x86::esp});
    if (part.whole == x64::eflags) return x86::eflags;
    const bool low = part.bits == 8 && part.whole >= x64::rsi;  // sil, dil, bpl, spl
    return part.whole <= x64::rsp && !low ? std::optional(part.whole) : std::nullopt;
}

std::optional<std::uint64_t> registerPart(const Registers& registers, std::string_view name) {
    if (registers.arch() == Arch::arm64 && name.size() >= 2 && (name[0] == 'w' || name[0] == 'W')) {
        const auto number = parseDecimal(name.substr(1));
        if (!number || *number > 30) return std::nullopt;
        const auto whole = registers.get(static_cast<RegisterId>(*number));
        return whole ? std::optional(*whole & UINT32_MAX) : std::nullopt;
    }
    const bool narrow = registers.arch() == Arch::x86;
    if (!narrow && registers.arch() != Arch::x86_64) return std::nullopt;
    for (const RegisterPart& part : x64Parts) {
        if (!equalsIgnoreCase(part.name, name)) continue;
        const auto id = narrow ? partOfX86(part) : part.whole;
        const auto whole = id ? registers.get(*id) : std::nullopt;
        if (!whole) return std::nullopt;
        const std::uint64_t mask =
            part.bits == 64 ? UINT64_MAX : (std::uint64_t{1} << part.bits) - 1;
        return *whole >> part.shift & mask;
    }
    return std::nullopt;
}

/// Where the program begins.
std::optional<std::uint64_t> entryPoint(const Process& process, const Symbolizer& symbolizer) {
    if (process.system.os != Os::windows) return process.auxvValue(9);  // AT_ENTRY
    for (const Module& module : process.modules) {
        const std::string_view name = module.fileName();
        constexpr std::string_view program = ".exe";
        if (name.size() < program.size() ||
            !equalsIgnoreCase(name.substr(name.size() - program.size()), program))
            continue;
        const auto& image = symbolizer.module(module).peImage;
        return image ? std::optional(module.range.begin() + image->entry()) : std::nullopt;
    }
    return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<Session>> Session::create(Snapshot snapshot, const SymbolOptions& options) {
    if (!snapshot.process) {
        return fail(Errc::unsupported, "this is not the dump of a process",
                    snapshot.provenance.path);
    }
    return std::unique_ptr<Session>(new Session(std::move(snapshot), options));
}

Session::Session(Snapshot snapshot, const SymbolOptions& options)
    : snapshot_(std::move(snapshot)),
      symbolizer_(std::make_unique<Symbolizer>(*snapshot_.process, options)),
      unwinder_(std::make_unique<Unwinder>(*snapshot_.process, *symbolizer_)),
      moduleNames_(*snapshot_.process),
      memory_(imageBackedMemory(*snapshot_.process, *symbolizer_)),
      threadStacks_(snapshot_.process->threads.size()) {
    adoptCaughtSignal(snapshot_, *unwinder_);
    const Process& process = *snapshot_.process;
    nativeArch_ = eventArch_ = arch();
    otherSide_ = wow64Side(process);
    if (otherSide_ && eventIs32Bit(process, *otherSide_)) {
        eventArch_ = otherSide_->arch;
        icecore::exchangeSides(*snapshot_.process, *otherSide_);
    }
    automaticAliases_ = automaticAliasesOf(*this);
    unwinder_->useShadowStacks(shadowStacks());
    if (process.exception) {
        for (std::size_t i = 0; i < process.threads.size(); ++i) {
            if (process.threads[i].id == process.exception->threadId) eventThread_ = i;
        }
    }
    thread_ = eventThread_.value_or(0);
    resetContext();
}

const Thread* Session::thread() const {
    return thread_ < process().threads.size() ? &process().threads[thread_] : nullptr;
}

void Session::selectThread(std::size_t index) {
    thread_ = index;
    resetContext();
}

void Session::useContext(ContextKind kind, const Registers& registers, bool pcIsReturnAddress) {
    contextKind_ = kind;
    registers_ = registers;
    pcIsReturnAddress_ = pcIsReturnAddress;
    frame_ = 0;
    contextStack_.reset();
}

std::optional<Arch> Session::otherArch() const {
    return otherSide_ ? std::optional(otherSide_->arch) : std::nullopt;
}

void Session::exchangeSides() {
    if (!otherSide_) return;
    icecore::exchangeSides(*snapshot_.process, *otherSide_);
    unwinder_->useShadowStacks(shadowStacks());
    automaticAliases_ = automaticAliasesOf(*this);
    forgetStacks();
    nextData.reset();
    nextCode.reset();
    const auto& exception = process().exception;
    if (contextKind_ == ContextKind::exception && exception && exception->context)
        useContext(ContextKind::exception, exception->context->registers);
    else
        resetContext();
}

const Module* Session::ntdll(std::size_t pointerSize) const {
    const Module* found = nullptr;
    const bool narrow = pointerSize == 4;
    for (const Module& module : process().modules) {
        if (!equalsIgnoreCase(module.fileName(), "ntdll.dll")) continue;
        if (found == nullptr || !narrow) found = &module;
    }
    return found;
}

std::map<std::uint64_t, std::uint64_t> Session::shadowStacks() const {
    // They are of the side that the processor ran.
    return arch() == nativeArch_ ? shadowStackPointers(snapshot_)
                                 : std::map<std::uint64_t, std::uint64_t>();
}

void Session::forgetStacks() {
    for (auto& kept : threadStacks_)
        kept.reset();
    contextStack_.reset();
}

void Session::resetContext() {
    const Thread* current = thread();
    useContext(ContextKind::thread, current != nullptr && current->context
                                        ? current->context->registers
                                        : Registers(arch()));
}

const NamedStack& Session::stack() const {
    if (contextKind_ == ContextKind::thread && thread() != nullptr) return stackOf(thread_);
    if (!contextStack_) {
        const std::uint64_t id = thread() != nullptr ? thread()->id : 0;
        const bool own = contextKind_ == ContextKind::exception && thread() != nullptr;
        Stack found =
            own ? unwinder_->unwindFrom(*thread(), registers_) : unwinder_->unwind(registers_);
        contextStack_ = nameStack(id, std::move(found), *symbolizer_);
    }
    return *contextStack_;
}

const NamedStack& Session::stackOf(std::size_t index) const {
    std::optional<NamedStack>& kept = threadStacks_[index];
    if (!kept) {
        const Thread& thread = process().threads[index];
        kept = nameStack(thread.id, unwinder_->unwind(thread), *symbolizer_);
    }
    return *kept;
}

void Session::prepareAllStacks() {
    std::size_t missing = 0;
    for (const auto& kept : threadStacks_)
        missing += kept ? 0 : 1;
    if (missing < 2) return;
    std::vector<NamedStack> stacks = nameStacks(process(), *unwinder_, *symbolizer_);
    for (std::size_t i = 0; i < stacks.size() && i < threadStacks_.size(); ++i)
        threadStacks_[i] = std::move(stacks[i]);
}

void Session::reload(SymbolOptions options) {
    symbolizer_->reload(std::move(options));
    // Rules and names may come from other files now.
    unwinder_ = std::make_unique<Unwinder>(process(), *symbolizer_);
    unwinder_->useShadowStacks(shadowStacks());
    forgetStacks();
    toldSymbols.clear();
}

std::optional<std::uint64_t> Session::returnAddress() const {
    const Stack stack = unwinder_->unwind(registers_, UnwindOptions{.maxFrames = 2, .scan = false});
    if (stack.frames.size() < 2) return std::nullopt;
    return stack.frames[1].pc;
}

std::optional<std::uint64_t> Session::pseudoRegister(std::string_view name) const {
    const ArchInfo& info = archInfo(arch());
    if (equalsIgnoreCase(name, "$ip") || equalsIgnoreCase(name, "$scopeip"))
        return registers_.get(info.pc);
    if (equalsIgnoreCase(name, "$csp")) return registers_.get(info.sp);
    if (equalsIgnoreCase(name, "$ra")) return returnAddress();
    if (equalsIgnoreCase(name, "$retreg"))
        return registers_.get(RegisterId{0});  // rax, eax, x0, r0: all stand first in their table
    if (equalsIgnoreCase(name, "$tid"))
        return thread() != nullptr ? std::optional(thread()->id) : std::nullopt;
    if (equalsIgnoreCase(name, "$tpid")) return process().pid;
    if (equalsIgnoreCase(name, "$teb") || equalsIgnoreCase(name, "$thread"))
        return thread() != nullptr ? thread()->tls : std::nullopt;
    if (equalsIgnoreCase(name, "$peb") || equalsIgnoreCase(name, "$proc")) return process().peb;
    if (equalsIgnoreCase(name, "$ptrsize")) return info.pointerSize;
    if (equalsIgnoreCase(name, "$pagesize")) return info.pageSize;
    if (equalsIgnoreCase(name, "$exentry")) return entryPoint(process(), *symbolizer_);
    if (equalsIgnoreCase(name, "$exr_code"))
        return process().exception ? std::optional<std::uint64_t>(process().exception->code)
                                   : std::nullopt;
    if (name.size() >= 3 && (name[1] == 't' || name[1] == 'T')) {
        const auto number = parseDecimal(name.substr(2));
        if (number && *number < temporaries.size()) return temporaries[*number];
    }
    return std::nullopt;
}

std::optional<std::uint64_t> Session::registerValue(std::string_view name) const {
    if (!name.empty() && name.front() == '$') return pseudoRegister(name);
    if (const auto id = registerByName(arch(), name)) return registers_.get(*id);
    // The dump has it of threads alone.
    if (equalsIgnoreCase(name, "ssp") && contextKind_ == ContextKind::thread &&
        thread() != nullptr) {
        const auto pointers = shadowStacks();
        const auto own = pointers.find(thread()->id);
        if (own != pointers.end()) return own->second;
    }
    return registerPart(registers_, name);
}

std::optional<std::uint64_t> Session::localAddress(std::string_view name) const {
    if (process().threads.empty()) return std::nullopt;
    const auto frame = frameVariables(*this);
    if (!frame) return std::nullopt;
    for (const Variable& variable : frame->variables) {
        if (variable.name == name) return locateVariable(*this, *frame, variable).address;
    }
    return std::nullopt;
}

Result<std::uint64_t> Session::symbolValue(std::string_view name) const {
    const std::size_t bang = name.find('!');
    if (bang == std::string_view::npos) {
        // A variable of the frame is its address, as everything with a name is.
        if (const auto local = localAddress(name)) return *local;
        if (const auto symbol = symbolizer_->byName(name)) return symbol->address;
        // A module's name alone is its base.
        if (const Module* module = moduleNames_.find(name)) return module->range.begin();
        return fail(Errc::not_found, fmt::format("Couldn't resolve error at '{}'", name));
    }
    const Module* module = moduleNames_.find(name.substr(0, bang));
    if (module == nullptr) {
        return fail(Errc::not_found, fmt::format("Couldn't resolve error at '{}': no module of "
                                                 "that name",
                                                 name));
    }
    const std::string_view wanted = name.substr(bang + 1);
    for (const Symbol& symbol : symbolizer_->find(module->fileName(), wanted, 16)) {
        if (symbol.module == module && symbol.name == wanted) return symbol.address;
    }
    if (const auto symbol = symbolizer_->byName(fmt::format("{}!{}", module->fileName(), wanted))) {
        return symbol->address;
    }
    return fail(Errc::not_found, fmt::format("Couldn't resolve error at '{}'", name));
}

bool Session::isModule(std::string_view name) const {
    return moduleNames_.find(name) != nullptr;
}

Result<std::uint64_t> Session::readMemory(std::uint64_t address, std::size_t size) const {
    std::byte raw[8] = {};
    if (memory_->read(address, std::span(raw).first(size)).bytes != size) {
        return fail(Errc::unreadable, fmt::format("Memory access error at '{}': {}",
                                                  hexTicked(address), memory_->explain(address)));
    }
    return loadInteger<std::uint64_t>(raw);
}

Result<std::uint64_t> Session::cppValue(std::string_view text) const {
    return evaluateCppInteger(text, *this);
}

std::size_t Session::pointerSize() const {
    return archInfo(arch()).pointerSize;
}

ThreadVisit::ThreadVisit(Session& session, std::size_t index)
    : session_(session),
      thread_(session.threadIndex()),
      frame_(session.frame()),
      kind_(session.contextKind()),
      registers_(session.registers()),
      pcIsReturnAddress_(session.pcIsReturnAddress()),
      stays_(index == thread_) {
    if (!stays_) session_.selectThread(index);
}

ThreadVisit::~ThreadVisit() {
    if (stays_) return;
    session_.selectThread(thread_);
    // A command may have gone to the other side, where these registers mean nothing.
    const bool same = registers_.arch() == session_.arch();
    if (kind_ != ContextKind::thread && same)
        session_.useContext(kind_, registers_, pcIsReturnAddress_);
    session_.selectFrame(frame_);
}

}  // namespace icecore::debugger
