#include "formats/aff4/container.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>

#include "base/text.h"
#include "bytes/folder.h"
#include "formats/aff4/unfinished.h"
#include "formats/aff4/zip_layout.h"

namespace icecore::aff4 {

namespace {

constexpr std::uint64_t maxDescription = std::uint64_t{64} << 20;
/// Files of a folder that are looked at for the other volumes.
constexpr std::size_t maxNeighbours = 4 * maxVolumes;
constexpr std::string_view scheme = "aff4://";

std::string_view withoutEnd(std::string_view text) {
    while (!text.empty() && (text.back() == '\0' || text.back() == '\n' || text.back() == '\r'))
        text.remove_suffix(1);
    return text;
}

/// By the archive's comment, else by its first member (WinPmem 2.1 has no comment).
std::string volumeUrn(const ZipReader& zip) {
    std::string urn(withoutEnd(zip.comment()));
    if (urn.starts_with(scheme)) return urn;
    if (const ZipMember* member = zip.find("container.description")) {
        if (const auto bytes = zip.load(*member, 4096)) urn = withoutEnd(bytes->text());
    }
    return urn;
}

bool isAff4Name(const std::filesystem::path& path) {
    const std::string extension = toLower(path.extension().string());
    return extension == ".aff4" || extension == ".af4";
}

/// Empty where it is no volume that can be opened.
std::string urnOfFile(const std::filesystem::path& path) {
    std::error_code problem;
    if (!std::filesystem::is_regular_file(path, problem)) return {};
    const auto file = openMappedFile(path);
    if (!file || !isVolume(**file)) return {};
    const auto zip = ZipReader::open(*file);
    return zip ? volumeUrn(*zip) : std::string();
}

std::map<std::string, std::filesystem::path> volumesIn(const std::filesystem::path& folder) {
    std::map<std::string, std::filesystem::path> found;
    std::error_code problem;
    std::size_t looked = 0;
    for (std::filesystem::directory_iterator at(folder, problem), end;
         !problem && at != end && looked < maxNeighbours; at.increment(problem), ++looked) {
        if (!isAff4Name(at->path())) continue;
        if (std::string urn = urnOfFile(at->path()); !urn.empty())
            found.emplace(std::move(urn), at->path());
    }
    return found;
}

}  // namespace

std::string escaped(std::string_view urn) {
    std::string text;
    for (const char c : urn) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
        if (plain)
            text += c;
        else
            text += "%" + [c] {
                std::string digits = hexDigits(static_cast<unsigned char>(c), 2);
                std::ranges::transform(digits, digits.begin(), [](char d) {
                    return d >= 'a' && d <= 'f' ? static_cast<char>(d - 'a' + 'A') : d;
                });
                return digits;
            }();
    }
    return text;
}

bool isVolume(const Source& file) {
    std::array<std::byte, 4> start{};
    const auto got = file.read(0, start);
    if (!got || *got != start.size() || loadInteger<std::uint32_t>(start.data()) != zipLocalMagic)
        return false;
    // Cheap for all other archives: a comment is looked for at the very end first.
    const std::uint64_t tail = std::min<std::uint64_t>(file.size(), 256);
    const auto end = file.load(file.size() - tail, tail);
    if (end && end->text().find(scheme) != std::string_view::npos) return true;
    const auto first = file.load(0, std::min<std::uint64_t>(file.size(), 4096));
    return first && (first->text().find("container.description") != std::string_view::npos ||
                     first->text().find("aff4%3A%2F%2F") != std::string_view::npos);
}

Result<Container> Container::open(std::shared_ptr<const Source> file, Issues& issues) {
    Container container;
    const auto added = container.addVolume(file);
    if (!added) {
        if (!container.addBegun(file)) return std::unexpected(added.error());
        issues.loss("was broken off before its directory: what its whole bevies hold is there",
                    file->name());
    }
    container.addNeighbours(issues);
    return container;
}

