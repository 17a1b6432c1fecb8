// `icecore verify FILE`: is everything in it whole, as far as the file can tell.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "app/hash_sidecars.h"
#include "app/hashing_sink.h"
#include "app/progress_bar.h"
#include "app/report.h"
#include "app/terminal.h"
#include "app/verbs.h"
#include "base/text.h"
#include "formats/format.h"

namespace icecore::app {

namespace {

/// A manifest is some kilobytes; one with every page of a terabyte unread is some megabytes.
constexpr std::uintmax_t maxManifest = std::uintmax_t{256} << 20;
constexpr std::size_t pieceSize = std::size_t{1} << 20;
constexpr std::uint64_t pageSize = 4096;

/// What of a format's content is protected, and by what; nothing where it is not.
std::string_view protection(std::string_view format) {
    if (format == "avml") return "a CRC-32C of each 64 KiB of memory";
    if (format == "aff4")
        return "the hashes above cover what they name; what they do not name, nothing does";
    if (format == "hiberfil")
        return "each set unpacks to exactly its pages; nothing holds their bytes";
    if (format == "kdump") return "each page unpacks to exactly a page; nothing holds their bytes";
    return "nothing in the format holds the bytes: what they should be is not known";
}

class VerifyVerb final : public VerbRun {
public:
    void declare(CLI::App& command) override {
        command.add_option("FILE", path_, "the image or dump")->required();
        command.add_flag("--json", json_, "one JSON document instead of text");
        command.add_option("--progress", style_, "auto, bar, plain or none");
    }

    [[nodiscard]] int run() override {
        const auto style = progressStyle(style_);
        if (!style) {
            printError("verify", "--progress takes auto, bar, plain or none");
            return usage;
        }
        const auto snapshot = openDump(path_);
        if (!snapshot) {
            printError(path_, snapshot.error());
            return failed;
        }
        const SignalGuard signals;
        ProgressBar progress(*style);
        for (const Issue& issue : snapshot->issues.items()) {
            if (issue.severity == Severity::loss)
                checks_.push_back({"structure", issue.describe(), false});
        }
        if (!snapshot->issues.lossy())
            checks_.push_back({"structure", "whole, as far as it is looked at", true});
        const AddressSpace& memory =
            snapshot->machine ? *snapshot->machine->physical : *snapshot->process->memory;
        readAll(memory, progress);
        checkHashes(*snapshot, progress);
        checkManifest();
        const std::vector<FormatCheck> beside = checkSidecars(path_, progress);
        checks_.insert(checks_.end(), beside.begin(), beside.end());
        progress.end();
        if (progress.cancelled()) {
            printError(path_, "cancelled");
            return failed;
        }
        notCovered_.emplace_back(protection(snapshot->provenance.format));
        print(*snapshot);
        const bool good = std::ranges::all_of(checks_, &FormatCheck::good);
        return good ? done : failed;
    }

private:
    /// Every byte that the file says it has must come out of it.
    void readAll(const AddressSpace& memory, Progress& progress) {
        const std::vector<Extent> extents = memory.extents(Range::all());
        std::uint64_t total = 0;
        for (const Extent& extent : extents)
            if (extent.absence == Absence::none && !extent.zero) total += extent.range.size();
        progress.begin("reading", total);
        std::vector<std::byte> piece(pieceSize);
        std::uint64_t bad = 0;
        std::uint64_t first = 0;
        for (const Extent& extent : extents) {
            if (extent.absence != Absence::none || extent.zero) continue;
            for (std::uint64_t at = extent.range.begin();
                 at < extent.range.end() && !progress.cancelled();) {
                const auto want = static_cast<std::size_t>(
                    std::min<std::uint64_t>(piece.size(), extent.range.end() - at));
                const std::size_t got = memory.read(at, std::span(piece).first(want)).bytes;
                progress.advance(got);
                at += got;
                if (got == want) continue;
                const std::uint64_t next =
                    std::min(extent.range.end(), alignDown(at, pageSize) + pageSize);
                if (bad == 0) first = at;
                bad += next - at;
                at = next;
            }
        }
        if (bad > 0)
            checks_.push_back({"memory",
                               fmt::format("{} of {} cannot be had, from {} on", humanBytes(bad),
                                           humanBytes(total), hex(first)),
                               false});
        else
            checks_.push_back(
                {"memory", fmt::format("all {} can be read", humanBytes(total)), true});
    }

