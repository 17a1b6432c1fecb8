#include "analysis/windows_exception.h"

#include <fmt/format.h>

#include <array>

#include "analysis/windows_status.h"
#include "base/text.h"
#include "images/pe_image.h"
#include "model/signals.h"
#include "symbols/demangle.h"

namespace icecore {

namespace {

std::uint64_t parameter(const Exception& exception, std::size_t i) {
    return i < exception.parameters.size() ? exception.parameters[i] : 0;
}

/// winnt.h: EXCEPTION_READ_FAULT, EXCEPTION_WRITE_FAULT, EXCEPTION_EXECUTE_FAULT.
std::string accessText(std::uint64_t how) {
    switch (how) {
    case 0: return "reading";
    case 1: return "writing";
    case 8: return "executing";
    default: return "accessing";
    }
}

std::string_view withoutPrefix(std::string_view name, std::string_view prefix) {
    return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

/// Reads of a module what the dump may lack and its file has, data sections included: the
/// descriptions of types lie in .data and do not change.
std::optional<std::uint32_t> word(const CrashCase& crash, std::uint64_t address) {
    std::array<std::byte, 4> bytes;
    if (crash.memory->read(address, bytes).bytes == bytes.size())
        return loadInteger<std::uint32_t>(bytes.data());
    const Module* module = crash.process.moduleAt(address);
    const auto image = module != nullptr ? crash.symbolizer.module(*module).peImage : nullptr;
    if (image == nullptr) return std::nullopt;
    const ByteView view =
        image->at(static_cast<std::uint32_t>(address - module->range.begin()), bytes.size());
    if (view.size() != bytes.size()) return std::nullopt;
    return loadInteger<std::uint32_t>(view.data());
}

/// A name of at most 1 KiB, read four bytes at a time, as its end is not known.
std::string textAt(const CrashCase& crash, std::uint64_t address) {
    constexpr std::size_t longest = 1024;
    std::string text;
    while (text.size() < longest) {
        const auto four = word(crash, address + text.size());
        if (!four) return {};
        for (unsigned i = 0; i < 4; ++i) {
            const char c = static_cast<char>(*four >> (8 * i) & 0xffU);
            if (c == '\0') return text;
            text += c;
        }
    }
    return {};
}

/// ".?AVFormatError@ns@@" as "ns::FormatError"; other names stay as they are.
std::string typeName(std::string_view decorated) {
    const bool plain = (decorated.starts_with(".?AV") || decorated.starts_with(".?AU")) &&
                       decorated.ends_with("@@") &&
                       decorated.find_first_of("?$", 3) == std::string_view::npos;
    if (!plain) {
        // What the demangler knows: the descriptor's own symbol has this name.
        if (!decorated.starts_with(".?")) {
            constexpr std::array<std::pair<std::string_view, std::string_view>, 8> simple = {
                {{".H", "int"},
                 {".N", "double"},
                 {".PEAD", "char *"},
                 {".PEBD", "char const *"},
                 {".I", "unsigned int"},
                 {".J", "long"},
                 {".M", "float"},
                 {"._N", "bool"}}};
            for (const auto& [name, meaning] : simple) {
                if (name == decorated) return std::string(meaning);
            }
        }
        return std::string(decorated);
    }
    decorated = decorated.substr(4, decorated.size() - 6);
    std::string name;
    for (const std::string_view part : split(decorated, '@')) {
        if (!name.empty()) name.insert(0, "::");
        name.insert(0, part);
    }
    return name;
}

/// HRESULTs that the CLR puts into its exceptions.
std::string_view managedType(std::uint64_t hresult) {
    switch (hresult & UINT32_MAX) {
    case 0x80131500: return "System.Exception";
    case 0x80131509: return "System.InvalidOperationException";
    case 0x80004003: return "System.NullReferenceException";
    case 0x80131508: return "System.IndexOutOfRangeException";
    case 0x80131537: return "System.FormatException";
    case 0x80070057: return "System.ArgumentException";
    case 0x8007000e: return "System.OutOfMemoryException";
    case 0x80131516: return "System.OverflowException";
    case 0x80020012: return "System.DivideByZeroException";
    case 0x80004001: return "System.NotImplementedException";
    case 0x80131515: return "System.NotSupportedException";
    case 0x80131506: return "System.ExecutionEngineException";
    case 0x800703e9: return "System.StackOverflowException";
    default: return {};
    }
}

}  // namespace

WindowsException readWindowsException(const Exception& exception) {
    WindowsException out;
    const auto words = statusWords(exception.code);
    out.name = words ? std::string(words->name) : hex(exception.code);
    out.text = words ? std::string(words->text) : "exception " + hex(exception.code);
    out.happening = "raised " + out.name;
    switch (exception.code) {
    case statuses::accessViolation:
    case statuses::inPageError:
        if (exception.parameters.size() >= 2)
            out.text += fmt::format(": {} {}", accessText(parameter(exception, 0)),
                                    hex(parameter(exception, 1)));
        break;
    case statuses::fastFail: {
        const auto reason = parameter(exception, 0);
        const auto why = exception.parameters.empty() ? std::nullopt : fastFailWords(reason);
        if (why) {
            out.kind = withoutPrefix(why->name, "FAST_FAIL_");
            out.text = fmt::format("fast fail {}, {}: {}", reason, why->name, why->text);
        } else if (!exception.parameters.empty()) {
            out.kind = fmt::format("FAST_FAIL_{}", reason);
            out.text = fmt::format("fast fail {}", reason);
        }
        out.happening = fmt::format("was ended by {}", out.text);
        break;
    }
    case statuses::fatalAppExit: out.happening = "ended the process (abort)"; break;
    case statuses::heapCorruption:
        out.happening = "was ended by the heap, which found itself corrupt";
        break;
    case statuses::cppException: out.happening = "threw a C++ exception that nobody caught"; break;
    case statuses::clrException: {
        const std::string_view type = managedType(parameter(exception, 0));
        if (!exception.parameters.empty()) {
            out.text += fmt::format(", HRESULT {}", hex(parameter(exception, 0) & UINT32_MAX));
            if (!type.empty()) out.text += fmt::format(" ({})", type);
        }
        out.happening = "threw " + out.text + " that nobody caught";
        break;
    }
    default: break;
    }
    return out;
}

WindowsException readWindowsException(const CrashCase& crash, const Exception& exception) {
    WindowsException out = readWindowsException(exception);
    if (exception.code != statuses::cppException) return out;
    const auto types = thrownTypes(crash, exception);
    if (types.empty()) return out;
    out.kind = types.front();
    out.text += " of type " + types.front();
    out.happening =
        fmt::format("threw a C++ exception of type {} that nobody caught", types.front());
    Finding finding{fmt::format("The object thrown is a {}.", types.front()),
                    {fmt::format("object {}, its description at {}", hex(parameter(exception, 1)),
                                 hex(parameter(exception, 2)))},
                    Confidence::certain};
    for (std::size_t i = 1; i < types.size(); ++i)
        finding.evidence.push_back("can be caught as " + types[i]);
    out.findings.push_back(std::move(finding));
    return out;
}

std::vector<std::string> thrownTypes(const CrashCase& crash, const Exception& exception) {
    // The ABI of MSVC, as clang's MicrosoftCXXABI.cpp emits it: parameters are a magic number, the
    // object, _ThrowInfo and, where its references are relative, the image's base. _ThrowInfo has
    // the array of catchable types at 12; each of those has its TypeDescriptor at 4, whose name
    // follows two pointers.
    std::vector<std::string> types;
    const std::uint64_t magic = parameter(exception, 0);
    if (magic < 0x19930520 || magic > 0x19930522) return types;
    const std::uint64_t base = crash.pointerSize() == 8 ? parameter(exception, 3) : 0;
    const auto list = word(crash, parameter(exception, 2) + 12);
    const auto count = list ? word(crash, base + *list) : std::nullopt;
    constexpr std::uint32_t mostTypes = 64;
    if (!count || *count > mostTypes) return types;
    for (std::uint32_t i = 0; i < *count; ++i) {
        const auto type = word(crash, base + *list + 4 + i * std::uint64_t{4});
        const auto descriptor = type ? word(crash, base + *type + 4) : std::nullopt;
        if (!descriptor) break;
        const std::string name = textAt(crash, base + *descriptor + 2ULL * crash.pointerSize());
        if (name.empty()) break;
        types.push_back(typeName(name));
    }
    return types;
}

std::optional<Exception> asSignal(const Process& process, const Exception& exception) {
    Exception same = exception;
    same.signalCode = 0;
    same.rawSignalInfo = {};
    switch (exception.code) {
    case statuses::accessViolation:
    case statuses::guardPage:
    case statuses::stackOverflow: {
        same.code = signals::segv;
        // Windows tells no address of an access that the processor refused without looking at a
        // page, such as one that is not canonical: it says -1.
        const std::uint64_t none =
            archInfo(process.system.arch).pointerSize == 4 ? UINT32_MAX : UINT64_MAX;
        if (exception.code == statuses::accessViolation && parameter(exception, 1) == none) {
            same.signalCode = signal_codes::kernel;
            same.faultAddress.reset();
            break;
        }
        if (exception.parameters.size() >= 2) same.faultAddress = exception.parameters[1];
        const auto mapped =
            same.faultAddress ? isMapped(process, *same.faultAddress) : std::nullopt;
        // Where a page guards, there is one.
        same.signalCode = mapped == true || exception.code == statuses::guardPage
                              ? signal_codes::segvAccessError
                              : signal_codes::segvMapError;
        break;
    }
    case statuses::inPageError:
        same.code = signals::bus;
        same.signalCode = signal_codes::busAddress;
        break;
    case statuses::illegalInstruction:
    case statuses::privilegedInstruction: same.code = signals::ill; break;
    case statuses::breakpoint:
    case statuses::singleStep: same.code = signals::trap; break;
    case statuses::integerDivide:
        same.code = signals::fpe;
        same.signalCode = signal_codes::fpeIntegerDivide;
        break;
    default: return std::nullopt;
    }
    return same;
}

}  // namespace icecore
