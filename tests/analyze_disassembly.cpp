// The same question to GNU objdump and llvm-objdump: every instruction of a real libc.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "arch/disassembler.h"
#include "base/text.h"

namespace icecore {
namespace {

struct Theirs {
    std::uint64_t address = 0;
    std::vector<std::byte> bytes;
    std::string mnemonic, operands;
};

std::string withoutBlanks(std::string_view text) {
    std::string out;
    std::ranges::copy_if(text, std::back_inserter(out), [](char c) { return c != ' '; });
    return out;
}

void replaceAll(std::string& text, std::string_view from, std::string_view to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
}

void cutAt(std::string& text, std::string_view mark) {
    if (const auto at = text.find(mark); at != std::string::npos) text.resize(at);
}

/// One line of a disassembly: "ADDRESS:\tBYTES\tMNEMONIC OPERANDS".
std::optional<Theirs> parseLine(std::string_view line) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto address = parseHex(trim(line.substr(0, colon)));
    if (!address) return std::nullopt;
    line = trim(line.substr(colon + 1));
    const auto tab = line.find('\t');
    if (tab == std::string_view::npos) return std::nullopt;
    // llvm-objdump separates bytes and text by a tab too, after "ADDRESS: ".
    auto bytes = parseHexBytes(withoutBlanks(trim(line.substr(0, tab))));
    if (!bytes || bytes->empty()) return std::nullopt;
    line = trim(line.substr(tab));
    Theirs item{*address, std::move(*bytes), {}, {}};
    const auto end = line.find_first_of(" \t");
    item.mnemonic = line.substr(0, end);
    if (end != std::string_view::npos) item.operands = trim(line.substr(end));
    return item;
}

template <class Each>
std::size_t eachLine(const std::string& command, Each each) {
    FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) return 0;
    std::size_t count = 0;
    std::array<char, 2048> buffer{};
    while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) {
        if (auto item = parseLine(trim(buffer.data()))) {
            each(std::move(*item));
            ++count;
        }
    }
    pclose(pipe);
    return count;
}

struct Differences {
    std::size_t count = 0;
    std::map<std::string, std::string> firstOfKind;
    void add(const std::string& kind, const Theirs& theirs, const std::string& ours) {
        ++count;
        firstOfKind.try_emplace(kind, hex(theirs.address) + " " + hexBytes(theirs.bytes) + ": " +
                                          theirs.mnemonic + " " + theirs.operands + " | " + ours);
    }
    [[nodiscard]] std::string text() const {
        std::string all;
        for (const auto& [kind, example] : firstOfKind)
            all.append(kind).append("  ").append(example).append("\n");
        return all;
    }
};

/// Prefixes that objdump prints as words of their own, taken off both.
void dropPrefixes(std::string& mnemonic, std::string& operands) {
    for (bool again = true; again;) {
        again = false;
        for (const std::string_view prefix : {"lock", "rep", "repz", "repe", "repnz", "repne",
                                              "notrack", "bnd", "cs", "data16", "rex.W"}) {
            if (mnemonic != prefix || operands.empty()) continue;
            const auto end = operands.find_first_of(" \t");
            mnemonic = operands.substr(0, end);
            operands = end == std::string::npos ? "" : std::string(trim(operands.substr(end)));
            again = true;
        }
    }
}

/// Numbers brought to one form: hex, cut to `mask`, subtraction as addition of the negative.
std::string normalNumbers(std::string_view text, std::uint64_t mask) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        const auto isDigit = [&](std::size_t at) {
            return at < text.size() && text[at] >= '0' && text[at] <= '9';
        };
        const bool negative = text[i] == '-' && isDigit(i + 1);
        const bool fresh = i == 0 || std::isalnum(static_cast<unsigned char>(text[i - 1])) == 0;
        if (!negative && !(isDigit(i) && fresh)) {
            out += text[i++];
            continue;
        }
        if (negative) ++i;
        std::size_t end = i;
        while (end < text.size() && std::isalnum(static_cast<unsigned char>(text[end])) != 0)
            ++end;
        std::uint64_t value = parseNumber(text.substr(i, end - i)).value_or(0);
        if (negative) {
            value = ~value + 1;
            const bool after =
                !out.empty() && (std::isalnum(static_cast<unsigned char>(out.back())) != 0);
            if (after) out += '+';
        }
        out += hex(value & mask);
        i = end;
    }
    return out;
}