    /// Those that the format itself has.
    void checkHashes(const Snapshot& snapshot, Progress& progress) {
        const Format* const format = formatByName(snapshot.provenance.format);
        if (format == nullptr || format->verify == nullptr) return;
        auto source = openSource(path_);
        auto checks = source ? format->verify(*std::move(source), progress)
                             : Result<std::vector<FormatCheck>>(std::unexpected(source.error()));
        if (!checks)
            checks_.push_back({"hashes", checks.error().describe(), false});
        else
            checks_.insert(checks_.end(), checks->begin(), checks->end());
    }

    /// The hashes in a manifest beside the file: FILE.json, {"hashes":{"sha256":…}}.
    void checkManifest() {
        const std::string path = path_ + ".json";
        std::error_code ignored;
        const auto size = std::filesystem::file_size(path, ignored);
        if (ignored || size > maxManifest) {
            notCovered_.emplace_back(
                "there is no manifest beside the file, so its hashes are not known");
            return;
        }
        std::ifstream file(path, std::ios::binary);
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        const Json manifest = Json::parse(text, nullptr, false);
        if (!manifest.is_object() || !manifest.contains("hashes") ||
            !manifest["hashes"].is_object()) {
            checks_.push_back({"manifest", "is damaged, or is none", false});
            return;
        }
        const auto volumes = manifest.find("volumes");
        if (volumes == manifest.end() || !volumes->is_array())
            return compareHashes(path_, manifest["hashes"], {});
        for (const Json& volume : *volumes) {
            const auto hashes = volume.find("hashes");
            const bool whole = volume.is_object() && volume.contains("path") &&
                               volume["path"].is_string() && hashes != volume.end() &&
                               hashes->is_object();
            if (!whole)
                checks_.push_back({"manifest", "is damaged", false});
            else
                checkVolume(volume["path"].get<std::string>(), *hashes);
        }
    }

    /// A file of several: beside the one that was given, else where it was when it was written.
    void checkVolume(const std::string& path, const Json& hashes) {
        std::error_code ignored;
        const std::filesystem::path name = std::filesystem::path(path).filename();
        for (const std::filesystem::path& file :
             {std::filesystem::path(path_).parent_path() / name, std::filesystem::path(path)}) {
            if (std::filesystem::is_regular_file(file, ignored))
                return compareHashes(file.string(), hashes, name.string() + " ");
        }
        checks_.push_back({name.string(), "is not there", false});
    }

    /// Those of a manifest that we know: older ones have BLAKE2b.
    void compareHashes(const std::string& path, const Json& said, const std::string& prefix) {
        std::vector<HashKind> kinds;
        for (const HashKind kind : {HashKind::sha256, HashKind::blake3, HashKind::blake2b})
            if (const auto found = said.find(toString(kind)); found != said.end())
                if (found->is_string()) kinds.push_back(kind);
        if (kinds.empty()) {
            notCovered_.emplace_back("the manifest beside the file has no hash that is known");
            return;
        }
        std::error_code ignored;
        const auto hashes = hashFile(path, std::filesystem::file_size(path, ignored), kinds,
                                     HashingSink::mostBuffer);
        if (!hashes) {
            checks_.push_back({"manifest", hashes.error().describe(), false});
            return;
        }
        for (const auto& [name, value] : *hashes) {
            const auto should = said.at(name).get<std::string>();
            const bool same = should == value;
            checks_.push_back({prefix + name,
                               same ? value : fmt::format("is {}, should be {}", value, should),
                               same});
        }
    }

    void print(const Snapshot& snapshot) const {
        if (json_) {
            Json checks = Json::array();
            for (const FormatCheck& check : checks_)
                checks.push_back(
                    {{"what", check.what}, {"result", check.result}, {"good", check.good}});
            printJson({{"schema", "icecore.verify/1"},
                       {"path", path_},
                       {"format", snapshot.provenance.format},
                       {"good", std::ranges::all_of(checks_, &FormatCheck::good)},
                       {"checks", std::move(checks)},
                       {"not_covered", notCovered_}});
            return;
        }
        for (const FormatCheck& check : checks_)
            fmt::print("{:<10} {:<6} {}\n", check.what, check.good ? "good" : "WRONG",
                       printable(check.result));
        for (const std::string& text : notCovered_)
            fmt::print("{:<10} {:<6} {}\n", "", "note", text);
    }

    std::string path_, style_ = "auto";
    bool json_ = false;
    std::vector<FormatCheck> checks_;
    std::vector<std::string> notCovered_;
};

}  // namespace

std::unique_ptr<VerbRun> makeVerifyVerb() {
    return std::make_unique<VerifyVerb>();
}

}  // namespace icecore::app
