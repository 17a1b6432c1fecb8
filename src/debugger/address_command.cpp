// !address: the map of the process, one region of it, or sums.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "base/text.h"
#include "debugger/address_text.h"
#include "debugger/commands.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

/// "   1.234 MB" in the units of `!address -summary`.
std::string sizeText(std::uint64_t bytes) {
    constexpr std::array<std::string_view, 5> units = {"B ", "kB", "MB", "GB", "TB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < units.size()) {
        value /= 1024;
        ++unit;
    }
    return fmt::format("({:>8.3f} {})", value, units[unit]);
}

/// Only committed memory has a protection.
std::string protectOf(const AddressRow& row) {
    return stateText(row) == "MEM_COMMIT" ? protectText(row.region->protection) : std::string();
}

void printTable(CommandCall& call, const std::vector<AddressRow>& rows) {
    call.out.write(
        "        BaseAddress      EndAddress+1        RegionSize     Type       State"
        "                 Protect             Usage\n");
    call.out.write(std::string(140, '-') + "\n");
    for (const AddressRow& row : rows) {
        if (call.session.interrupted()) return;
        std::string line = fmt::format(
            "+ {} {} {} {:<11} {:<11} {:<34} {:<10} {}", columnAddress(row.range.begin()),
            columnAddress(row.range.end()), columnAddress(row.range.size()), typeText(row),
            stateText(row), protectOf(row), row.usage, row.detail);
        line.erase(line.find_last_not_of(' ') + 1);
        call.out.write(line + "\n");
    }
}

/// What stands for regions of dumps that do not list them.
constexpr std::string_view notRecorded = "(not recorded)";

struct Sum {
    std::size_t count = 0;
    std::uint64_t bytes = 0;
};
using Sums = std::map<std::string, Sum>;

void add(Sums& sums, std::string key, const AddressRow& row) {
    Sum& sum = sums[std::move(key)];
    ++sum.count;
    sum.bytes += row.range.size();
}

void printSums(CommandCall& call, std::string_view title, const Sums& sums, std::uint64_t busy,
               std::uint64_t total) {
    call.out.print("{:-<34} RgnCount ----------- Total Size -------- %ofBusy %ofTotal\n",
                   fmt::format("--- {} ", title));
    std::vector<std::pair<std::string, Sum>> rows(sums.begin(), sums.end());
    std::ranges::stable_sort(
        rows, [](const auto& a, const auto& b) { return a.second.bytes > b.second.bytes; });
    for (const auto& [name, sum] : rows) {
        const auto percent = [&](std::uint64_t of) {
            return of == 0 ? 0.0 : 100.0 * static_cast<double>(sum.bytes) / static_cast<double>(of);
        };
        const bool free = name == "Free" || name == "MEM_FREE" || name == notRecorded;
        call.out.print("{:<34} {:>8} {} {} {} {:>6.2f}%\n", name, sum.count,
                       columnAddress(sum.bytes), sizeText(sum.bytes),
                       free ? std::string(7, ' ') : fmt::format("{:>6.2f}%", percent(busy)),
                       percent(total));
    }
    call.out.write("\n");
}

void printSummary(CommandCall& call, const std::vector<AddressRow>& rows) {
    Sums usage, type, state, protect;
    std::map<std::string, const AddressRow*> largest;
    std::uint64_t busy = 0, total = 0;
    for (const AddressRow& row : rows) {
        const bool isBusy =
            row.usage != "Free" && (row.region != nullptr || row.usage == "<captured>");
        const std::string name = row.region == nullptr && row.usage == "<unknown>"
                                     ? std::string(notRecorded)
                                     : row.usage;
        add(usage, name, row);
        total += row.range.size();
        const AddressRow*& best = largest[name];
        if (best == nullptr || row.range.size() > best->range.size()) best = &row;
        if (!stateText(row).empty()) add(state, std::string(stateText(row)), row);
        if (!isBusy) continue;
        busy += row.range.size();
        if (row.region == nullptr) continue;
        add(type, std::string(typeText(row)), row);
        if (stateText(row) == "MEM_COMMIT") add(protect, protectOf(row), row);
    }
    call.out.write("\n");
    printSums(call, "Usage Summary", usage, busy, total);
    printSums(call, "Type Summary (for busy)", type, busy, total);
    printSums(call, "State Summary", state, busy, total);
    printSums(call, "Protect Summary (for commit)", protect, busy, total);
    call.out.write(
        "--- Largest Region by Usage ----------- Base Address -------- Region Size "
        "----------\n");
    for (const auto& [name, row] : largest) {
        call.out.print("{:<38} {} {} {}\n", name, columnAddress(row->range.begin()),
                       columnAddress(row->range.size()), sizeText(row->range.size()));
    }
}

