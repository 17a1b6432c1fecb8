// Unwinding real Windows programs of ARM64 and x86, made by clang and lld: at every instruction of
// every prologue and epilogue the caller that the tables lead to is compared with what a small
// simulation of those instructions has done.
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "base/text.h"
#include "support/windows_build.h"
#include "symbols/module_reader.h"
#include "unwind/code_and_stack.h"
#include "unwind/unwinder.h"

namespace icecore {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t base = 0x10000000, stackAt = 0x7f0000, stackSize = 0x10000;
/// Where every simulated function is called from: behind the program's first call.
constexpr std::uint64_t entrySp = stackAt + 0xf000;

/// Functions with all kinds of frames. `use` is not inlined and takes addresses, so that there are
/// variables in memory, saved registers, calls.
constexpr const char* source = R"cpp(
    extern "C" {
    int _fltused = 0;
    void probe() __asm__("__chkstk");
    void probe() {}
    __declspec(noinline) void use(volatile void* p) {
        *static_cast<volatile char*>(p) = 1;
    }
    volatile int sink;
    __declspec(noinline) int leaf(int a) {
        return a + sink;
    }
    __declspec(noinline) int small(int a) {
        int x = a;
        use(&x);
        return x;
    }
    __declspec(noinline) int saves(int a, int b, int c, int d) {
        use(&a);
        sink = leaf(b);
        sink = leaf(c);
        sink = leaf(d);
        return leaf(b) + leaf(c) + leaf(d) * a + b * c;
    }
    __declspec(noinline) int many(int a, int b, int c, int d, int e, int f, int g, int h) {
        int x = leaf(a), y = leaf(b), z = leaf(c), w = leaf(d);
        use(&x);
        return leaf(e) + leaf(f) + leaf(g) + leaf(h) + a + b * 3 + c * 5 + d * 7 + e + f + g + h +
               y + z + w + x;
    }
    __declspec(noinline) int large(int a) {
        char room[700];
        use(room);
        return room[a];
    }
    __declspec(noinline) int larger(int a) {
        char room[3000];
        use(room);
        return room[a] + leaf(a);
    }
    __declspec(noinline) double floats(double a, double b, double c) {
        use(&sink);
        double x = a * b;
        use(&sink);
        x += c;
        use(&sink);
        return x + a - b * c;
    }
    __declspec(noinline) int variadic(int a, ...) {
        __builtin_va_list list;
        __builtin_va_start(list, a);
        int x = __builtin_va_arg(list, int);
        use(&x);
        __builtin_va_end(list);
        return x + leaf(a);
    }
    __declspec(noinline) int dynamic(int n) {
        char* room = static_cast<char*>(__builtin_alloca(n & 0xff));
        use(room);
        return room[0] + leaf(n);
    }
    __declspec(noinline) int aligned(int n) {
        alignas(64) char room[128];
        use(room);
        return room[n & 15] + leaf(n);
    }
    [[noreturn]] __declspec(noinline) void never(int a) {
        sink = a;
        for (;;)
            use(&a);
    }
    __declspec(noinline) int tail(int a) {
        use(&a);
        if (a > 5) never(a);
        return a;
    }
    __declspec(dllexport) int start(int x) {
        return small(x) + saves(x, 1, 2, 3) + many(x, 1, 2, 3, 4, 5, 6, 7) + large(x) + larger(x) +
               static_cast<int>(floats(x, 2, 3)) + variadic(x, 4) + dynamic(x) + aligned(x) +
               tail(x);
    }
    }
)cpp";

/// A program that was built, as a module of a process whose stack the tests write.
class BuiltProgram {
public:
    BuiltProgram(const std::string& arch, Arch our, const std::string& options) : arch_(our) {
        problem_ = tests::buildForWindows(
            folder_, source,
            {.arch = arch, .compile = options, .link = "/dll /noimplib /safeseh:no"});
        if (!problem_.empty()) return;
        const auto opened = openMappedFile(folder_ / "a.dll");
        image_ = opened ? PeImage::open(*opened).value_or(nullptr) : nullptr;
        process_.system.os = Os::windows;
        process_.system.arch = our;
        if (!image_) return;
        Module module;
        module.range = Range::ofSize(base, image_->imageSize());
        module.path = (folder_ / "a.dll").string();
        module.timestamp = image_->timestamp();
        module.imageSize = image_->imageSize();
        const auto view = image_->codeView();
        if (view) {
            module.id.kind = ModuleId::Kind::pdb;
            module.id.bytes.assign(view->guid.begin(), view->guid.end());
            module.id.age = view->age;
            module.debugFile = view->path;
        }
        process_.modules.items.push_back(module);
        addRegion(process_, Range::ofSize(stackAt, stackSize), false);
        for (const PeSection& section : image_->sections()) {
            constexpr std::uint32_t execute = 0x20000000;
            addRegion(process_, Range::ofSize(base + section.address, section.virtualSize),
                      (section.characteristics & execute) != 0);
        }
        options_.path = folder_.string();
        symbolizer_ = std::make_unique<Symbolizer>(process_, options_);
        reader_ = symbolizer_->reader(process_.modules[0]);
    }

