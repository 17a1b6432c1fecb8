// Names as people read them.
#pragma once

#include <string>
#include <string_view>

namespace icecore {

/// The readable form of a symbol's name: Itanium C++ demangled, Rust's legacy mangling too (without
/// its hash), a version behind '@' dropped (but "@plt" kept). Anything else comes back as it is;
/// Rust's v0 mangling ("_R…"), Swift and D are not decoded.
std::string demangle(std::string_view symbol);

/// A demangled function name without its parameter list, return type and qualifiers:
/// "int ns::max<int>(int, int) const [clone .cold]" becomes "ns::max<int> [clone .cold]".
/// What is no function comes back as it is.
std::string withoutParameters(std::string_view demangled);

/// What the project prints for a function: demangled, without parameters and ABI tags. Overloads
/// look alike; names are the same whether they come from a symbol table or from DWARF, and stable
/// in buckets.
std::string functionName(std::string_view symbol);

}  // namespace icecore
