#include "unwind/program_finder.h"

#include <array>

#include "base/text.h"
#include "symbols/module_reader.h"
#include "unwind/postfix_program.h"

namespace icecore {

namespace {

/// Words above where the layout says that the return address is in which it is looked for: what a
/// function has pushed at the moment no table tells.
constexpr std::uint64_t searchWords = 64;

/// The register that a program calls "$ebx" or "x19".
std::optional<RegisterId> registerCalled(Arch arch, std::string_view name) {
    if (name.starts_with('$')) name.remove_prefix(1);
    return registerByName(arch, name);
}

Step found(const Registers& caller, Trust trust, std::uint32_t arguments) {
    Step step;
    step.kind = Step::Kind::caller;
    step.trust = trust;
    step.caller = caller;
    step.arguments = arguments;
    return step;
}

/// The word that is the return address, from `start` on: the first that a call stands before.
std::optional<std::uint64_t> searchReturnAddress(std::uint64_t start, Walk& walk) {
    for (std::uint64_t i = 0; i < searchWords; ++i) {
        const std::uint64_t at = start + 4 * i;
        const auto word = walk.word(at, Arch::x86);
        if (!word) break;
        if (walk.code.callBefore(Arch::x86, *word)) return at;
    }
    // Code that cannot be read cannot be checked.
    const auto first = walk.word(start, Arch::x86);
    if (first && walk.code.executable(*first) == CodeMap::Executable::yes &&
        !walk.code.surelyNotCalled(Arch::x86, *first))
        return start;
    return std::nullopt;
}

/// 32-bit x86 by FPO_DATA or FrameData. `into`: bytes into the piece of code it is for.
Step x86Step(const FrameLayout& layout, std::uint64_t into, const WalkFrame& frame, Walk& walk) {
    constexpr std::uint8_t frameNone = 3, frameFpo = 0;
    PostfixProgram program(walk, Arch::x86);
    constexpr std::array<std::pair<std::string_view, RegisterId>, 6> names = {{{"$eip", x86::eip},
                                                                               {"$esp", x86::esp},
                                                                               {"$ebp", x86::ebp},
                                                                               {"$ebx", x86::ebx},
                                                                               {"$esi", x86::esi},
                                                                               {"$edi", x86::edi}}};
    for (const auto& [name, id] : names) {
        if (const auto value = frame.registers.get(id)) program.set(name, *value);
    }
    // Old FPO tells the whole prologue's work; before its first instruction nothing is done.
    const bool notBegun = layout.program.empty() && !frame.pcIsReturnAddress && into == 0;
    const std::uint64_t start =
        frame.sp() + frame.pushedArguments + (notBegun ? 0 : layout.locals + layout.savedRegisters);
    const bool needsSearch =
        layout.program.empty() || layout.program.find(".raSearch ") != std::string::npos;
    std::uint64_t at = start;
    if (needsSearch) {
        const auto hit = searchReturnAddress(start, walk);
        if (!hit) return {};
        at = *hit;
    }
    program.set(".raSearch", at);
    program.set(".raSearchStart", start);
    program.set(".cbLocals", layout.locals);
    program.set(".cbParams", layout.parameters);
    program.set(".cbSavedRegs", layout.savedRegisters);
    std::string text = layout.program;
    if (text.empty() && layout.frameType == frameNone) {
        text = "$eip $ebp 4 + ^ = $esp $ebp 8 + = $ebp $ebp ^ =";
    } else if (text.empty()) {
        if (layout.frameType != frameFpo) return {};
        text = "$eip .raSearch ^ = $esp .raSearch 4 + =";
        if (layout.usesBasePointer && !notBegun) {
            // EBP is saved below the locals; compilers save EBX before it, when they save it.
            constexpr std::uint32_t one = 4, two = 8;
            const std::uint32_t below = layout.savedRegisters >= two ? two : one;
            program.set(".savedBase",
                        frame.sp() + frame.pushedArguments + layout.savedRegisters - below);
            text += " $ebp .savedBase ^ =";
        }
    }
    if (!program.run(text)) {
        const auto missing = program.unreadable();
        return missing ? Step::unreadable(*missing) : Step{};
    }
    Registers caller = frame.registers;
    for (const auto& [name, id] : names) {
        if (const auto value = program.get(name)) caller.set(id, *value);
    }
    return found(caller, needsSearch && at != start ? Trust::scan : Trust::unwind_info,
                 layout.parameters);
}

/// Breakpad's rules: the canonical frame address first, the others by it.
Step cfiStep(const RegisterPrograms& rules, const WalkFrame& frame, Walk& walk) {
    const Arch arch = frame.registers.arch();
    const ArchInfo& info = archInfo(arch);
    PostfixProgram program(walk, arch);
    for (std::size_t i = 0; i < info.registers.size(); ++i) {
        const auto value = frame.registers.get(static_cast<RegisterId>(i));
        if (!value) continue;
        program.set(info.registers[i].name, *value);
        program.set("$" + std::string(info.registers[i].name), *value);
    }
    const auto ruleOf = [&](std::string_view name) {
        std::string_view text;
        for (const auto& [reg, expression] : rules.rules) {
            if (reg == name) text = expression;
        }
        return text;
    };
    const auto cfa = program.evaluate(ruleOf(".cfa"));
    if (cfa) program.set(".cfa", *cfa);
    const auto ra = cfa ? program.evaluate(ruleOf(".ra")) : std::nullopt;
    if (!cfa || !ra) {
        const auto missing = program.unreadable();
        return missing ? Step::unreadable(*missing) : Step{};
    }
    Registers caller = frame.registers;
    for (const auto& [name, expression] : rules.rules) {
        const auto id = registerCalled(arch, name);
        if (!id) continue;
        if (const auto value = program.evaluate(expression)) caller.set(*id, *value);
    }
    caller.set(info.sp, *cfa);
    caller.set(info.pc, stripPointer(arch, *ra));
    return found(caller, Trust::cfi, 0);
}

/// ntdll's KiUserExceptionDispatcher on x86 is entered by the kernel, with the addresses of an
/// EXCEPTION_RECORD and of the CONTEXT of the interrupted code on the stack. CONTEXT: winnt.h.
Step exceptionDispatcher(const WalkFrame& frame, Walk& walk) {
    constexpr std::uint64_t wordsAbove = 16;
    constexpr std::uint32_t contextX86 = 0x10000, contextControl = 1;
    constexpr std::array<std::pair<std::uint32_t, RegisterId>, 9> fields = {{{0x9c, x86::edi},
                                                                             {0xa0, x86::esi},
                                                                             {0xa4, x86::ebx},
                                                                             {0xa8, x86::edx},
                                                                             {0xac, x86::ecx},
                                                                             {0xb0, x86::eax},
                                                                             {0xb4, x86::ebp},
                                                                             {0xb8, x86::eip},
                                                                             {0xc4, x86::esp}}};
    for (std::uint64_t i = 0; i < wordsAbove; ++i) {
        const auto record = walk.word(frame.sp() + 4 * i, Arch::x86);
        const auto context = walk.word(frame.sp() + 4 * i + 4, Arch::x86);
        if (!record || !context) break;
        if (!walk.stack.contains(*record) || !walk.stack.contains(*context)) continue;
        const auto flags = walk.word(*context, Arch::x86);
        if (!flags || (*flags & ~std::uint64_t{0x7f}) != contextX86 ||
            (*flags & contextControl) == 0)
            continue;
        Registers caller(Arch::x86);
        for (const auto& [offset, id] : fields) {
            if (const auto value = walk.word(*context + offset, Arch::x86)) caller.set(id, *value);
        }
        if (!caller.has(x86::eip) || !caller.has(x86::esp)) continue;
        Step step = found(caller, Trust::unwind_info, 0);
        step.fromSignalFrame = true;
        return step;
    }
    return {};
}

/// The same of x64, where the CONTEXT begins at the stack pointer and the EXCEPTION_RECORD follows
/// at 0x4f0. Windows' unwind tables lead to the interrupted code, too, through a machine frame;
/// those of Wine take its address for a return address, which it is not.
Step exceptionDispatcher64(const WalkFrame& frame, Walk& walk) {
    constexpr std::uint64_t flagsAt = 0x30, recordAt = 0x4f0, recordAddress = 0x10;
    constexpr std::uint64_t contextAmd64 = 0x100000, contextControl = 1, contextInteger = 2;
    constexpr std::array<std::pair<std::uint32_t, RegisterId>, 17> fields = {{{0x78, x64::rax},
                                                                              {0x80, x64::rcx},
                                                                              {0x88, x64::rdx},
                                                                              {0x90, x64::rbx},
                                                                              {0x98, x64::rsp},
                                                                              {0xa0, x64::rbp},
                                                                              {0xa8, x64::rsi},
                                                                              {0xb0, x64::rdi},
                                                                              {0xb8, x64::r8},
                                                                              {0xc0, x64::r9},
                                                                              {0xc8, x64::r10},
                                                                              {0xd0, x64::r11},
                                                                              {0xd8, x64::r12},
                                                                              {0xe0, x64::r13},
                                                                              {0xe8, x64::r14},
                                                                              {0xf0, x64::r15},
                                                                              {0xf8, x64::rip}}};
    const auto flags = walk.memory.load(frame.sp() + flagsAt, 4);
    constexpr std::uint64_t wanted = contextAmd64 | contextControl | contextInteger;
    if (!flags || (*flags & wanted) != wanted) return {};
    Registers caller(Arch::x86_64);
    for (const auto& [offset, id] : fields) {
        const auto value = walk.word(frame.sp() + offset, Arch::x86_64);
        if (!value) return {};
        caller.set(id, *value);
    }
    const auto address = walk.word(frame.sp() + recordAt + recordAddress, Arch::x86_64);
    if (address != caller.pc() || caller.sp() <= frame.sp()) return {};
    Step step = found(caller, Trust::unwind_info, 0);
    step.fromSignalFrame = true;
    return step;
}

/// Whether a frame is in ntdll's KiUserExceptionDispatcher.
bool inDispatcher(const Module& module, const ModuleReader& reader, std::uint64_t own) {
    if (!equalsIgnoreCase(module.fileName(), "ntdll.dll")) return false;
    const auto name = reader.nearest(own);
    return name && name->name.find("KiUserExceptionDispatcher") != std::string::npos;
}

}  // namespace

Step ProgramFinder::dispatcher(const WalkFrame& frame, Walk& walk) const {
    if (frame.registers.arch() != Arch::x86_64) return {};
    const Module* module = walk.code.process().moduleAt(frame.lookupPc());
    if (module == nullptr || !equalsIgnoreCase(module->fileName(), "ntdll.dll")) return {};
    const ModuleReader* reader = symbolizer_.reader(*module);
    if (reader == nullptr || reader->info().forced ||
        !inDispatcher(*module, *reader, frame.lookupPc() - reader->bias()))
        return {};
    return exceptionDispatcher64(frame, walk);
}

Step ProgramFinder::find(const WalkFrame& frame, Walk& walk) const {
    Step step = dispatcher(frame, walk);
    if (step.kind != Step::Kind::none) return step;
    step = others_.find(frame, walk);
    if (step.kind != Step::Kind::none) return step;
    const Module* module = walk.code.process().moduleAt(frame.lookupPc());
    const ModuleReader* reader = module != nullptr ? symbolizer_.reader(*module) : nullptr;
    // A file used in spite of a mismatch may name functions; it must not unwind stacks.
    if (reader == nullptr || reader->info().forced) return {};
    const std::uint64_t own = frame.lookupPc() - reader->bias();
    if (frame.registers.arch() == Arch::x86) {
        if (inDispatcher(*module, *reader, own)) step = exceptionDispatcher(frame, walk);
        if (step.kind == Step::Kind::none) {
            if (const auto layout = reader->frameLayout(own))
                step = x86Step(*layout, own - layout->begin, frame, walk);
        }
    }
    if (step.kind == Step::Kind::none) {
        if (const auto rules = reader->registerPrograms(own)) step = cfiStep(*rules, frame, walk);
    }
    return step;
}

}  // namespace icecore