    [[nodiscard]] const std::string& problem() const { return problem_; }
    [[nodiscard]] ModuleReader::Named function(std::string_view name) const {
        const auto found = reader_->byName(name);
        EXPECT_TRUE(found.has_value()) << name;
        return found.value_or(ModuleReader::Named{});
    }
    [[nodiscard]] std::vector<std::byte> code(const ModuleReader::Named& function) const {
        const auto view = image_->at(static_cast<std::uint32_t>(function.address), function.size);
        return {view.span().begin(), view.span().end()};
    }
    /// Behind a direct call to the function, anywhere in the program.
    [[nodiscard]] std::uint64_t callOf(const ModuleReader::Named& function) const {
        const ModuleReader::Named text{"", image_->sections()[0].address,
                                       image_->sections()[0].virtualSize, true};
        const auto bytes = code(text);
        for (std::size_t i = 0; i + 5 <= bytes.size(); ++i) {
            const std::uint64_t at = text.address + i;
            if (arch_ == Arch::x86 && bytes[i] == std::byte{0xe8} &&
                static_cast<std::uint32_t>(
                    at + 5 + loadInteger<std::uint32_t>(bytes.data() + i + 1)) == function.address)
                return base + at + 5;
            if (arch_ != Arch::arm64 || i % 4 != 0) continue;
            const auto word = loadInteger<std::uint32_t>(bytes.data() + i);
            if (word >> 26U != 0x25) continue;
            const std::int64_t distance = static_cast<std::int32_t>(word << 6U) >> 4;
            if (static_cast<std::int64_t>(at) + distance ==
                static_cast<std::int64_t>(function.address))
                return base + at + 4;
        }
        return 0;
    }

    /// The second frame of a stack whose words are `memory`.
    [[nodiscard]] std::optional<Frame> caller(
        const Registers& registers, const std::map<std::uint64_t, std::uint64_t>& memory) {
        const std::uint64_t word = archInfo(arch_).pointerSize;
        std::vector<std::byte> bytes(stackSize);
        for (const auto& [at, value] : memory) {
            if (at < stackAt || at + word > stackAt + stackSize) continue;
            if (word == 4)
                storeInteger(bytes.data() + (at - stackAt), static_cast<std::uint32_t>(value));
            else
                storeInteger(bytes.data() + (at - stackAt), value);
        }
        SegmentSpaceBuilder builder(memorySource(std::move(bytes), "stack"));
        builder.addStored(Range::ofSize(stackAt, stackSize), 0);
        process_.memory = builder.build();
        const Stack stack = Unwinder(process_, *symbolizer_)
                                .unwind(registers, UnwindOptions{.maxFrames = 2, .scan = false});
        if (stack.frames.size() < 2) return std::nullopt;
        return stack.frames[1];
    }

private:
    const tests::Scratch scratch_;
    fs::path folder_ = scratch_.file("");
    Arch arch_;
    std::string problem_;
    std::shared_ptr<const PeImage> image_;
    Process process_;
    SymbolOptions options_;
    std::unique_ptr<Symbolizer> symbolizer_;
    const ModuleReader* reader_ = nullptr;
};

/// What prologues and epilogues of ARM64 are made of. Encodings: Arm ARM, C4.1.
class Arm64Simulation {
public:
    Registers registers{Arch::arm64};
    std::map<std::uint64_t, std::uint64_t> memory;

