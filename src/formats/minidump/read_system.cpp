// SystemInfo, MiscInfo, comments: what the dump is of.
#include <algorithm>
#include <chrono>

#include "base/text.h"
#include "formats/minidump/reading.h"

namespace icecore::minidump {

namespace {

Arch archOf(std::uint16_t architecture) {
    switch (architecture) {
    case cpuX86:
    case cpuX86OnWin64:
    case cpuX86OnArm64: return Arch::x86;
    case cpuArm:
    case cpuArmOnWin64: return Arch::arm;
    case cpuAmd64: return Arch::x86_64;
    case cpuArm64:
    case cpuArm64Breakpad: return Arch::arm64;
    default: return Arch::unknown;
    }
}

Os osOf(std::uint32_t platform) {
    switch (platform) {
    case platformWindows: return Os::windows;
    case platformMac:
    case platformIos: return Os::macos;
    case platformLinux: return Os::linux_os;
    case platformAndroid: return Os::android;
    default: return Os::other;
    }
}

/// UTF-16 up to its NUL or its end.
std::string wideText(ByteView content) {
    std::u16string text;
    for (std::size_t i = 0; i + 1 < content.size(); i += 2) {
        const auto unit = loadInteger<std::uint16_t>(content.data() + i);
        if (unit == 0) break;
        text += static_cast<char16_t>(unit);
    }
    return utf16ToUtf8(text);
}

/// "Linux 6.1.0 #1 SMP x86_64 GNU/Linux" (uname -srvmo) without what other fields say.
std::string kernelVersion(std::string_view text) {
    for (const std::string_view start : {"Linux ", "GNU/Linux "}) {
        if (text.starts_with(start)) text.remove_prefix(start.size());
    }
    for (const std::string_view end : {" GNU/Linux", " x86_64", " aarch64", " i686", " armv7l"}) {
        if (text.ends_with(end)) text.remove_suffix(end.size());
    }
    return std::string(trim(text));
}

}  // namespace

void readSystemInfo(Reading& reading, ByteView content) {
    Cursor cursor(content);
    const auto raw = cursor.structure<RawSystemInfo>();
    if (!cursor.ok()) {
        reading.issues.loss("the system information is too short", content.where());
        return;
    }
    SystemInfo& system = reading.process.system;
    system.arch = archOf(raw.architecture);
    if (system.arch == Arch::unknown)
        reading.issues.loss(
            fmt::format("processor architecture {:#x} is not supported", raw.architecture + 0U));
    system.os = osOf(raw.platform);
    system.major = raw.major;
    system.minor = raw.minor;
    system.build = raw.build;
    system.cpuCount = raw.processorCount;
    const std::string text = reading.string(raw.versionRva, "the system's version");
    if (system.os == Os::linux_os || system.os == Os::android) {
        system.version = kernelVersion(text);
    } else {
        system.version = fmt::format("{}.{}.{}", system.major, system.minor, system.build);
        system.distribution = text;
    }
    if (system.arch == Arch::x86_64 || system.arch == Arch::x86) {
        // CPUID leaf 0 spells the vendor in EBX, EDX, ECX, which is the order here.
        std::string_view vendor(reinterpret_cast<const char*>(raw.cpuVendor), sizeof raw.cpuVendor);
        while (!vendor.empty() && vendor.back() == '\0')
            vendor.remove_suffix(1);
        // Crashpad on macOS takes the union's other half: bits that tell of features.
        const bool words =
            std::ranges::all_of(vendor, [](char c) { return c >= 0x20 && c < 0x7f; });
        if (words) system.cpuModel = vendor;
    }
}

void readMiscInfo(Reading& reading, ByteView content) {
    if (content.size() < miscInfo1Size) {
        reading.issues.loss("the process information is too short", content.where());
        return;
    }
    std::vector<std::byte> padded(
        content.span().begin(), content.span().begin() + static_cast<std::ptrdiff_t>(std::min(
                                                             content.size(), sizeof(RawMiscInfo))));
    padded.resize(sizeof(RawMiscInfo));
    const auto raw = Cursor(ByteView(padded)).structure<RawMiscInfo>();
    Process& process = reading.process;
    if ((raw.flags & miscProcessId) != 0) process.pid = raw.processId;
    if ((raw.flags & miscProcessTimes) != 0) {
        using std::chrono::seconds;
        if (raw.createTime != 0) process.started = TimePoint(seconds(raw.createTime + 0U));
        process.userTime = seconds(raw.userTime + 0U);
        process.kernelTime = seconds(raw.kernelTime + 0U);
    }
    // Of Windows "19041.1.amd64fre.vb_release…"; elsewhere the system's version stands already.
    SystemInfo& system = process.system;
    if ((raw.flags & miscBuildString) != 0 && system.os == Os::windows &&
        content.size() >= miscInfo4Size && system.distribution.empty())
        system.distribution = wideText(content.slice(miscBuildStringOffset, miscBuildStringSize));
}

void readAssertion(Reading& reading, ByteView content) {
    Cursor cursor(content);
    const auto raw = cursor.structure<AssertionInfo>();
    if (!cursor.ok()) {
        reading.issues.loss("the failed assertion is cut", content.where());
        return;
    }
    const auto part = [&](std::size_t offset) {
        return wideText(content.slice(offset, sizeof raw.expression));
    };
    std::string text = part(offsetof(AssertionInfo, expression));
    if (const std::string function = part(offsetof(AssertionInfo, function)); !function.empty())
        text += " in " + function;
    if (const std::string file = part(offsetof(AssertionInfo, file)); !file.empty())
        text += fmt::format(" ({}:{})", file, raw.line + 0U);
    reading.snapshot.attachments.push_back({"assertion", SharedBytes::own(std::move(text))});
}

void readCommentA(Reading& reading, ByteView content) {
    std::string text(reinterpret_cast<const char*>(content.data()), content.size());
    while (!text.empty() && text.back() == '\0')
        text.pop_back();
    reading.snapshot.attachments.push_back({"comment", SharedBytes::own(std::move(text))});
}

void readCommentW(Reading& reading, ByteView content) {
    reading.snapshot.attachments.push_back({"comment", SharedBytes::own(wideText(content))});
}

}  // namespace icecore::minidump
