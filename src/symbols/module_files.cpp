#include "symbols/module_files.h"

#include <libdeflate.h>

#include <algorithm>
#include <system_error>

#include "base/text.h"
#include "bytes/elf_layout.h"
#include "symbols/debuginfod.h"
#include "symbols/search_path.h"
#include "symbols/xz.h"

namespace icecore {

namespace {

namespace fs = std::filesystem;
using Image = std::shared_ptr<const ElfImage>;

constexpr std::uint64_t largestDebugData = std::uint64_t{256} << 20;

/// Whether a file is the one the dump speaks of.
enum class Match : std::uint8_t { yes, no, unverified };
struct Verdict {
    Match match = Match::no;
    std::string why;
};

bool hasCode(const ElfImage& image) {
    const ElfSection* text = image.section(".text");
    return text == nullptr || text->type != elf::sectionNoBits;
}

class Search {
public:
    Search(const Process* process, const Module* module, const SymbolOptions& options)
        : process_(process), module_(module), options_(options) {
        if (module != nullptr && module->id.kind == ModuleId::Kind::build_id)
            id_ = module->id.bytes;
        for (const std::string& folder : symbolPathFolders(options.path))
            folders_.emplace_back(folder);
    }

    ModuleFiles run() {
        if (module_->id.kind == ModuleId::Kind::pdb) {
            say("the module's symbols are in a PDB, which this version does not read");
            return std::move(files_);
        }
        findImage();
        if (image_ && id_.empty()) id_.assign(image_->buildId().begin(), image_->buildId().end());
        findDebugFile();
        if (!image_ && memoryImage()) image_ = memoryImage_;
        finish();
        files_.bias = module_->bias ? *module_->bias
                      : image_      ? module_->range.begin() - image_->imageBase()
                                    : module_->range.begin();
        return std::move(files_);
    }

    ModuleFiles runAlone(Image image) {
        image_ = std::move(image);
        files_.info.imagePath = image_->name();
        id_.assign(image_->buildId().begin(), image_->buildId().end());
        findDebugFile();
        finish();
        return std::move(files_);
    }

private:
    void say(std::string sentence) { files_.info.tried.push_back(std::move(sentence)); }

    [[nodiscard]] fs::path underRoot(const fs::path& path) const {
        return options_.root.empty() ? path : fs::path(options_.root) / path.relative_path();
    }

    /// Opens a candidate; says what stood against it. Silent about most files that do not exist:
    /// `loud` for those a person would look for.
    Image openCandidate(const fs::path& path, bool loud) {
        auto source = openMappedFile(path);
        if (!source) {
            if (loud || source.error().code != Errc::not_found) say(source.error().describe());
            return nullptr;
        }
        auto image = ElfImage::open(std::move(*source));
        if (!image) {
            say(image.error().describe());
            return nullptr;
        }
        return std::move(*image);
    }

    /// A dump without build-ids: the file's headers must be what the process had in memory.
    [[nodiscard]] Verdict compareHeaders(const ElfImage& image) const {
        const auto& source = image.source();
        const std::uint64_t size = std::min<std::uint64_t>(source->size(), 512);
        const auto wanted = source->load(0, size);
        if (!wanted) return {Match::no, wanted.error().describe()};
        const auto there = process_->memory->readUpTo(module_->range.begin(), size);
        if (there.size() == size) {
            if (std::ranges::equal(there, wanted->span()))
                return {Match::unverified, "no build-id in the dump; the headers in memory agree"};
            return {Match::no, "its headers differ from those in the dump's memory"};
        }
        return compareMappings(image);
    }

