// SystemInfo, MiscInfo, files of /proc, our own records: what the dump is of.
#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/text.h"
#include "formats/elfcore/own_notes.h"
#include "formats/elfcore/records.h"
#include "formats/minidump/linux_streams.h"
#include "formats/minidump/writing.h"
#include "model/linux_maps.h"

namespace icecore::minidump {

namespace {

std::uint16_t architectureOf(Arch arch) {
    switch (arch) {
    case Arch::x86: return cpuX86;
    case Arch::x86_64: return cpuAmd64;
    case Arch::arm: return cpuArm;
    // With the context that Breakpad writes goes Breakpad's number.
    case Arch::arm64: return cpuArm64Breakpad;
    case Arch::unknown: break;
    }
    return 0xffff;  // PROCESSOR_ARCHITECTURE_UNKNOWN
}

std::uint32_t platformOf(Os os) {
    switch (os) {
    case Os::linux_os: return platformLinux;
    case Os::windows: return platformWindows;
    case Os::macos: return platformMac;
    case Os::android: return platformAndroid;
    case Os::unknown:
    case Os::other: break;
    }
    return 0x8000;  // Breakpad: some Unix
}

std::string_view machineName(Arch arch) {
    switch (arch) {
    case Arch::x86: return "i686";
    case Arch::arm: return "armv7l";
    case Arch::arm64: return "aarch64";
    default: return toString(arch);
    }
}

/// What CPUID says, taken from /proc/cpuinfo, where it is; zeros otherwise.
void fillCpu(const Snapshot& snapshot, RawSystemInfo& raw) {
    const auto* file = snapshot.attachment("linux/cpuinfo");
    if (file == nullptr) return;
    std::uint64_t family = 0;
    std::uint64_t model = 0;
    std::uint64_t stepping = 0;
    for (const std::string_view line : split(file->text(), '\n')) {
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) {
            if (trim(line).empty() && family != 0) break;  // the first processor only
            continue;
        }
        const std::string_view key = trim(line.substr(0, colon));
        const std::string_view value = trim(line.substr(colon + 1));
        if (key == "vendor_id" && value.size() == sizeof raw.cpuVendor)
            std::memcpy(static_cast<void*>(raw.cpuVendor), value.data(), sizeof raw.cpuVendor);
        else if (key == "cpu family")
            family = parseDecimal(value).value_or(0);
        else if (key == "model")
            model = parseDecimal(value).value_or(0);
        else if (key == "stepping")
            stepping = parseDecimal(value).value_or(0);
    }
    raw.level = static_cast<std::uint16_t>(family);
    raw.revision = static_cast<std::uint16_t>((model & 0xff) << 8 | (stepping & 0xff));
    // CPUID leaf 1, EAX: extended family, extended model, family, model, stepping.
    const std::uint64_t base = std::min<std::uint64_t>(family, 15);
    raw.cpuVersion = static_cast<std::uint32_t>((family - base) << 20 | (model >> 4 & 15) << 16 |
                                                base << 8 | (model & 15) << 4 | (stepping & 15));
}

std::string joined(const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts) {
        text += part;
        text += '\0';
    }
    return text;
}