/// Both spellings of one x86 instruction brought to the same; what stays different is a difference.
std::string normalX64(std::string mnemonic, std::string operands) {
    cutAt(operands, "#");
    cutAt(operands, "<");
    if (const auto blank = mnemonic.find(' ');
        blank != std::string::npos) {  // "lock add" is one word of ours
        operands = mnemonic.substr(blank + 1) + " " + operands;
        mnemonic.resize(blank);
    }
    dropPrefixes(mnemonic, operands);
    operands = withoutBlanks(toLower(operands));
    for (const std::string_view noise : {"*1", "+0x0", "es:", "ds:", "cs:"})
        replaceAll(operands, noise, "");
    replaceAll(operands, "ptr", ":");
    replaceAll(operands, "xword", "tbyte");
    replaceAll(operands, "xmmtbyte", "xmmword");
    // The address alone in brackets: fs:[0x28] of ours is fs:0x28 of theirs.
    for (std::size_t at = 0; (at = operands.find('[', at)) != std::string::npos; ++at) {
        const auto close = operands.find(']', at);
        if (close == std::string::npos || !parseNumber(operands.substr(at + 1, close - at - 1)))
            continue;
        operands.erase(close, 1);
        operands.erase(at, 1);
    }
    // String instructions carry their size in the name or in the operand.
    for (const std::string_view family : {"movs", "stos", "lods", "scas", "cmps"}) {
        if (mnemonic.size() == 5 && mnemonic.starts_with(family) &&
            operands.find('[') != std::string::npos)
            mnemonic.pop_back();
    }
    if (mnemonic == "wait") mnemonic = "fwait";
    if (mnemonic == "xchg" && operands == "ax,ax") return "nop ";
    // Of two FPU registers one is implied; which one is printed is a matter of taste.
    if (mnemonic.starts_with('f') && operands.find('[') == std::string::npos) {
        replaceAll(operands, "st,", "");
        replaceAll(operands, ",st", "");
    }
    if (mnemonic == "xchg") {  // the order says nothing
        if (const auto comma = operands.rfind(','); comma != std::string::npos) {
            const std::string a = operands.substr(0, comma), b = operands.substr(comma + 1);
            operands = std::min(a, b) + "," + std::max(a, b);
        }
    }
    // Immediates of narrow operands are printed signed by one and unsigned by the other.
    const std::string_view first = std::string_view(operands).substr(0, operands.find(','));
    static const std::set<std::string_view> narrow = {"ax", "cx", "dx", "bx",
                                                      "sp", "bp", "si", "di"};
    const bool word = first.starts_with("word:") || narrow.contains(first) ||
                      (first.starts_with('r') && first.ends_with('w'));
    return mnemonic + " " +
           normalNumbers(operands, mnemonic == "xabort" ? UINT8_MAX
                                   : word               ? UINT16_MAX
                                                        : UINT32_MAX);
}

