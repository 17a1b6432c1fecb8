// Names as Microsoft's compilers mangle them.
#pragma once

#include <string>
#include <string_view>

namespace icecore {

/// The qualified name in a mangled one, spelt as PDBs spell functions: "ns::List<int>::add" of
/// "?add@?$List@H@ns@@QEAAXH@Z"; without return type, parameters, "class" and calling convention.
/// What cannot be decoded comes back as it is.
std::string msvcName(std::string_view mangled);

/// C names of 32-bit x86 without what the calling convention adds: "_f", "_f@8", "@f@8", "f@@8".
std::string withoutX86Decoration(std::string_view symbol);

}  // namespace icecore