/// "r-xp 00001000 /lib/libc.so.6 (inode 1234)": the line of /proc/PID/maps in short.
std::string mappingText(const Region& region) {
    const Protection& p = region.protection;
    std::string text =
        fmt::format("{}{}{}{} {:08x}", p.read ? 'r' : '-', p.write ? 'w' : '-',
                    p.execute ? 'x' : '-', region.shared ? 's' : 'p', region.fileOffset);
    if (!region.name.empty()) text += " " + printable(region.name);
    if (region.inode != 0) text += fmt::format(" (inode {})", region.inode);
    if (region.dontDump) text += " dontdump";
    if (region.dontFork) text += " dontfork";
    if (region.wipeOnFork) text += " wipeonfork";
    if (region.io) text += " io";
    if (region.hugeTlb) text += " hugetlb";
    return text;
}

Result<void> printOne(CommandCall& call, const std::vector<AddressRow>& rows,
                      std::uint64_t address) {
    const auto row =
        std::ranges::find_if(rows, [&](const AddressRow& r) { return r.range.contains(address); });
    if (row == rows.end())
        return fail(Errc::not_found, fmt::format("{} lies outside the address space",
                                                 addressText(call.session, address)));
    Session& session = call.session;
    const auto field = [&](std::string_view label, const std::string& value) {
        if (!value.empty()) call.out.print("{:<23} {}\n", label, value);
    };
    call.out.write("\n");
    field("Usage:", row->usage);
    field("Base Address:", hexTicked(row->range.begin()));
    field("End Address:", hexTicked(row->range.end()));
    field("Region Size:", hexTicked(row->range.size()) + " " + sizeText(row->range.size()));
    field("State:", std::string(stateText(*row)));
    if (row->region != nullptr) {
        field("Protect:", protectOf(*row));
        field("Type:", std::string(typeText(*row)));
        if (row->region->allocationBase)
            field("Allocation Base:", hexTicked(*row->region->allocationBase));
        if (row->region->allocationProtection)
            field("Allocation Protect:", protectText(*row->region->allocationProtection));
        if (session.process().system.os != Os::windows)
            field("Mapping:", mappingText(*row->region));
    }
    if (const Module* module = session.process().moduleAt(address)) {
        const std::string& name = session.moduleNames().name(*module);
        field("Image Path:", printable(module->path));
        field("Module Name:", name);
        field("More info:", "lmv m " + name);
        field("More info:", fmt::format("ln 0x{:x}", address));
    } else if (!row->detail.empty()) {
        field("More info:", row->detail);
    }
    const std::string symbol = symbolText(session, address);
    if (!symbol.empty()) field("Symbol:", symbol);
    field("Content source:", session.memory().explain(address));
    return {};
}

/// Whether a row is of one of the kinds that `-f:` names: a usage, a type, a state, a protection.
bool passes(const AddressRow& row, const std::vector<std::string_view>& filters) {
    const std::string protection = protectOf(row);
    return std::ranges::all_of(filters, [&](std::string_view filter) {
        // VAR is what no other word fits.
        if (equalsIgnoreCase(filter, "VAR")) return row.usage == "<unknown>";
        if (equalsIgnoreCase(filter, "FileMap")) return row.usage == "MappedFile";
        const std::vector<std::string_view> parts = split(protection, '|');
        return equalsIgnoreCase(filter, row.usage) || equalsIgnoreCase(filter, typeText(row)) ||
               equalsIgnoreCase(filter, stateText(row)) ||
               std::ranges::any_of(
                   parts, [&](std::string_view part) { return equalsIgnoreCase(filter, part); });
    });
}

/// What %1 to %7 of `-c:` stand for, and the columns of `-o:csv`.
std::array<std::string, 7> fieldsOf(const AddressRow& row) {
    return {fmt::format("0x{:x}", row.range.begin()),
            fmt::format("0x{:x}", row.range.end()),
            fmt::format("0x{:x}", row.range.size()),
            std::string(typeText(row)),
            std::string(stateText(row)),
            protectOf(row),
            row.usage};
}