TEST(AnalyzeDisassembly, AgreesWithObjdumpOnEveryInstructionOfLibc) {
    const std::string libc = "/lib/x86_64-linux-gnu/libc.so.6";
    if (!std::filesystem::exists(libc)) GTEST_SKIP() << "no " << libc;
    const auto disassembler = Disassembler::create(Arch::x86_64);
    ASSERT_TRUE(disassembler);
    Differences lengths, invalid, texts, targets;
    std::size_t compared = 0;
    const std::size_t count = eachLine(
        "LC_ALL=C objdump -d -w -M intel --insn-width=16 " + libc, [&](const Theirs& theirs) {
            if (theirs.mnemonic == "(bad)" || theirs.mnemonic == ".byte") return;
            ++compared;
            const auto ours = (*disassembler)->decode(theirs.bytes, theirs.address);
            if (!ours) {
                invalid.add(theirs.mnemonic, theirs, "not decoded");
                return;
            }
            const std::string text = ours->mnemonic + " " + ours->operands;
            if (ours->bytes.size() != theirs.bytes.size())
                lengths.add(theirs.mnemonic, theirs, text);
            if (ours->target) {
                const auto words = splitBlanks(theirs.operands);
                if (words.empty() || parseHex(words.front()) != ours->target)
                    targets.add(theirs.mnemonic, theirs, text);
            } else if (const auto a = normalX64(ours->mnemonic, ours->operands),
                       b = normalX64(theirs.mnemonic, theirs.operands);
                       a != b) {
                texts.add(theirs.mnemonic, theirs, a + " | " + b);
            }
        });
    ASSERT_GT(count, 100000U) << "objdump printed next to nothing";
    EXPECT_EQ(lengths.count, 0U) << lengths.text();
    EXPECT_EQ(invalid.count, 0U) << invalid.text();
    EXPECT_EQ(targets.count, 0U) << targets.text();
    EXPECT_EQ(texts.count, 0U) << texts.text();
    RecordProperty("instructions", std::to_string(compared));
}

TEST(AnalyzeDisassembly, AgreesWithLlvmOnEveryInstructionOfAnArm64Libc) {
    const std::string libc = "/usr/aarch64-linux-gnu/lib/libc.so.6";
    const std::string objdump = "/usr/bin/llvm-objdump-19";
    if (!std::filesystem::exists(libc) || !std::filesystem::exists(objdump))
        GTEST_SKIP() << "needs libc6-arm64-cross and llvm-19";
    const auto disassembler = Disassembler::create(Arch::arm64);
    ASSERT_TRUE(disassembler);
    // Not known to us: memory tagging and scalable vectors.
    const std::set<std::string> unknown = {"cntb",  "gmi",   "irg",    "ld1b", "ldg",
                                           "mov",   "ptrue", "st1b",   "st2g", "stg",
                                           "stz2g", "stzg",  "whilelo"};
    // Aliases that Capstone 4 spells out.
    const std::map<std::string, std::set<std::string>> aliases = {
        {"mov", {"movz", "movn", "orr", "ins", "mov"}}, {"dc", {"sys", "dc"}}};
    Differences invalid, names, targets, memory;
    const std::size_t count =
        eachLine("LC_ALL=C " + objdump + " -d --mattr=+all " + libc, [&](Theirs theirs) {
            if (theirs.bytes.size() != 4) return;
            std::ranges::reverse(theirs.bytes);  // printed as one word
            const auto ours = (*disassembler)->decode(theirs.bytes, theirs.address);
            if (!ours) {
                if (!unknown.contains(theirs.mnemonic))
                    invalid.add(theirs.mnemonic, theirs, "not decoded");
                return;
            }
            const std::string text = ours->mnemonic + " " + ours->operands;
            const auto alias = aliases.find(theirs.mnemonic);
            const bool same = alias == aliases.end() ? ours->mnemonic == theirs.mnemonic
                                                     : alias->second.contains(ours->mnemonic);
            if (!same) names.add(theirs.mnemonic, theirs, text);
            if (ours->target) {
                const auto operands = splitBlanks(theirs.operands);
                const bool named = std::ranges::any_of(operands, [&](std::string_view word) {
                    return parseHex(word) == ours->target;
                });
                if (!named) targets.add(theirs.mnemonic, theirs, text);
            }
            bool accesses = false;
            for (const std::string_view family : {"ld", "st", "cas", "swp"})
                accesses = accesses || theirs.mnemonic.starts_with(family);
            if (accesses && ours->memory.size() != 1) memory.add(theirs.mnemonic, theirs, text);
        });
    ASSERT_GT(count, 100000U) << "llvm-objdump printed next to nothing";
    EXPECT_EQ(invalid.count, 0U) << invalid.text();
    EXPECT_EQ(names.count, 0U) << names.text();
    EXPECT_EQ(targets.count, 0U) << targets.text();
    EXPECT_EQ(memory.count, 0U) << memory.text();
}

}  // namespace
}  // namespace icecore
