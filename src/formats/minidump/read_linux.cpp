// What the files of /proc in a Linux dump tell, and our own records.
#include <algorithm>

#include "base/text.h"
#include "bytes/elf_layout.h"
#include "formats/elfcore/own_notes.h"
#include "formats/elfcore/records.h"
#include "formats/minidump/reading.h"
#include "model/linux_maps.h"

namespace icecore::minidump {

namespace {

/// Strings that end in NUL, one behind the other (/proc/PID/cmdline, environ).
std::vector<std::string> nulSeparated(std::string_view text) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\0'), text.size());
        parts.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return parts;
}

/// The value of the first line "KEY<separator>VALUE", trimmed; empty when there is none.
std::string_view valueOf(std::string_view text, std::string_view key, char separator) {
    for (const std::string_view line : split(text, '\n')) {
        const std::size_t at = line.find(separator);
        if (at != std::string_view::npos && trim(line.substr(0, at)) == key)
            return trim(line.substr(at + 1));
    }
    return {};
}

std::string_view unquoted(std::string_view text) {
    if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
        text.back() == text.front())
        return text.substr(1, text.size() - 2);
    return text;
}

std::optional<std::uint64_t> firstNumber(std::string_view text) {
    const auto words = splitBlanks(text);
    return words.empty() ? std::nullopt : parseDecimal(words.front());
}

void useStatus(Process& process, std::string_view text) {
    if (const auto name = valueOf(text, "Name", ':'); !name.empty()) process.name = name;
    const auto number = [&](std::string_view key) { return firstNumber(valueOf(text, key, ':')); };
    if (process.pid == 0) process.pid = number("Tgid").value_or(number("Pid").value_or(0));
    process.parentPid = number("PPid").value_or(0);
    if (const auto uid = number("Uid")) process.uid = static_cast<std::uint32_t>(*uid);
    if (const auto gid = number("Gid")) process.gid = static_cast<std::uint32_t>(*gid);
}

void useAuxv(Process& process, ByteView bytes) {
    const std::size_t size = archInfo(process.system.arch).pointerSize;
    constexpr std::size_t mostEntries = 1024;  // the kernel's has some 20
    Cursor cursor(bytes);
    while (cursor.canHold(2, size) && process.auxv.size() < mostEntries) {
        const std::uint64_t type = cursor.unsignedOf(size);
        const std::uint64_t value = cursor.unsignedOf(size);
        if (type == elf::auxNull) break;
        process.auxv.emplace_back(type, value);
    }
}

void useSystemFiles(const Snapshot& snapshot, SystemInfo& system) {
    if (const auto* release = snapshot.attachment("linux/lsb-release")) {
        // lsb-release and os-release, whichever the writer found.
        for (const std::string_view key : {"PRETTY_NAME", "DISTRIB_DESCRIPTION"}) {
            const auto value = unquoted(valueOf(release->text(), key, '='));
            if (!value.empty() && system.distribution.empty()) system.distribution = value;
        }
    }
    if (const auto* cpus = snapshot.attachment("linux/cpuinfo")) {
        if (const auto model = valueOf(cpus->text(), "model name", ':'); !model.empty())
            system.cpuModel = model;
    }
}

/// Regions of a module's file become its image. Writers disagree on what a module's size covers,
/// so the first mapping decides whose the file is.
void markImages(Process& process) {
    for (Region& region : process.regions) {
        if (region.kind == RegionKind::file && !region.shared && !region.name.empty()) {
            const Module* module = process.moduleAt(region.range.begin());
            if (module != nullptr && module->path == region.name) region.kind = RegionKind::image;
        }
    }
}

}  // namespace

void readOwnInfo(Reading& reading, ByteView content) {
    const std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
    elfcore::decodeInfo(text, reading.snapshot);
}

void readOwnProcess(Reading& reading, ByteView content) {
    const std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
    Process& process = reading.process;
    elfcore::forEachRecord(text, [&](const elfcore::Record& record) {
        const auto number = [&](std::string_view key) { return record.number(key).value_or(0); };
        process.name = record.text("name");
        process.pid = static_cast<std::uint64_t>(number("pid"));
        process.parentPid = static_cast<std::uint64_t>(number("parent"));
        process.processGroup = static_cast<std::int32_t>(number("group"));
        process.session = static_cast<std::int32_t>(number("session"));
        if (record.has("uid")) process.uid = static_cast<std::uint32_t>(number("uid"));
        if (record.has("gid")) process.gid = static_cast<std::uint32_t>(number("gid"));
    });
}

void readOwnThreads(Reading& reading, ByteView content) {
    const std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
    elfcore::decodeThreads(text, reading.process);
}

void readOwnRegions(Reading& reading, ByteView content) {
    const std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
    elfcore::decodeRegions(text, reading.process);
}

void interpretLinuxFiles(Reading& reading) {
    Process& process = reading.process;
    const Snapshot& snapshot = reading.snapshot;
    if (const auto* status = snapshot.attachment("linux/status"))
        useStatus(process, status->text());
    if (const auto* line = snapshot.attachment("linux/cmdline");
        line && process.commandLine.empty())
        process.commandLine = nulSeparated(line->text());
    if (const auto* environ = snapshot.attachment("linux/environ");
        environ && process.environment.empty())
        process.environment = nulSeparated(environ->text());
    if (const auto* auxv = snapshot.attachment("linux/auxv"))
        useAuxv(process, ByteView(auxv->span()));
    useSystemFiles(snapshot, process.system);
    if (const auto* maps = snapshot.attachment("linux/maps")) {
        auto regions = parseLinuxMaps(maps->text(), reading.issues);
        // The kernel's own list names files, which a MemoryInfoList cannot.
        if (!regions.empty()) {
            process.regions.items = std::move(regions);
            process.regions.coverage = Coverage::complete;
            markImages(process);
        }
    }
}

}  // namespace icecore::minidump