    /// False for an instruction that belongs to neither.
    bool step(std::uint32_t word) {
        if (word == 0xd503237f || word == 0xd50323ff) return true;  // pacibsp, autibsp
        if (word == 0x910003fd) return set(arm64::fp, sp());        // mov x29, sp
        if ((word & 0xff0003ff) == 0x910003fd)                      // add x29, sp, #
            return set(arm64::fp, sp() + immediate(word));
        if ((word & 0xff0003ff) == 0xd10003ff) return set(arm64::sp, sp() - immediate(word));
        if ((word & 0xff0003ff) == 0x910003ff) return set(arm64::sp, sp() + immediate(word));
        if ((word & 0xff0003ff) == 0xd10003bf)  // sub sp, x29, #
            return set(arm64::sp, registers.fp() - immediate(word));
        if ((word & 0xfffffc1f) == 0x9100001f && (word >> 5U & 31U) == 29)
            return set(arm64::sp, registers.fp());
        return pair(word) || single(word);
    }

private:
    std::uint64_t sp() const { return registers.sp(); }
    static std::uint64_t immediate(std::uint32_t word) {
        return std::uint64_t{word >> 10U & 0xfffU} << ((word >> 22U & 1U) * 12);
    }
    bool set(RegisterId id, std::uint64_t value) {
        registers.set(id, value);
        return true;
    }
    bool move(std::uint32_t reg, std::uint64_t at, bool load, bool vector) {
        if (vector || reg > 30) return true;
        if (load)
            registers.set(static_cast<RegisterId>(reg), memory[at]);
        else
            memory[at] = registers.valueOr0(static_cast<RegisterId>(reg));
        return true;
    }
    /// Of `mode`: 1 post-index, 2 offset, 3 pre-index.
    bool access(std::uint32_t mode, std::int64_t offset, auto each) {
        const std::uint64_t moved = sp() + static_cast<std::uint64_t>(offset);
        each(mode == 1 ? sp() : moved);
        if (mode != 2) registers.set(arm64::sp, moved);
        return true;
    }
    bool pair(std::uint32_t word) {  // stp, ldp of x or d registers
        const bool vector = (word & 0xfc000000) == 0x6c000000;
        if (!vector && (word & 0xfc000000) != 0xa8000000) return false;
        if ((word >> 5U & 31U) != 31) return false;
        const bool load = (word >> 22U & 1U) != 0;
        const std::int64_t offset = (static_cast<std::int32_t>(word << 10U) >> 25) * 8;
        return access(word >> 23U & 3U, offset, [&](std::uint64_t at) {
            move(word & 31U, at, load, vector);
            move(word >> 10U & 31U, at + 8, load, vector);
        });
    }
    bool single(std::uint32_t word) {  // str, ldr of x or d registers
        if ((word >> 5U & 31U) != 31) return false;
        const bool load = (word >> 22U & 1U) != 0;
        const bool vector = (word >> 26U & 1U) != 0;
        if ((word & 0xfb800000) == 0xf9000000) {
            return access(2, (word >> 10U & 0xfffU) * 8,
                          [&](std::uint64_t at) { move(word & 31U, at, load, vector); });
        }
        if ((word & 0xfba00000) != 0xf8000000 || (word >> 10U & 1U) == 0) return false;
        const std::int64_t offset = static_cast<std::int32_t>(word << 11U) >> 23;
        return access((word >> 11U & 1U) != 0 ? 3 : 1, offset,
                      [&](std::uint64_t at) { move(word & 31U, at, load, vector); });
    }
};

constexpr std::array names = {"leaf",   "small",    "saves",   "many",    "large", "larger",
                              "floats", "variadic", "dynamic", "aligned", "tail",  "start"};

TEST(PePrograms, Arm64AtEveryInstruction) {
    if (!tests::canBuildForWindows()) GTEST_SKIP() << "clang-19 or lld-19 is not installed";
    std::size_t checked = 0, epilogues = 0;
    for (const char* options :
         {"-O2", "-O1 -fno-omit-frame-pointer", "-Oz", "-O2 -mbranch-protection=pac-ret"}) {
        BuiltProgram program("aarch64", Arch::arm64, options);
        ASSERT_EQ(program.problem(), "");
        for (const char* name : names) {
            SCOPED_TRACE(std::string(name) + " " + options);
            const auto function = program.function(name);
            const auto bytes = program.code(function);
            const std::uint64_t callerPc = program.callOf(function);
            if (callerPc == 0) continue;  // inlined, or called through a register
            Arm64Simulation machine;
            for (RegisterId i = 0; i <= arm64::fp; ++i)
                machine.registers.set(i, 0x1000U + i);
            machine.registers.set(arm64::fp, entrySp + 0x100);
            machine.registers.set(arm64::lr, callerPc);
            machine.registers.set(arm64::sp, entrySp);
            const Registers entry = machine.registers;
            const auto check = [&](std::size_t at) {
                Registers now = machine.registers;
                now.set(arm64::pc, base + function.address + at);
                const auto caller = program.caller(now, machine.memory);
                ASSERT_TRUE(caller.has_value()) << "at +" << at;
                EXPECT_EQ(caller->pc, callerPc) << "at +" << at;
                EXPECT_EQ(caller->sp, entrySp) << "at +" << at;
                EXPECT_EQ(caller->trust, Trust::unwind_info) << "at +" << at;
                for (RegisterId i = 19; i <= arm64::fp; ++i)
                    EXPECT_EQ(caller->registers.get(i), entry.get(i))
                        << "x" << int{i} << " at +" << at;
                ++checked;
            };
            const auto wordAt = [&](std::size_t at) {
                return loadInteger<std::uint32_t>(bytes.data() + at);
            };
            std::size_t at = 0;
            check(at);
            while (at + 4 <= bytes.size() && machine.step(wordAt(at)))
                check(at += 4);
            // Each way out, from the state behind the prologue.
            const Arm64Simulation body = machine;
            constexpr std::uint32_t ret = 0xd65f03c0;
            for (std::size_t end = at; end + 4 <= bytes.size(); end += 4) {
                if (wordAt(end) != ret) continue;
                std::size_t begin = end;
                Arm64Simulation probe = body;
                while (begin > at && probe.step(wordAt(begin - 4)))
                    begin -= 4;
                machine = body;
                for (std::size_t i = begin; i <= end; i += 4) {
                    check(i);
                    if (i < end) machine.step(wordAt(i));
                }
                ++epilogues;
            }
        }
    }
    EXPECT_GT(checked, 250U);
    EXPECT_GT(epilogues, 30U);
}

