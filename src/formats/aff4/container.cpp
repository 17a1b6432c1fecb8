#include "formats/aff4/container.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/text.h"
#include "formats/aff4/unfinished.h"
#include "formats/aff4/zip_layout.h"

namespace icecore::aff4 {

namespace {

constexpr std::uint64_t maxDescription = std::uint64_t{64} << 20;
constexpr std::size_t maxVolumes = 64;
/// Files of a folder that are looked at for the other volumes.
constexpr std::size_t maxNeighbours = 1000;
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

/// Striped images: objects are said to be stored in volumes that this one is not.
void Container::addNeighbours(Issues& issues) {
    std::vector<std::string> wanted;
    for (const auto& [subject, statements] : graph_.subjects()) {
        for (const Node& stored : graph_.all(subject, "aff4:stored")) {
            if (stored.uri && stored.value.starts_with(scheme) && !has(stored.value) &&
                std::ranges::find(wanted, stored.value) == wanted.end())
                wanted.push_back(stored.value);
        }
    }
    if (wanted.empty()) return;
    const std::filesystem::path own(volumes_.front()->file->name());
    const auto folder = own.has_parent_path() ? own.parent_path() : std::filesystem::path(".");
    std::error_code problem;
    std::size_t looked = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder, problem)) {
        if (++looked > maxNeighbours || volumes_.size() == maxVolumes) break;
        if (!isAff4Name(entry.path()) || !entry.is_regular_file(problem)) continue;
        auto file = openMappedFile(entry.path());
        if (!file || !isVolume(**file)) continue;
        const auto zip = ZipReader::open(*file);
        if (!zip) continue;
        const std::string urn = volumeUrn(*zip);
        if (std::ranges::find(wanted, urn) == wanted.end() || has(urn)) continue;
        if (const auto added = addVolume(*std::move(file)); !added) issues.loss(added.error());
    }
    for (const std::string& urn : wanted) {
        if (!has(urn)) issues.loss("the volume " + urn + " is not beside this one", own.string());
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
