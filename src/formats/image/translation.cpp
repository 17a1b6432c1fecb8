#include "formats/image/translation.h"

#include <charconv>
#include <string>

#include "formats/image/image.h"

namespace icecore::image {

namespace {

/// Where the kernel's image is mapped (arch/x86/include/asm/page_64_types.h).
constexpr std::uint64_t kernelMap = 0xffff'ffff'8000'0000;

template <class T>
std::optional<T> number(const Machine& machine, std::string_view key, int base) {
    const auto found = machine.hints.find(std::string(key));
    if (found == machine.hints.end()) return std::nullopt;
    const std::string& text = found->second;
    T value = 0;
    const auto [end, problem] =
        std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

unsigned levelsOf(const Machine& machine) {
    if (const auto levels = number<unsigned>(machine, levelsHint, 10)) return *levels;
    const auto five = number<unsigned>(machine, "NUMBER(pgtable_l5_enabled)", 10);
    if (!five) return 0;
    return *five != 0 ? 5 : 4;
}

/// By the kernel's symbols; names changed in Linux 4.13.
std::optional<std::uint64_t> kernelRoot(const Machine& machine) {
    const auto base = number<std::int64_t>(machine, "NUMBER(phys_base)", 10);
    for (const std::string_view name :
         {"SYMBOL(init_top_pgt)", "SYMBOL(swapper_pg_dir)", "SYMBOL(init_level4_pgt)"}) {
        const auto address = number<std::uint64_t>(machine, name, 16);
        if (!address || *address < kernelMap || !base) continue;
        const std::uint64_t root = *address - kernelMap + static_cast<std::uint64_t>(*base);
        if (root % pageSize == 0 && root < physicalEnd) return root;
    }
    return std::nullopt;
}

}  // namespace

std::optional<Translation> translationOf(const Machine& machine) {
    for (const Machine::Cpu& cpu : machine.cpus) {
        if (cpu.translationRoot)
            return Translation{*cpu.translationRoot, levelsOf(machine), "its first CPU's CR3"};
    }
    if (const auto root = kernelRoot(machine))
        return Translation{*root, levelsOf(machine), "VMCOREINFO"};
    return std::nullopt;
}

}  // namespace icecore::image