/// What prologues of 32-bit x86 are made of (Intel SDM 2: PUSH, SUB, MOV, AND, LEA).
class X86Simulation {
public:
    Registers registers{Arch::x86};
    std::map<std::uint64_t, std::uint64_t> memory;

    /// Length of the instruction; 0 when it is none of a prologue's.
    std::size_t step(std::span<const std::byte> code) {
        const auto byte = [&](std::size_t i) {
            return i < code.size() ? std::to_integer<std::uint32_t>(code[i]) : 0U;
        };
        constexpr std::array<RegisterId, 8> order = {x86::eax, x86::ecx, x86::edx, x86::ebx,
                                                     x86::esp, x86::ebp, x86::esi, x86::edi};
        if (byte(0) >= 0x50 && byte(0) <= 0x57) {
            const std::uint64_t value = registers.valueOr0(order[byte(0) - 0x50]);
            registers.set(x86::esp, registers.sp() - 4);
            memory[registers.sp()] = value;
            return 1;
        }
        if (byte(0) == 0x89 && byte(1) == 0xe5) {
            registers.set(x86::ebp, registers.sp());
            return 2;
        }
        if (byte(0) == 0x83 && byte(1) == 0xec) {
            registers.set(x86::esp, registers.sp() - byte(2));
            return 3;
        }
        if (byte(0) == 0x81 && byte(1) == 0xec) {
            registers.set(x86::esp, registers.sp() - loadInteger<std::uint32_t>(code.data() + 2));
            return 6;
        }
        if (byte(0) == 0x83 && byte(1) == 0xe4) {
            registers.set(x86::esp, registers.sp() & (0xffffff00U | byte(2)));
            return 3;
        }
        return 0;
    }
};

TEST(PePrograms, X86AtEveryInstructionOfPrologues) {
    if (!tests::canBuildForWindows()) GTEST_SKIP() << "clang-19 or lld-19 is not installed";
    std::size_t checked = 0;
    for (const char* options : {"-O2 -fomit-frame-pointer", "-O1 -fno-omit-frame-pointer", "-Oz"}) {
        BuiltProgram program("i686", Arch::x86, options);
        ASSERT_EQ(program.problem(), "");
        for (const char* name : names) {
            SCOPED_TRACE(std::string(name) + " " + options);
            const auto function = program.function(name);
            const auto bytes = program.code(function);
            const std::uint64_t callerPc = program.callOf(function);
            if (callerPc == 0) continue;
            X86Simulation machine;
            for (RegisterId i = x86::eax; i <= x86::edi; ++i)
                machine.registers.set(i, 0x1000U + i);
            machine.registers.set(x86::ebp, entrySp + 0x100);
            machine.registers.set(x86::esp, entrySp);
            machine.memory[entrySp] = callerPc;
            const Registers entry = machine.registers;
            std::size_t at = 0;
            for (std::size_t size = 1; size != 0;) {
                Registers now = machine.registers;
                now.set(x86::eip, base + function.address + at);
                const auto caller = program.caller(now, machine.memory);
                ASSERT_TRUE(caller.has_value()) << "at +" << at;
                EXPECT_EQ(caller->pc, callerPc) << "at +" << at;
                EXPECT_EQ(caller->sp, entrySp + 4) << "at +" << at;
                EXPECT_EQ(caller->trust, Trust::unwind_info) << "at +" << at;
                for (const RegisterId id : {x86::ebx, x86::esi, x86::edi, x86::ebp})
                    EXPECT_EQ(caller->registers.get(id), entry.get(id)) << int{id} << " at +" << at;
                ++checked;
                size = machine.step(std::span(bytes).subspan(at));
                at += size;
            }
        }
    }
    EXPECT_GT(checked, 100U);
}

}  // namespace
}  // namespace icecore
