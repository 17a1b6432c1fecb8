// For tests: call frame information written byte by byte.
#pragma once

#include <initializer_list>
#include <vector>

#include "unwind/cfi_entry.h"

namespace icecore::testing_cfi {

/// Appends bytes, little-endian numbers and whole entries.
class Bytes {
public:
    Bytes& u8(std::initializer_list<int> bytes) {
        for (const int byte : bytes)
            data_.push_back(static_cast<std::byte>(byte));
        return *this;
    }
    template <std::integral T>
    Bytes& number(T value) {
        appendInteger(data_, value);
        return *this;
    }
    Bytes& text(std::string_view text) {
        for (const char c : text)
            data_.push_back(static_cast<std::byte>(c));
        data_.push_back(std::byte{0});
        return *this;
    }
    Bytes& append(const std::vector<std::byte>& bytes) {
        data_.insert(data_.end(), bytes.begin(), bytes.end());
        return *this;
    }
    /// A 32-bit length and `body`, padded with DW_CFA_nop to a multiple of four.
    Bytes& entry(Bytes body) {
        while (body.size() % 4 != 0)
            body.data_.push_back(std::byte{0});
        return number(static_cast<std::uint32_t>(body.size())).append(body.data_);
    }
    [[nodiscard]] std::size_t size() const { return data_.size(); }
    [[nodiscard]] const std::vector<std::byte>& data() const { return data_; }

private:
    std::vector<std::byte> data_;
};

/// An .eh_frame at 0x2000 with one CIE "zR" (sdata4, pcrel; CFA = rsp + 8, rip at CFA - 8) and one
/// FDE for [0x1000, 0x1100) with these instructions.
class OneFde {
public:
    OneFde(std::initializer_list<int> instructions, Arch arch = Arch::x86_64,
           const char* augmentation = "zR") {
        const bool arm = arch == Arch::arm64;
        Bytes cie;
        cie.number(std::uint32_t{0}).u8({1}).text(augmentation).u8({1, 0x78});
        cie.u8({arm ? 30 : 16}).u8({1, 0x1b});
        if (arm)
            cie.u8({0x0c, 31, 0});
        else
            cie.u8({0x0c, 7, 8, 0x80 | 16, 1});
        bytes_.entry(cie);
        offset_ = bytes_.size();
        Bytes fde;
        fde.number(static_cast<std::uint32_t>(offset_ + 4));
        fde.number(static_cast<std::int32_t>(0x1000 - (0x2000 + static_cast<int>(offset_) + 8)));
        fde.number(std::uint32_t{0x100}).u8({0}).u8(instructions);
        bytes_.entry(fde);
        section_.bytes = ByteView(bytes_.data(), "test");
        section_.arch = arch;
        section_.bases.section = 0x2000;
    }
    OneFde(const OneFde&) = delete;
    OneFde& operator=(const OneFde&) = delete;

    [[nodiscard]] const CfiSection& section() const { return section_; }
    [[nodiscard]] std::uint64_t fdeOffset() const { return offset_; }
    [[nodiscard]] const std::vector<std::byte>& data() const { return bytes_.data(); }

private:
    Bytes bytes_;
    std::uint64_t offset_ = 0;
    CfiSection section_;
};

}  // namespace icecore::testing_cfi