    /// Not even names (QEMU's cores): each segment must begin a region with its protection, and the
    /// program's auxiliary vector must speak of this very file.
    [[nodiscard]] Verdict compareShape(const ElfImage& image, std::uint64_t bias) const {
        constexpr std::uint32_t executable = 1;  // PF_X
        std::size_t compared = 0;
        for (const ElfSegment& segment : image.segments()) {
            if (segment.type != elf::segmentLoad) continue;
            const Region* region = process_->regionAt(segment.address + bias);
            const bool fits = region != nullptr &&
                              region->range.begin() == alignDown(segment.address + bias, 4096) &&
                              region->protection.execute == ((segment.flags & executable) != 0);
            if (!fits) return {Match::no, "its segments do not fit the dump's regions"};
            ++compared;
        }
        const auto headers = process_->auxvValue(elf::auxProgramHeaders);
        if (headers && module_->range.contains(*headers)) {
            if (process_->auxvValue(elf::auxEntry) != image.entry() + bias ||
                process_->auxvValue(elf::auxProgramCount) != image.segments().size())
                return {Match::no, "the auxiliary vector tells another entry point or layout"};
            ++compared;
        }
        if (compared < 2)
            return {Match::no, "nothing in the dump tells whether it is the same file"};
        return {Match::unverified, "no build-id, headers or names in the dump; the layout agrees"};
    }

    /// Not even headers: the mappings of the file must fit its segments.
    [[nodiscard]] Verdict compareMappings(const ElfImage& image) const {
        const std::uint64_t bias =
            module_->bias.value_or(module_->range.begin() - image.imageBase());
        std::size_t compared = 0;
        for (const Region& region : process_->regions) {
            if (!region.range.overlaps(module_->range) || !region.name.starts_with('/')) continue;
            const bool fits = std::ranges::any_of(image.segments(), [&](const ElfSegment& segment) {
                if (segment.type != elf::segmentLoad) return false;
                const std::uint64_t start = alignDown(segment.address + bias, 4096);
                return Range::ofSize(start, segment.memorySize + 4096)
                           .contains(region.range.begin()) &&
                       alignDown(segment.offset, 4096) + (region.range.begin() - start) ==
                           region.fileOffset;
            });
            if (!fits) return {Match::no, "its segments do not fit the dump's mappings"};
            ++compared;
        }
        if (compared == 0) return compareShape(image, bias);
        if (compared < 2)
            return {Match::no, "nothing in the dump tells whether it is the same file"};
        return {Match::unverified, "no build-id and no headers in the dump; the mappings agree"};
    }

    [[nodiscard]] Verdict compareIds(const ElfImage& image) const {
        const auto own = image.buildId();
        if (own.empty()) return {Match::no, "it has no build-id, the dump says " + hexBytes(id_)};
        if (std::ranges::equal(own, id_)) return {Match::yes, "build-id matches"};
        return {Match::no, "its build-id is " + hexBytes(own) + ", the dump says " + hexBytes(id_)};
    }

    /// The module's own file: code and all.
    bool acceptImage(Image image, const std::string& path) {
        if (!image) return false;
        const Verdict verdict = id_.empty() ? compareHeaders(*image) : compareIds(*image);
        say(path + ": " + verdict.why);
        if (verdict.match == Match::no) {
            mismatch_ = true;
            if (!forcedImage_) forcedImage_ = std::move(image);
            return false;
        }
        // A file of debugging information alone has no code to unwind by, but its names count.
        if (!hasCode(*image)) {
            if (!debug_ && hasDwarf(*image)) takeDebug(std::move(image), path);
            return false;
        }
        files_.info.imagePath = path;
        image_ = std::move(image);
        return true;
    }

    void findImage() {
        const std::string& path = module_->path;
        if (path.empty() || path.starts_with('[') || path.starts_with("linux-vdso") ||
            path.starts_with("linux-gate"))
            return;
        if (options_.useDefaultPaths) {
            const fs::path own = underRoot(path);
            if (acceptImage(openCandidate(own, true), own.string())) return;
        }
        for (const fs::path& folder : folders_) {
            std::vector<fs::path> candidates;
            if (!id_.empty()) candidates.push_back(folder / buildIdPath(id_, ""));
            candidates.push_back(folder / fs::path(path).relative_path());
            candidates.push_back(folder / module_->fileName());
            for (const fs::path& candidate : candidates) {
                if (acceptImage(openCandidate(candidate, false), candidate.string())) return;
            }
        }
        if (const auto fetched = fetch(DebuginfodKind::executable))
            acceptImage(openCandidate(*fetched, true), fetched->string());
        if (!image_ && options_.allowMismatch && forcedImage_) {
            say(forcedImage_->name() + ": used all the same, as asked");
            files_.info.forced = true;
            files_.info.imagePath = forcedImage_->name();
            image_ = forcedImage_;
            id_.clear();  // its own debug files are those that belong to it
        }
    }

