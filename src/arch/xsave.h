// The vector state of x86 as XSAVE stores it, and its two layouts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace icecore {

/// XSAVE's standard format puts each component where CPUID says. Intel's processors agree on the
/// places, AMD's leave no gap for the components they do not have: AVX-512 lies at 832 there, at
/// 1088 on Intel. Debuggers before gdb 14 know Intel's places only, later ones tell the layouts
/// apart by size. Returns the area with its components moved to Intel's places, or an empty vector
/// when it lies so already or is not understood (then it is kept as it is).
/// Sources: Intel SDM volume 1, 13.4 "XSAVE area"; AMD APM volume 2, 11.5; Linux stores XCR0 in the
/// software bytes at 464 (arch/x86/include/asm/user.h).
std::vector<std::byte> xsaveInIntelLayout(std::span<const std::byte> area);

/// An area in compacted format (XCOMP_BV's highest bit), where components follow one another, with
/// its user components moved to where Intel's processors have them in standard format. What is
/// behind a component that nobody knows, and what belongs to the system alone (CET, processor
/// trace), is left out. An area that is in standard format stays as it is.
/// Source: Intel SDM volume 1, 13.4.3 "Compacted format"; sizes: 13.5.
std::vector<std::byte> xsaveInStandardFormat(std::vector<std::byte> area);

/// IA32_PL3_SSP out of a compacted area that has the component CET_U (11), or nothing.
std::optional<std::uint64_t> shadowStackPointer(std::span<const std::byte> area);

}  // namespace icecore
