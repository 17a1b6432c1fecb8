#include "arch/disassembler.h"

#include <algorithm>
#include <array>

#include "arch/disassembler_capstone.h"
#include "base/text.h"
#include "bytes/endian.h"

namespace icecore {

std::optional<std::uint64_t> MemoryOperand::address(const Registers& registers,
                                                    std::uint64_t nextPc) const {
    if (!computable) return std::nullopt;
    const auto value = [&](RegisterId id) -> std::optional<std::uint64_t> {
        if (id == archInfo(registers.arch()).pc) return nextPc;
        return registers.get(id);
    };
    auto sum = static_cast<std::uint64_t>(displacement);
    for (const auto& part : {base, segmentBase}) {
        if (!part) continue;
        const auto known = value(*part);
        if (!known) return std::nullopt;
        sum += *known;
    }
    if (index) {
        auto known = value(*index);
        if (!known) return std::nullopt;
        if (extension == IndexExtension::zero32) known = static_cast<std::uint32_t>(*known);
        if (extension == IndexExtension::sign32) {
            known = static_cast<std::uint64_t>(
                static_cast<std::int64_t>(static_cast<std::int32_t>(*known)));
        }
        const std::uint64_t scaled = *known * scale;
        sum = subtractIndex ? sum - scaled : sum + scaled;
    }
    return addressSize >= 8 ? sum : sum & ((std::uint64_t{1} << (addressSize * 8)) - 1);
}

namespace disassembly {

std::vector<std::string_view> splitOperands(std::string_view operands) {
    std::vector<std::string_view> parts;
    int depth = 0;
    std::size_t start = 0;
    for (std::size_t i = 0; i <= operands.size(); ++i) {
        const char c = i < operands.size() ? operands[i] : ',';
        if (c == '[' || c == '{') ++depth;
        if (c == ']' || c == '}') --depth;
        if (c != ',' || (depth > 0 && i < operands.size())) continue;
        if (const auto part = trim(operands.substr(start, i - start)); !part.empty())
            parts.push_back(part);
        start = i + 1;
    }
    return parts;
}

bool inGroup(const cs_insn& instruction, unsigned group) {
    const auto groups = std::span(instruction.detail->groups, instruction.detail->groups_count);
    return std::ranges::find(groups, group) != groups.end();
}

}  // namespace disassembly

namespace {

/// One open Capstone engine and the instruction it decodes into.
class Engine {
public:
    static Result<Engine> open(cs_arch arch, int mode) {
        Engine engine;
        const cs_err error = cs_open(arch, static_cast<cs_mode>(mode), &engine.handle_);
        if (error != CS_ERR_OK) {
            engine.handle_ = 0;
            return fail(Errc::unsupported, std::string("no disassembler for this architecture: ") +
                                               cs_strerror(error));
        }
        cs_option(engine.handle_, CS_OPT_DETAIL, CS_OPT_ON);
        engine.instruction_ = cs_malloc(engine.handle_);
        if (engine.instruction_ == nullptr) return fail(Errc::limit, "out of memory");
        return engine;
    }
    Engine(Engine&& other) noexcept
        : handle_(std::exchange(other.handle_, 0)),
          instruction_(std::exchange(other.instruction_, nullptr)) {}
    Engine& operator=(Engine&&) = delete;
    ~Engine() {
        if (instruction_ != nullptr) cs_free(instruction_, 1);
        if (handle_ != 0) cs_close(&handle_);
    }

    [[nodiscard]] csh handle() const { return handle_; }
    /// Valid until the next call; null when the bytes are no instruction.
    [[nodiscard]] const cs_insn* decode(std::span<const std::byte> code,
                                        std::uint64_t address) const {
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(code.data());
        std::size_t size = code.size();
        return cs_disasm_iter(handle_, &bytes, &size, &address, instruction_) ? instruction_
                                                                              : nullptr;
    }

private:
    Engine() = default;
    csh handle_ = 0;
    cs_insn* instruction_ = nullptr;
};

Instruction textOf(const cs_insn& from, std::span<const std::byte> code) {
    Instruction out;
    out.address = from.address;
    const auto bytes = code.first(std::min<std::size_t>(from.size, code.size()));
    out.bytes.assign(bytes.begin(), bytes.end());
    out.mnemonic = from.mnemonic;
    out.operands = from.op_str;
    return out;
}

class X86Disassembler final : public Disassembler {
public:
    X86Disassembler(Engine engine, Arch arch) : engine_(std::move(engine)), arch_(arch) {}