    void takeDebug(Image image, const std::string& path) {
        files_.info.debugPath = path;
        debug_ = std::move(image);
    }

    bool acceptDebug(const fs::path& path, bool byLink) {
        if (image_ && path == files_.info.imagePath) return false;
        Image image = openCandidate(path, false);
        if (!image) return false;
        Verdict verdict;
        if (!id_.empty()) {
            verdict = compareIds(*image);
        } else if (const auto link = image_ ? image_->debugLink() : std::nullopt; byLink && link) {
            // The only identity of files older than build-ids: a checksum of the whole file.
            const auto& source = image->source();
            const auto bytes = source->load(0, source->size());
            const bool same =
                bytes && libdeflate_crc32(0, bytes->span().data(), bytes->size()) == link->crc;
            verdict = same ? Verdict{Match::yes, "checksum matches"}
                           : Verdict{Match::no, "its checksum is not the one in .gnu_debuglink"};
        } else {
            verdict = {Match::no, "no build-id to check it by"};
        }
        say(path.string() + ": " + verdict.why);
        if (verdict.match == Match::no) {
            mismatch_ = true;
            if (!forcedDebug_) forcedDebug_ = std::move(image);
            return false;
        }
        if (!hasDwarf(*image) && image->section(".symtab") == nullptr) {
            say(path.string() + ": holds neither debugging information nor symbols");
            return false;
        }
        takeDebug(std::move(image), path.string());
        return true;
    }

    void findDebugFile() {
        if (debug_ || (image_ && hasDwarf(*image_))) return;
        const auto link = image_ ? image_->debugLink() : std::nullopt;
        // A file that stands alone goes by where it is.
        std::error_code error;
        const fs::path imagePath =
            module_ != nullptr ? fs::path(module_->path) : fs::absolute(image_->name(), error);
        if (imagePath.empty() || imagePath.string().starts_with('[')) return;
        if (options_.useDefaultPaths) {
            const fs::path global = "/usr/lib/debug";
            std::vector<fs::path> roots = {underRoot(global)};
            if (!options_.root.empty()) roots.push_back(global);
            for (const fs::path& root : roots) {
                if (!id_.empty() && acceptDebug(root / buildIdPath(id_, ".debug"), false)) return;
            }
            if (link) {
                const fs::path folder = underRoot(imagePath.parent_path());
                for (const fs::path& candidate :
                     {folder / link->name, folder / ".debug" / link->name,
                      roots[0] / imagePath.parent_path().relative_path() / link->name}) {
                    if (acceptDebug(candidate, true)) return;
                }
            }
        }
        for (const fs::path& folder : folders_) {
            std::vector<fs::path> candidates;
            if (!id_.empty()) candidates.push_back(folder / buildIdPath(id_, ".debug"));
            if (link) candidates.push_back(folder / link->name);
            const fs::path below = folder / imagePath.relative_path();
            const fs::path flat = folder / imagePath.filename();
            for (const fs::path& base : {below, flat}) {
                candidates.push_back(base.string() + ".debug");
                candidates.push_back(base);
            }
            for (const fs::path& candidate : candidates) {
                if (acceptDebug(candidate, link && candidate.filename() == link->name)) return;
            }
        }
        if (const auto fetched = fetch(DebuginfodKind::debuginfo)) {
            if (acceptDebug(*fetched, false)) return;
        }
        if (options_.allowMismatch && forcedDebug_ && hasDwarf(*forcedDebug_)) {
            say(forcedDebug_->name() + ": used all the same, as asked");
            files_.info.forced = true;
            const std::string path = forcedDebug_->name();
            takeDebug(forcedDebug_, path);
        }
    }