std::string auxvBytes(const Process& process, bool is32) {
    std::vector<std::byte> bytes;
    const auto word = [&](std::uint64_t value) {
        if (is32)
            appendInteger(bytes, static_cast<std::uint32_t>(value));
        else
            appendInteger(bytes, value);
    };
    for (const auto& [type, value] : process.auxv) {
        word(type);
        word(value);
    }
    word(0);
    word(0);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// What the model knows of a file of /proc that was not kept as it stood.
std::string synthesised(const Process& process, std::uint32_t type, bool is32) {
    switch (type) {
    case streamLinuxCmdline: return joined(process.commandLine);
    case streamLinuxEnviron: return joined(process.environment);
    case streamLinuxAuxv: return process.auxv.empty() ? std::string() : auxvBytes(process, is32);
    case streamLinuxMaps: return printLinuxMaps(process.regions.items);
    default: return {};
    }
}

/// A CommentStreamW: UTF-16 that ends with 0.
std::string commentBytes(std::string_view text) {
    const std::u16string wide = utf8ToUtf16(text);
    std::vector<std::byte> bytes;
    for (const char16_t unit : wide)
        appendInteger(bytes, static_cast<std::uint16_t>(unit));
    appendInteger(bytes, std::uint16_t{0});
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The content of a file of /proc as it may be written; empty when there is none.
std::string contentOf(const Writing& writing, const LinuxFile& file) {
    const SharedBytes* kept = writing.snapshot.attachment(file.attachment);
    const Attachment attachment{std::string(file.attachment),
                                kept != nullptr ? *kept
                                                : SharedBytes::own(synthesised(
                                                      writing.process, file.type, writing.is32()))};
    const auto content = contentToSave(attachment, writing.plan);
    return content ? std::string(content->text()) : std::string();
}

}  // namespace

std::optional<std::uint64_t> writeSystemInfo(Writing& writing) {
    const SystemInfo& system = writing.process.system;
    RawSystemInfo raw{};
    raw.architecture = architectureOf(system.arch);
    raw.processorCount = static_cast<std::uint8_t>(std::min<std::uint32_t>(system.cpuCount, 255));
    raw.productType = 1;  // VER_NT_WORKSTATION, as Breakpad
    raw.major = system.major;
    raw.minor = system.minor;
    raw.build = system.build;
    raw.platform = platformOf(system.os);
    if (system.arch == Arch::x86_64 || system.arch == Arch::x86) fillCpu(writing.snapshot, raw);
    raw.versionRva = writing.metadata.string(system.os == Os::linux_os
                                                 ? "Linux " + system.version + " " +
                                                       std::string(machineName(system.arch))
                                                 : system.distribution);
    writing.metadata.align(8);
    return writing.metadata.append(raw);
}

std::optional<std::uint64_t> writeMiscInfo(Writing& writing) {
    const Process& process = writing.process;
    RawMiscInfo raw{};
    raw.size = sizeof raw;
    raw.flags = miscProcessId;
    raw.processId = static_cast<std::uint32_t>(process.pid);
    if (process.started && process.userTime && process.kernelTime) {
        using std::chrono::floor, std::chrono::seconds;
        raw.flags = miscProcessId | miscProcessTimes;
        raw.createTime =
            static_cast<std::uint32_t>(floor<seconds>(*process.started).time_since_epoch().count());
        raw.userTime = static_cast<std::uint32_t>(floor<seconds>(*process.userTime).count());
        raw.kernelTime = static_cast<std::uint32_t>(floor<seconds>(*process.kernelTime).count());
    }
    writing.metadata.align(8);
    return writing.metadata.append(raw);
}

std::optional<std::uint64_t> writeOwnInfo(Writing& writing) {
    const std::string text = elfcore::encodeInfo(writing.snapshot, writing.plan);
    return writing.metadata.append(std::as_bytes(std::span(text)));
}

std::optional<std::uint64_t> writeOwnProcess(Writing& writing) {
    const Process& process = writing.process;
    elfcore::RecordWriter out;
    out.text("name", process.name).number("pid", static_cast<std::int64_t>(process.pid));
    out.number("parent", static_cast<std::int64_t>(process.parentPid));
    out.number("group", process.processGroup).number("session", process.session);
    if (process.uid) out.number("uid", *process.uid);
    if (process.gid) out.number("gid", *process.gid);
    out.endRecord();
    const std::string text = out.take();
    return writing.metadata.append(std::as_bytes(std::span(text)));
}

std::optional<std::uint64_t> writeOwnThreads(Writing& writing) {
    const std::string text = elfcore::encodeThreads(writing.process, writing.plan);
    return writing.metadata.append(std::as_bytes(std::span(text)));
}

std::optional<std::uint64_t> writeOwnRegions(Writing& writing) {
    if (!writing.plan.memoryInfo) return std::nullopt;
    const std::string text = elfcore::encodeRegions(writing.process, writing.plan);
    return writing.metadata.append(std::as_bytes(std::span(text)));
}

std::vector<FileStream> fileStreams(const Writing& writing) {
    std::vector<FileStream> streams;
    const bool isLinux = writing.process.system.os == Os::linux_os;
    for (const LinuxFile& file : linuxFiles) {
        if (!isLinux && writing.snapshot.attachment(file.attachment) == nullptr) continue;
        if (auto content = contentOf(writing, file); !content.empty())
            streams.push_back({file.type, std::move(content)});
    }
    for (const Attachment& item : writing.snapshot.attachments) {
        if (std::ranges::find(linuxFiles, item.name, &LinuxFile::attachment) != linuxFiles.end())
            continue;
        if (item.name == "comment") {
            streams.push_back({streamCommentW, commentBytes(item.content.text())});
            continue;
        }
        constexpr std::string_view unknown = "stream/0x";
        const auto type = item.name.starts_with(unknown)
                              ? parseHex(std::string_view(item.name).substr(unknown.size()))
                              : std::nullopt;
        if (type && *type <= UINT32_MAX && *type != streamUnused) {
            streams.push_back(
                {static_cast<std::uint32_t>(*type), std::string(item.content.text())});
        } else {
            std::string content = item.name;
            content += '\0';
            content += item.content.text();
            streams.push_back({streamAttachment, std::move(content)});
        }
    }
    return streams;
}

}  // namespace icecore::minidump
