#include "bytes/split_source.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "bytes/folder.h"
#include "bytes/imperfect.h"
#include "bytes/sparse.h"

namespace icecore {

namespace {

/// Each is an open file.
constexpr std::uint64_t mostParts = 10000;
constexpr std::uint64_t mostBytes = std::uint64_t{1} << 60;

class SplitSource final : public Source, public SparseSource, public ImperfectSource {
public:
    struct Part {
        Range content;
        std::shared_ptr<const Source> file;  ///< null: missing
    };
    SplitSource(std::vector<Part> parts, std::string name)
        : parts_(std::move(parts)), name_(std::move(name)) {}

    [[nodiscard]] const std::string& name() const override { return name_; }
    [[nodiscard]] std::uint64_t size() const override { return parts_.back().content.end(); }
    [[nodiscard]] Result<std::size_t> read(std::uint64_t offset,
                                           std::span<std::byte> out) const override {
        std::size_t done = 0;
        while (done < out.size() && offset < size() && done < size() - offset) {
            const std::uint64_t at = offset + done;
            const auto part = std::ranges::upper_bound(
                parts_, at, {}, [](const Part& one) { return one.content.end(); });
            if (!part->file && done > 0) return done;  // the next read says why
            if (!part->file)
                return fail(Errc::not_found, "part " + number(*part) + " is missing", where(at));
            const auto want = static_cast<std::size_t>(
                std::min<std::uint64_t>(out.size() - done, part->content.end() - at));
            ASSIGN_OR_RETURN(const std::size_t got,
                             part->file->read(at - part->content.begin(), out.subspan(done, want)));
            done += got;
            if (got < want) break;
        }
        return done;
    }
    [[nodiscard]] std::vector<Range> dataRanges() const override {
        std::vector<Range> all;
        for (const Part& part : parts_) {
            if (!part.file) continue;
            for (const Range& range : icecore::dataRanges(*part.file))
                all.push_back(Range::ofSize(part.content.begin() + range.begin(), range.size()));
        }
        return all;
    }
    [[nodiscard]] std::vector<Range> missing() const override {
        std::vector<Range> all;
        for (const Part& part : parts_) {
            if (!part.file) all.push_back(part.content);
        }
        return all;
    }
    [[nodiscard]] Issues issues() const override {
        Issues issues;
        issues.note("put together from " + std::to_string(parts_.size()) +
                    " parts; whether more should follow the last one, no part tells");
        for (const Part& part : parts_) {
            if (!part.file)
                issues.loss("part " + number(part) + " is missing (" +
                                humanBytes(part.content.size()) + ")",
                            where(part.content.begin()));
        }
        return issues;
    }

private:
    [[nodiscard]] std::string number(const Part& part) const {
        return std::to_string(&part - parts_.data() + 1) + " of " + std::to_string(parts_.size());
    }
    std::vector<Part> parts_;  ///< none empty, each behind the other
    std::string name_;
};

/// What the first part may be called.
std::vector<std::string> firstNames(const PartName& name) {
    if (name.letters) return {name.stem + std::string(name.digits, 'a')};
    const std::string zeros(name.digits - 1, '0');
    return {name.stem + zeros + "0", name.stem + zeros + "1"};
}

bool isFile(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(path, ignored);
}

}  // namespace

std::optional<PartName> parsePartName(const std::filesystem::path& path) {
    const std::string text = path.string();
    const std::string extension = path.extension().string();
    if (extension.size() < 3 || extension.size() > 7) return std::nullopt;
    const std::string_view digits = std::string_view(extension).substr(1);
    PartName name;
    name.stem = text.substr(0, text.size() - digits.size());
    name.digits = digits.size();
    const auto isDigit = [](char c) { return c >= '0' && c <= '9'; };
    const auto isLetter = [](char c) { return c >= 'a' && c <= 'z'; };
    name.letters = std::ranges::all_of(digits, isLetter);
    if (!name.letters && !std::ranges::all_of(digits, isDigit)) return std::nullopt;
    if (name.letters && digits.size() > 4) return std::nullopt;
    for (const char c : digits)
        name.number = name.number * (name.letters ? 26 : 10) +
                      static_cast<unsigned>(c - (name.letters ? 'a' : '0'));
    return name;
}

std::optional<std::vector<std::filesystem::path>> partsOf(const std::filesystem::path& path) {
    namespace fs = std::filesystem;
    auto wanted = parsePartName(path);
    if (!isFile(path)) {
        for (const char* const first : {".01", ".00", ".aaa", ".aa", ".000", ".001"}) {
            if (isFile(path.string() + first)) wanted = parsePartName(path.string() + first);
        }
    }
    // Without a first part this is a name like any other: cores are called core.PID, and nearly all
    // files have an extension of small letters.
    if (!wanted || std::ranges::none_of(firstNames(*wanted), isFile)) return std::nullopt;
    const fs::path folder = folderOf(path);
    std::map<std::uint64_t, fs::path> found;
    std::error_code problem;
    for (const auto& entry : fs::directory_iterator(folder, problem)) {
        const fs::path file = path.has_parent_path() ? entry.path() : entry.path().filename();
        const auto name = parsePartName(file);
        if (name && name->stem == wanted->stem && name->digits == wanted->digits &&
            name->letters == wanted->letters && isFile(file))
            found.emplace(name->number, file);
        if (found.size() > mostParts) return std::nullopt;
    }
    if (found.empty()) return std::nullopt;
    const std::uint64_t first = found.begin()->first;
    const std::uint64_t count = found.rbegin()->first - first + 1;
    if (count > mostParts) return std::nullopt;
    std::vector<fs::path> parts(static_cast<std::size_t>(count));
    for (auto& [number, file] : found)
        parts[static_cast<std::size_t>(number - first)] = std::move(file);
    return parts;
}

Result<std::shared_ptr<const Source>> joinParts(std::vector<std::shared_ptr<const Source>> parts,
                                                std::string name) {
    if (parts.empty()) return fail(Errc::internal, "no parts", name);
    if (parts.size() == 1 && parts.front()) return parts.front();
    // All parts but the last have one length, else nobody knows how long a missing one is.
    std::optional<std::uint64_t> length;
    bool alike = true;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        if (!parts[i]) continue;
        alike &= !length || *length == parts[i]->size();
        length = parts[i]->size();
    }
    std::vector<SplitSource::Part> all;
    std::uint64_t at = 0;
    for (auto& part : parts) {
        if (!part && (!length || !alike))
            return fail(Errc::not_found,
                        "a part is missing, and as the others differ in length, nobody can tell "
                        "what lies where behind it",
                        name);
        const std::uint64_t size = part ? part->size() : *length;
        if (size > mostBytes - at) return fail(Errc::malformed, "parts of impossible sizes", name);
        if (size > 0) all.push_back({Range::ofSize(at, size), std::move(part)});
        at += size;
    }
    if (all.empty()) return fail(Errc::truncated, "all its parts are empty", name);
    return std::make_shared<SplitSource>(std::move(all), std::move(name));
}

}  // namespace icecore