    std::optional<fs::path> fetch(DebuginfodKind kind) {
        if (options_.debuginfodUrls.empty() || id_.empty()) return std::nullopt;
        DebuginfodOptions how;
        how.progress = options_.locator.progress;
        auto fetched = debuginfodFetch(options_.debuginfodUrls, id_, kind, how);
        if (fetched) return *fetched;
        say(fetched.error().describe());
        return std::nullopt;
    }

    bool memoryImage() {
        if (process_ == nullptr) return false;
        auto image = ElfImage::fromMemory(*process_->memory, module_->range.begin(),
                                          module_->range.size(), module_->path);
        if (!image) return false;
        say(printable(module_->path) + ": its headers and exported names are read from the dump");
        memoryImage_ = std::move(*image);
        return true;
    }

    void finish() {
        ModuleSymbols& info = files_.info;
        info.image = image_;
        if (debug_) files_.symbolImages.push_back(debug_);
        if (image_) files_.symbolImages.push_back(image_);
        if (debug_ && hasDwarf(*debug_)) {
            files_.debugImage = debug_;
        } else if (image_ && hasDwarf(*image_)) {
            files_.debugImage = image_;
        }
        const auto hasTable = [&](std::string_view name) {
            return std::ranges::any_of(files_.symbolImages, [&](const Image& image) {
                const ElfSection* section = image->section(name);
                return section != nullptr && section->type != elf::sectionNoBits;
            });
        };
        if (!hasTable(".symtab")) addMiniTable();
        if (mismatch_ && !info.forced && info.imagePath.empty() && !debug_) {
            info.kind = SymbolKind::mismatch;
        } else if (files_.debugImage) {
            info.kind = SymbolKind::dwarf;
        } else if (hasTable(".symtab")) {
            info.kind = SymbolKind::symtab;
        } else if (hasTable(".dynsym")) {
            info.kind = SymbolKind::exported;
        }
    }

    /// .gnu_debugdata: an xz-compressed ELF file with the symbols that .dynsym lacks (Fedora's
    /// MiniDebugInfo).
    void addMiniTable() {
        const ElfSection* section = image_ ? image_->section(".gnu_debugdata") : nullptr;
        if (section == nullptr) return;
        const std::string name = image_->name() + " .gnu_debugdata";
        const auto stored = image_->content(*section);
        auto content = stored ? decompressXz(*stored, largestDebugData)
                              : Result<SharedBytes>(std::unexpected(stored.error()));
        if (!content) {
            say(content.error().describe());
            return;
        }
        std::vector<std::byte> bytes(content->span().begin(), content->span().end());
        auto mini = ElfImage::open(memorySource(std::move(bytes), name));
        if (!mini) {
            say(mini.error().describe());
            return;
        }
        say(name + ": symbols of the stripped file");
        files_.symbolImages.push_back(std::move(*mini));
    }

    const Process* process_;
    const Module* module_;
    const SymbolOptions& options_;
    ModuleFiles files_;
    std::vector<fs::path> folders_;
    std::vector<std::byte> id_;
    Image image_, debug_, memoryImage_, forcedImage_, forcedDebug_;
    bool mismatch_ = false;
};

}  // namespace

ModuleFiles findModuleFiles(const Process& process, const Module& module,
                            const SymbolOptions& options) {
    return Search(&process, &module, options).run();
}

ModuleFiles findFilesOf(std::shared_ptr<const ElfImage> image, const SymbolOptions& options) {
    return Search(nullptr, nullptr, options).runAlone(std::move(image));
}

std::filesystem::path buildIdPath(std::span<const std::byte> id, std::string_view suffix) {
    const std::string text = hexBytes(id);
    if (text.size() < 4) return fs::path(".build-id") / (text + std::string(suffix));
    return fs::path(".build-id") / text.substr(0, 2) / (text.substr(2) + std::string(suffix));
}

bool hasDwarf(const ElfImage& image) {
    const ElfSection* info = image.section(".debug_info");
    return info != nullptr && info->type != elf::sectionNoBits && info->size != 0;
}

}  // namespace icecore