void printSeparated(CommandCall& call, const std::vector<AddressRow>& rows, char separator) {
    const std::string between(1, separator);
    call.out.print("{}\n", fmt::join(std::array{"BaseAddress", "EndAddress+1", "RegionSize", "Type",
                                                "State", "Protect", "Usage"},
                                     between));
    for (const AddressRow& row : rows)
        call.out.print("{}\n", fmt::join(fieldsOf(row), between));
}

/// `-c:"COMMAND"` behind its quote: up to the closing one; `\"` is a quote in the command.
Result<std::string> takeQuotedCommand(Arguments& arguments) {
    const std::string_view text = arguments.rest();
    std::string command;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '"') {
            command += text[++i];
        } else if (text[i] == '"') {
            arguments.skip(i + 1);
            return command;
        } else {
            command += text[i];
        }
    }
    return fail(Errc::usage, "-c:\"COMMAND\": the closing quote is missing");
}

Result<void> runForEach(CommandCall& call, const std::vector<AddressRow>& rows,
                        std::string_view command) {
    for (const AddressRow& row : rows) {
        if (call.session.interrupted() || call.session.quit) break;
        const auto fields = fieldsOf(row);
        std::string line;
        for (std::size_t i = 0; i < command.size(); ++i) {
            const bool names = command[i] == '%' && i + 1 < command.size() &&
                               command[i + 1] >= '1' && command[i + 1] <= '7';
            if (names)
                line += fields.at(static_cast<std::size_t>(command[++i] - '1'));
            else
                line += command[i];
        }
        if (!call.execute(line)) return fail(Errc::usage, "-c: stopped at the first failure");
    }
    return {};
}

/// Rows as `-f:`, `-o:` and `-c:` ask for them.
Result<void> listFiltered(CommandCall& call, std::vector<AddressRow> rows) {
    std::string format;
    std::optional<std::string> command;
    while (!call.arguments.empty()) {
        const std::string_view word = call.arguments.rest();
        const std::string_view option = word.substr(0, 3).substr(1);
        if (word.front() != '-' && word.front() != '/') return call.arguments.finish();
        if (option == "f:") {
            const auto filters = split(call.arguments.takeWord().substr(3), ',');
            std::erase_if(rows, [&](const AddressRow& row) { return !passes(row, filters); });
        } else if (option == "o:") {
            format = toLower(call.arguments.takeWord().substr(3));
            if (format != "csv" && format != "tsv" && format != "1")
                return fail(Errc::usage, "-o:csv, -o:tsv or -o:1 (addresses alone)");
        } else if (option == "c:" && word.substr(3).starts_with('"')) {
            call.arguments.skip(4);
            ASSIGN_OR_RETURN(command, takeQuotedCommand(call.arguments));
        } else {
            return fail(Errc::usage, "!address [-f:FILTER,…] [-o:csv|tsv|1 | -c:\"COMMAND\"]");
        }
    }
    if (command && !format.empty()) return fail(Errc::usage, "either -o: or -c:");
    if (command) return runForEach(call, rows, *command);
    if (format == "1") {
        for (const AddressRow& row : rows)
            call.out.print("0x{:x}\n", row.range.begin());
    } else if (!format.empty()) {
        printSeparated(call, rows, format == "csv" ? ',' : '\t');
    } else {
        printTable(call, rows);
    }
    return {};
}

}  // namespace

Result<void> describeAddresses(CommandCall& call) {
    std::vector<AddressRow> rows = addressRows(call.session);
    const std::string_view option = call.arguments.rest().substr(0, 3);
    for (const std::string_view one : {"f:", "o:", "c:"}) {
        if (option.size() == 3 && (option[0] == '-' || option[0] == '/') && option.substr(1) == one)
            return listFiltered(call, std::move(rows));
    }
    if (call.arguments.takeKeyword("-summary")) {
        TRY(call.arguments.finish());
        printSummary(call, rows);
        return {};
    }
    if (call.arguments.empty()) {
        printTable(call, rows);
        printSummary(call, rows);
        return {};
    }
    ASSIGN_OR_RETURN(const std::uint64_t address, call.arguments.takeExpression());
    TRY(call.arguments.finish());
    return printOne(call, rows, address);
}

}  // namespace icecore::debugger