Result<void> Container::addVolume(std::shared_ptr<const Source> file) {
    ASSIGN_OR_RETURN(ZipReader zip, ZipReader::open(file));
    const ZipMember* const description = zip.find("information.turtle");
    if (description == nullptr)
        return fail(Errc::malformed, "an archive without AFF4's information.turtle", file->name());
    ASSIGN_OR_RETURN(const SharedBytes text, zip.load(*description, maxDescription));
    ASSIGN_OR_RETURN(const Graph graph, parseTurtle(ByteView(text.span(), file->name())));
    graph_.merge(graph);
    std::string urn = volumeUrn(zip);
    volumes_.push_back(
        std::make_shared<const Volume>(Volume{std::move(urn), std::move(file), std::move(zip)}));
    return {};
}

Result<void> Container::addBegun(const std::shared_ptr<const Source>& file) {
    ZipReader zip = ZipReader::walk(file);
    ASSIGN_OR_RETURN(Begun begun, readBegun(zip, false));
    graph_.merge(begun.graph);
    begunMap_ = SharedBytes::own(std::move(begun.map));
    volumes_.push_back(
        std::make_shared<const Volume>(Volume{std::move(begun.volume), file, std::move(zip)}));
    return {};
}

bool Container::has(std::string_view urn) const {
    return std::ranges::any_of(volumes_, [&](const auto& volume) { return volume->urn == urn; });
}

/// Objects are said to be stored in volumes that are not among these.
std::vector<std::string> Container::wantedVolumes() const {
    std::set<std::string> wanted;
    for (const auto& [subject, statements] : graph_.subjects()) {
        for (const Node& stored : graph_.all(subject, "aff4:stored")) {
            if (stored.uri && stored.value.starts_with(scheme) && !has(stored.value))
                wanted.insert(stored.value);
        }
    }
    return {wanted.begin(), wanted.end()};
}

/// What a volume's file is said to be called; empty where nobody says so.
std::string Container::nameOf(const std::string& urn) const {
    for (const Node& stored : graph_.all(urn, "aff4:stored")) {
        const std::filesystem::path name(stored.value);
        const bool plain = !stored.uri && !name.empty() && name == name.filename() && name != "." &&
                           name != ".." && stored.value.find_first_of("/\\") == std::string::npos;
        if (plain) return stored.value;
    }
    return {};
}

/// Volumes that this one speaks of, and those that they speak of: by the names that their files are
/// said to have, else by looking at all that are there.
void Container::addNeighbours(Issues& issues) {
    const std::filesystem::path own(volumes_.front()->file->name());
    const auto folder = folderOf(own);
    std::optional<std::map<std::string, std::filesystem::path>> neighbours;
    std::set<std::string> broken;
    const auto add = [&](const std::string& urn) {
        const std::string name = nameOf(urn);
        std::filesystem::path path;
        if (!name.empty() && urnOfFile(folder / name) == urn) {
            path = folder / name;
        } else {
            if (!neighbours) neighbours = volumesIn(folder);
            const auto found = neighbours->find(urn);
            if (found == neighbours->end()) return false;
            path = found->second;
        }
        auto file = openMappedFile(path);
        if (!file) return false;
        const auto added = addVolume(*std::move(file));
        if (added) return true;
        issues.loss(added.error());
        broken.insert(urn);
        return false;
    };
    for (bool more = true; more;) {
        more = false;
        for (const std::string& urn : wantedVolumes()) {
            if (volumes_.size() < maxVolumes && !broken.contains(urn) && add(urn)) more = true;
        }
    }
    for (const std::string& urn : wantedVolumes()) {
        const std::string name = nameOf(urn);
        issues.loss("the volume " + (name.empty() ? urn : printable(name) + " (" + urn + ")") +
                        " is not beside this one, or not whole",
                    own.string());
    }
}

Place Container::find(std::string_view object, std::string_view name) const {
    for (const auto& volume : volumes_) {
        std::array<std::string, 2> names = {escaped(object), std::string()};
        if (object.starts_with(volume->urn) && object.size() > volume->urn.size() &&
            object[volume->urn.size()] == '/')
            names[1] = object.substr(volume->urn.size() + 1);
        for (const std::string& folder : names) {
            if (folder.empty()) continue;
            const std::string whole = name.empty() ? folder : folder + "/" + std::string(name);
            if (const ZipMember* member = volume->zip.find(whole)) return {volume.get(), member};
        }
    }
    return {};
}

}  // namespace icecore::aff4
