#include "unwind/cfi_program.h"

#include <gtest/gtest.h>

#include "unwind/cfi_bytes.h"
#include "unwind/cfi_index.h"

namespace icecore {
namespace {

using testing_cfi::Bytes;
using testing_cfi::OneFde;

Result<UnwindRow> row(const OneFde& cfi, std::uint64_t address) {
    const auto fde = parseFde(cfi.section(), cfi.fdeOffset());
    if (!fde) return std::unexpected(fde.error());
    return rowAt(cfi.section(), *fde, address);
}

RegisterRule ruleOf(std::initializer_list<int> instructions, RegisterId reg,
                    Arch arch = Arch::x86_64) {
    const OneFde cfi(instructions, arch);
    const auto found = row(cfi, 0x1080);
    EXPECT_TRUE(found) << (found ? "" : found.error().describe());
    const RegisterRule* rule = found ? found->rule(reg) : nullptr;
    return rule != nullptr ? *rule : RegisterRule{255, RuleKind::undefined, 0, 0};
}

Errc errorOf(std::initializer_list<int> instructions, Arch arch = Arch::x86_64) {
    const OneFde cfi(instructions, arch);
    const auto found = row(cfi, 0x1080);
    EXPECT_FALSE(found);
    return found ? Errc::internal : found.error().code;
}

TEST(CfiProgram, EveryRegisterRule) {
    using K = RuleKind;
    const RegisterId rbp = x64::rbp;
    EXPECT_EQ(ruleOf({0x86, 2}, rbp), (RegisterRule{rbp, K::offset, 0, -16}));
    EXPECT_EQ(ruleOf({0x05, 6, 3}, rbp), (RegisterRule{rbp, K::offset, 0, -24}));
    EXPECT_EQ(ruleOf({0x11, 6, 0x7e}, rbp), (RegisterRule{rbp, K::offset, 0, 16}));
    EXPECT_EQ(ruleOf({0x2f, 6, 3}, rbp), (RegisterRule{rbp, K::offset, 0, 24}));
    EXPECT_EQ(ruleOf({0x14, 6, 2}, rbp), (RegisterRule{rbp, K::val_offset, 0, -16}));
    EXPECT_EQ(ruleOf({0x15, 6, 0x7f}, rbp), (RegisterRule{rbp, K::val_offset, 0, 8}));
    EXPECT_EQ(ruleOf({0x07, 6}, rbp), (RegisterRule{rbp, K::undefined, 0, 0}));
    EXPECT_EQ(ruleOf({0x08, 6}, rbp), (RegisterRule{rbp, K::same_value, 0, 0}));
    EXPECT_EQ(ruleOf({0x09, 6, 3}, rbp), (RegisterRule{rbp, K::in_register, 0, x64::rbx}));
    const RegisterRule expression = ruleOf({0x10, 6, 2, 0x77, 8}, rbp);
    EXPECT_EQ(expression.kind, K::expression);
    EXPECT_EQ(expression.length, 2);
    EXPECT_EQ(ruleOf({0x16, 6, 2, 0x77, 8}, rbp).kind, K::val_expression);
    // DW_CFA_restore: to what the CIE says, and to nothing.
    EXPECT_EQ(ruleOf({0x86, 2, 0xc6}, rbp).reg, 255);
    EXPECT_EQ(ruleOf({0x05, 16, 3, 0x06, 16}, x64::rip),
              (RegisterRule{x64::rip, K::offset, 0, -8}));
}

TEST(CfiProgram, EveryCfaRule) {
    const auto cfaOf = [](std::initializer_list<int> instructions) {
        const OneFde cfi(instructions);
        const auto found = row(cfi, 0x1080);
        EXPECT_TRUE(found);
        return found ? found->cfa : CfaRule{};
    };
    using K = CfaRule::Kind;
    EXPECT_EQ(cfaOf({0x0c, 6, 16}), (CfaRule{K::register_offset, x64::rbp, 0, 16}));
    EXPECT_EQ(cfaOf({0x0d, 6}), (CfaRule{K::register_offset, x64::rbp, 0, 8}));
    EXPECT_EQ(cfaOf({0x0e, 0x90, 1}), (CfaRule{K::register_offset, x64::rsp, 0, 144}));
    EXPECT_EQ(cfaOf({0x12, 6, 0x7e}), (CfaRule{K::register_offset, x64::rbp, 0, 16}));
    EXPECT_EQ(cfaOf({0x13, 0x7d}), (CfaRule{K::register_offset, x64::rsp, 0, 24}));
    EXPECT_EQ(cfaOf({0x0f, 1, 0x57}).kind, K::expression);
}

TEST(CfiProgram, TheRowAtAnAddressAndNoOther) {
    // +4: offset 16; +4 more: offset 24; remember, +0x50: 32, restore.
    const OneFde cfi(
        {0x44, 0x0e, 16, 0x02, 4, 0x0e, 24, 0x0a, 0x03, 0x50, 0, 0x0e, 32, 0x04, 8, 0, 0, 0, 0x0b});
    const auto offsetAt = [&](std::uint64_t address) {
        const auto found = row(cfi, address);
        return found ? found->cfa.value : -1;
    };
    EXPECT_EQ(offsetAt(0x1000), 8);
    EXPECT_EQ(offsetAt(0x1003), 8);
    EXPECT_EQ(offsetAt(0x1004), 16);
    EXPECT_EQ(offsetAt(0x1008), 24);
    EXPECT_EQ(offsetAt(0x1057), 24);
    EXPECT_EQ(offsetAt(0x1058), 32);
    EXPECT_EQ(offsetAt(0x1060), 24);
    EXPECT_EQ(offsetAt(0x10ff), 24);
}

TEST(CfiProgram, Arm64SignsReturnAddresses) {
    const OneFde cfi({0x44, 0x2d, 0x44, 0x2d}, Arch::arm64);
    EXPECT_FALSE(row(cfi, 0x1000)->returnAddressSigned);
    EXPECT_TRUE(row(cfi, 0x1004)->returnAddressSigned);
    EXPECT_FALSE(row(cfi, 0x1008)->returnAddressSigned);
    EXPECT_EQ(row(cfi, 0x1000)->returnRegister, arm64::lr);
    // The same byte means SPARC's register windows elsewhere.
    EXPECT_EQ(errorOf({0x2d}), Errc::malformed);
}

TEST(CfiProgram, AugmentationLettersOfSignalFramesAndKeyB) {
    const OneFde signal({}, Arch::x86_64, "zRS");
    EXPECT_TRUE(row(signal, 0x1000)->signalFrame);
    const OneFde keyB({}, Arch::arm64, "zRB");
    const auto fde = parseFde(keyB.section(), keyB.fdeOffset());
    ASSERT_TRUE(fde);
    EXPECT_TRUE(fde->cie.signedWithKeyB);
    // With "z" an unknown letter is skipped by its length.
    const OneFde unknown({}, Arch::x86_64, "zR?");
    EXPECT_TRUE(row(unknown, 0x1000));
}

TEST(CfiProgram, HostileProgramsEnd) {
    EXPECT_EQ(errorOf({0x0b}), Errc::malformed);      // restores what nobody remembered
    EXPECT_EQ(errorOf({0x3f}), Errc::malformed);      // no such instruction
    EXPECT_EQ(errorOf({0x0d, 70}), Errc::malformed);  // no such register
    EXPECT_EQ(errorOf({0x0f, 1, 0x57, 0x0e, 8}), Errc::malformed);  // offset of an expression
    EXPECT_EQ(errorOf({0x10, 6, 0x7f}), Errc::malformed);           // expression beyond the entry
    EXPECT_EQ(errorOf({0x05, 6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}), Errc::malformed);
    std::vector<int> deep(100, 0x0a);
    Bytes body;
    for (const int code : deep)
        body.u8({code});
    const OneFde remembers({0x0a, 0x0a, 0x0a, 0x0b, 0x0b, 0x0b});
    EXPECT_TRUE(row(remembers, 0x1080));
    // An advance that would wrap around holds at the end.
    const OneFde wraps({0x1d, 255, 255, 255, 255, 255, 255, 255, 255, 0x42, 0x0e, 99});
    EXPECT_EQ(row(wraps, 0x1080)->cfa.value, 8);
}

TEST(CfiEntry, EveryVersionOfDebugFrame) {
    for (const int version : {1, 3, 4}) {
        for (const bool dwarf64 : {false, true}) {
            Bytes bytes;
            const auto length = [&](std::uint64_t size) {
                if (dwarf64)
                    bytes.number(std::uint32_t{0xffffffff}).number(size);
                else
                    bytes.number(static_cast<std::uint32_t>(size));
            };
            Bytes cie;
            if (dwarf64)
                cie.number(UINT64_MAX);
            else
                cie.number(UINT32_MAX);
            cie.u8({version}).text("");
            if (version == 4) cie.u8({8, 0});
            cie.u8({1, 0x78, 16, 0x0c, 7, 8, 0x90, 1});
            length(cie.size());
            bytes.append(cie.data());
            const std::size_t fdeAt = bytes.size();
            Bytes fde;
            if (dwarf64)
                fde.number(std::uint64_t{0});
            else
                fde.number(std::uint32_t{0});
            fde.number(std::uint64_t{0x401000}).number(std::uint64_t{0x20}).u8({0x41, 0x0e, 16});
            length(fde.size());
            bytes.append(fde.data());

            CfiSection section;
            section.bytes = ByteView(bytes.data(), "test");
            section.kind = CfiSection::Kind::debug_frame;
            section.arch = Arch::x86_64;
            const auto parsed = parseFde(section, fdeAt);
            ASSERT_TRUE(parsed) << version << (dwarf64 ? " 64: " : ": ")
                                << parsed.error().describe();
            EXPECT_EQ(parsed->begin, 0x401000U);
            EXPECT_EQ(parsed->end, 0x401020U);
            EXPECT_EQ(rowAt(section, *parsed, 0x401001)->cfa.value, 16);
            EXPECT_EQ(FdeIndex::build(section, false).find(0x401010), fdeAt);
            EXPECT_FALSE(FdeIndex::build(section, false).find(0x401020));
        }
    }
}

TEST(CfiEntry, CutAnywhereItIsAnErrorOrAShorterTable) {
    const OneFde whole({0x44, 0x0e, 16, 0x0f, 2, 0x77, 8, 0x10, 6, 2, 0x77, 8});
    for (std::size_t size = 0; size < whole.data().size(); ++size) {
        // An exact copy, so that the sanitizer sees a read beyond.
        const std::vector<std::byte> cut(whole.data().begin(),
                                         whole.data().begin() + static_cast<std::ptrdiff_t>(size));
        CfiSection section = whole.section();
        section.bytes = ByteView(cut, "cut");
        EXPECT_FALSE(parseFde(section, whole.fdeOffset())) << size;
        EXPECT_TRUE(FdeIndex::build(section, false).entries().empty()) << size;
    }
}

TEST(CfiEntry, OneByteWrongNeverCrashes) {
    const OneFde whole({0x44, 0x0e, 16, 0x0f, 2, 0x77, 8, 0x10, 6, 2, 0x77, 8});
    for (std::size_t at = 0; at < whole.data().size(); ++at) {
        for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
            std::vector<std::byte> broken = whole.data();
            broken[at] = static_cast<std::byte>(value);
            CfiSection section = whole.section();
            section.bytes = ByteView(broken, "broken");
            const FdeIndex index = FdeIndex::build(section, false);
            for (const FdeIndex::Entry& entry : index.entries()) {
                const auto fde = parseFde(section, entry.offset);
                ASSERT_TRUE(fde);
                (void)rowAt(section, *fde, entry.begin);
            }
        }
    }
}

TEST(EhFrameHeader, ItsTableIsSearchedAsFarAsItIsThere) {
    Bytes bytes;
    bytes.u8({1, 0x1b, 0x03, 0x3b}).number(std::int32_t{0x100 - 4}).number(std::uint32_t{3});
    for (const int i : {0, 1, 2}) {
        bytes.number(std::int32_t{-0x1000 + 0x10 * i}).number(std::int32_t{0x100 + 0x20 * i});
    }
    PointerBases bases;
    bases.section = 0x5000;
    const auto header = EhFrameHeader::parse(ByteView(bytes.data(), "hdr"), bases);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->ehFrameAddress(), 0x5100U);
    EXPECT_EQ(header->count(), 3U);
    EXPECT_FALSE(header->find(0x3fff));
    EXPECT_EQ(header->find(0x4000), 0x5100U);
    EXPECT_EQ(header->find(0x400f), 0x5100U);
    EXPECT_EQ(header->find(0x4010), 0x5120U);
    EXPECT_EQ(header->find(UINT64_MAX), 0x5140U);
    // Two entries of three are there.
    const auto cut = EhFrameHeader::parse(ByteView(bytes.data()).slice(0, bytes.size() - 8), bases);
    ASSERT_TRUE(cut);
    EXPECT_EQ(cut->count(), 2U);
    EXPECT_FALSE(EhFrameHeader::parse(ByteView(bytes.data()).slice(0, 7), bases));
}

}  // namespace
}  // namespace icecore