    [[nodiscard]] std::optional<Instruction> decode(std::span<const std::byte> code,
                                                    std::uint64_t address) const override {
        constexpr std::size_t longest = 15;
        code = code.first(std::min(code.size(), longest));
        const cs_insn* found = engine_.decode(code, address);
        if (found == nullptr) {
            return arch_ == Arch::x86_64 ? disassembly::decodeNewerX86(code, address)
                                         : std::nullopt;
        }
        Instruction out = textOf(*found, code);
        disassembly::describeX86(engine_.handle(), *found, arch_, out);
        return out;
    }

private:
    Engine engine_;
    Arch arch_;
};

class Arm64Disassembler final : public Disassembler {
public:
    explicit Arm64Disassembler(Engine engine) : engine_(std::move(engine)) {}

    [[nodiscard]] std::optional<Instruction> decode(std::span<const std::byte> code,
                                                    std::uint64_t address) const override {
        if (code.size() < 4) return std::nullopt;
        code = code.first(4);
        // Ours first: Capstone prints the pointer-authentication hints as bare numbers.
        if (auto ours =
                disassembly::decodeNewerArm64(loadInteger<std::uint32_t>(code.data()), address)) {
            ours->bytes.assign(code.begin(), code.end());
            return ours;
        }
        const cs_insn* found = engine_.decode(code, address);
        if (found == nullptr) return std::nullopt;
        Instruction out = textOf(*found, code);
        disassembly::describeArm64(engine_.handle(), *found, out);
        return out;
    }

private:
    Engine engine_;
};

/// An odd address means Thumb code, as in a function pointer.
class ArmDisassembler final : public Disassembler {
public:
    ArmDisassembler(Engine arm, Engine thumb) : arm_(std::move(arm)), thumb_(std::move(thumb)) {}

    [[nodiscard]] std::optional<Instruction> decode(std::span<const std::byte> code,
                                                    std::uint64_t address) const override {
        const Engine& engine = (address & 1U) != 0 ? thumb_ : arm_;
        code = code.first(std::min<std::size_t>(code.size(), 4));
        const cs_insn* found = engine.decode(code, address & ~std::uint64_t{1});
        if (found == nullptr) return std::nullopt;
        Instruction out = textOf(*found, code);
        disassembly::describeArm(engine.handle(), *found, out);
        return out;
    }

private:
    Engine arm_, thumb_;
};

}  // namespace

Result<std::unique_ptr<Disassembler>> Disassembler::create(Arch arch) {
    switch (arch) {
    case Arch::x86_64:
    case Arch::x86: {
        ASSIGN_OR_RETURN(Engine engine,
                         Engine::open(CS_ARCH_X86, arch == Arch::x86 ? CS_MODE_32 : CS_MODE_64));
        return std::make_unique<X86Disassembler>(std::move(engine), arch);
    }
    case Arch::arm64: {
        ASSIGN_OR_RETURN(Engine engine, Engine::open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN));
        return std::make_unique<Arm64Disassembler>(std::move(engine));
    }
    case Arch::arm: {
        ASSIGN_OR_RETURN(Engine arm, Engine::open(CS_ARCH_ARM, CS_MODE_ARM | CS_MODE_V8));
        ASSIGN_OR_RETURN(Engine thumb, Engine::open(CS_ARCH_ARM, CS_MODE_THUMB | CS_MODE_V8));
        return std::make_unique<ArmDisassembler>(std::move(arm), std::move(thumb));
    }
    case Arch::unknown: break;
    }
    return fail(Errc::unsupported, "no disassembler for an unknown architecture");
}

}  // namespace icecore
