#include "images/elf_modules.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "base/text.h"
#include "bytes/elf_layout.h"
#include "images/elf_image.h"
#include "images/link_map.h"
#include "model/linux_maps.h"

namespace icecore {

namespace {

/// "[heap]", "[anon:…]", "anon_inode:…", "/dev/zero" and the like: no file to be loaded from.
bool namesFile(const Region& region) {
    return region.name.starts_with('/') && !region.name.starts_with("/dev/zero") &&
           !region.name.starts_with("/SYSV") && region.kind != RegionKind::special;
}

/// "6.0.30" out of "/usr/lib/libstdc++.so.6.0.30", or out of the soname.
std::string versionOf(std::string_view path, std::string_view soname) {
    for (const std::string_view text : {path, soname}) {
        const std::size_t at = text.rfind(".so.");
        if (at != std::string_view::npos && text.find('/', at) == std::string_view::npos)
            return std::string(text.substr(at + 4));
    }
    return {};
}

class Finder {
public:
    Finder(Process& process, Issues& issues) : process_(process), issues_(issues) {
        anyNames_ = std::ranges::any_of(process.regions.items, namesFile);
    }

    void run() {
        const std::vector<LoadedObject> loaded = readLinkMap(process_, issues_);
        for (const LoadedObject& object : loaded) {
            if (object.dynamic != 0) byDynamic_.emplace(object.dynamic, &object);
        }
        if (const auto vdso = process_.auxvValue(elf::auxVdso)) vdso_ = *vdso;
        if (const auto headers = process_.auxvValue(elf::auxProgramHeaders)) headers_ = *headers;
        if (const auto base = process_.auxvValue(elf::auxBase)) interpreter_ = *base;

        scanRegions();
        if (vdso_ != 0) addAt(vdso_, "[vdso]", true);
        addProgram(loaded);
        for (const LoadedObject& object : loaded)
            addUnseen(object);
        finish();
    }

private:
    /// Regions that begin with an ELF header, and file mappings whose header is not in the dump.
    void scanRegions() {
        const auto& regions = process_.regions.items;
        for (std::size_t i = 0; i < regions.size(); ++i) {
            const Region& region = regions[i];
            if (region.kind == RegionKind::special || region.range.begin() < covered_) continue;
            const bool file = namesFile(region);
            // Without any names the header is all there is to go by. Where names exist a nameless
            // region is nobody's file.
            if (!file && (anyNames_ || !region.name.empty())) continue;
            if (file && region.fileOffset != 0) continue;
            const std::uint64_t at = region.range.begin();
            const auto start = process_.memory->readInteger<std::uint32_t>(at);
            const std::string path(withoutDeletedMark(region.name));
            if (start && *start == elfMagic) {
                addAt(at, path, false);
            } else if (!start && file) {
                addHeaderless(i, path);
            }
        }
    }

    static constexpr std::uint32_t elfMagic = 0x464c457f;

    /// Whether some mapping inside `range` can be executed; in a named one, a mapping of that file.
    [[nodiscard]] bool executableIn(Range range, std::string_view path) const {
        const auto& regions = process_.regions.items;
        auto region =
            std::upper_bound(regions.begin(), regions.end(), range.begin(),
                             [](std::uint64_t at, const Region& r) { return at < r.range.end(); });
        for (; region != regions.end() && region->range.begin() < range.end(); ++region) {
            if (!region->protection.execute) continue;
            if (path.empty() || path.starts_with('[') || withoutDeletedMark(region->name) == path)
                return true;
        }
        return false;
    }

    /// Where the runtime range of the module at `at` must end: in front of the next file's header.
    [[nodiscard]] std::uint64_t roomBehind(std::uint64_t at, std::string_view path) const {
        const auto& regions = process_.regions.items;
        auto region = std::upper_bound(
            regions.begin(), regions.end(), at,
            [](std::uint64_t address, const Region& r) { return address < r.range.begin(); });
        for (; region != regions.end(); ++region) {
            if (namesFile(*region) && withoutDeletedMark(region->name) != path)
                return region->range.begin();
        }
        return UINT64_MAX;
    }

    /// The module whose ELF header is at `at`. `certain`: someone besides its bytes vouches for it.
    void addAt(std::uint64_t at, std::string path, bool certain) {
        if (std::ranges::any_of(found_, [&](const Module& m) { return m.range.contains(at); }))
            return;
        const auto image = ElfImage::fromMemory(*process_.memory, at, UINT64_MAX, path);
        if (!image) {
            if (certain || at == vdso_ || at == interpreter_) issues_.loss(image.error());
            return;
        }
        const ElfImage& elf = **image;
        if (elf.type() != elf::typeExecutable && elf.type() != elf::typeDynamic) return;

        std::uint64_t end = at;
        if (const auto top = checkedAdd(elf.imageBase() + elf.bias(), elf.imageSize()))
            end = alignUp(*top, 4096);
        end = std::max(std::min(end, roomBehind(at, path)), at);
        Module module;
        module.range = Range::between(at, end);
        if (module.range.empty()) return;
        module.bias = elf.bias();

        const LoadedObject* object = loadedAs(elf);
        const bool vouched = certain || object != nullptr || at == vdso_ || at == interpreter_ ||
                             module.range.contains(headers_);
        if (!vouched && !executableIn(module.range, path)) return;
        // A nameless region that looks like a module is one only when nothing could vouch for it.
        if (!vouched && path.empty() && !byDynamic_.empty()) return;

        if (path.empty() && object != nullptr) path = object->name;
        if (path.empty() && module.range.contains(headers_)) path = executablePath();
        if (path.empty() && at == vdso_) path = "[vdso]";
        if (path.empty()) path = std::string(elf.soname());
        module.path = std::string(withoutDeletedMark(path));
        if (!elf.buildId().empty()) {
            module.id.kind = ModuleId::Kind::build_id;
            module.id.bytes.assign(elf.buildId().begin(), elf.buildId().end());
        }
        module.version = versionOf(module.path, elf.soname());
        for (const Issue& issue : elf.issues().items())
            issues_.add(issue.severity, issue.message, issue.where);
        covered_ = std::max(covered_, module.range.end());
        found_.push_back(std::move(module));
    }

    /// A file mapping whose first page is not in the dump: the mappings of that file that follow
    /// without another file between them, if one of them is executable.
    void addHeaderless(std::size_t first, const std::string& path) {
        const auto& regions = process_.regions.items;
        std::uint64_t end = regions[first].range.end();
        bool executable = regions[first].protection.execute;
        for (std::size_t i = first + 1; i < regions.size(); ++i) {
            if (withoutDeletedMark(regions[i].name) == path) {
                if (regions[i].fileOffset == 0) break;  // mapped once more
                end = regions[i].range.end();
                executable = executable || regions[i].protection.execute;
            } else if (namesFile(regions[i])) {
                break;
            }
        }
        if (!executable) return;
        Module module;
        module.range = Range::between(regions[first].range.begin(), end);
        module.path = path;
        module.version = versionOf(path, {});
        for (const auto& [dynamic, object] : byDynamic_) {
            if (module.range.contains(dynamic)) module.bias = object->bias;
        }
        covered_ = std::max(covered_, end);
        found_.push_back(std::move(module));
    }

    /// The regions from `first` on that follow each other without a gap, up to `limit`.
    [[nodiscard]] std::uint64_t endOfNeighbours(const Region* first, std::uint64_t limit) const {
        const Region* const last = process_.regions.items.data() + process_.regions.size() - 1;
        const Region* region = first;
        while (region != last && region->range.end() < limit &&
               region[1].range.begin() == region->range.end())
            ++region;
        return std::min(region->range.end(), limit);
    }

    /// The program itself where nothing but the auxiliary vector shows it: neither names nor its
    /// headers are in the dump (QEMU's cores). How far it reaches is then a guess: as far as
    /// regions follow each other.
    void addProgram(const std::vector<LoadedObject>& loaded) {
        const Region* region = headers_ != 0 ? process_.regionAt(headers_) : nullptr;
        const auto known = [&](const Module& m) { return m.range.contains(headers_); };
        if (region == nullptr || anyNames_ || std::ranges::any_of(found_, known)) return;
        std::uint64_t limit = UINT64_MAX;
        for (const LoadedObject& object : loaded) {
            if (object.bias > headers_) limit = std::min(limit, object.bias);
        }
        Module module;
        module.range = Range::between(region->range.begin(), endOfNeighbours(region, limit));
        module.path = executablePath();
        for (const LoadedObject& object : loaded) {
            if (module.range.contains(object.dynamic)) module.bias = object.bias;
        }
        issues_.note("the program is known by its name only: " + printable(module.path),
                     hex(headers_));
        found_.push_back(std::move(module));
    }

    [[nodiscard]] const LoadedObject* loadedAs(const ElfImage& elf) const {
        for (const ElfSegment& segment : elf.segments()) {
            if (segment.type != elf::segmentDynamic) continue;
            const auto found = byDynamic_.find(segment.address + elf.bias());
            return found == byDynamic_.end() ? nullptr : found->second;
        }
        return nullptr;
    }

    /// An entry of the linker's list that no region has shown.
    void addUnseen(const LoadedObject& object) {
        const auto known = [&](const Module& m) { return m.range.contains(object.dynamic); };
        if (std::ranges::any_of(found_, known)) return;
        // Nearly every module is linked at 0, so that its bias is where its header stands.
        const auto start = process_.memory->readInteger<std::uint32_t>(object.bias);
        if (object.bias != 0 && start && *start == elfMagic) {
            addAt(object.bias, object.name, true);
            return;
        }
        // Prelinked, or an executable at a fixed address: its header is at the start of a region.
        const auto& regions = process_.regions.items;
        auto region = std::upper_bound(
            regions.begin(), regions.end(), object.dynamic,
            [](std::uint64_t address, const Region& r) { return address < r.range.begin(); });
        constexpr int farthest = 16;  // a module has four to eight mappings
        for (int i = 0; i < farthest && region != regions.begin(); ++i) {
            --region;
            const auto magic = process_.memory->readInteger<std::uint32_t>(region->range.begin());
            if (!magic || *magic != elfMagic) continue;
            addAt(region->range.begin(), object.name, true);
            return;
        }
        if (const Region* here = process_.regionAt(object.dynamic)) {
            Module module;
            // Its first page, not in the dump either, is where nearly every module's bias is.
            const Region* first = object.bias != 0 ? process_.regionAt(object.bias) : nullptr;
            const bool whole = first != nullptr && first->range.begin() == object.bias &&
                               endOfNeighbours(first, UINT64_MAX) >= here->range.end();
            module.range = whole ? Range::between(object.bias, here->range.end()) : here->range;
            module.path = object.name;
            module.bias = object.bias;
            module.version = versionOf(object.name, {});
            issues_.note("module without a readable ELF header: " + printable(object.name),
                         hex(object.dynamic));
            found_.push_back(std::move(module));
        }
    }

    [[nodiscard]] std::string executablePath() const {
        if (!process_.executable.empty()) return process_.executable;
        if (const auto at = process_.auxvValue(elf::auxExecFileName)) {
            if (auto text = process_.memory->readCString(*at)) return *text;
        }
        return process_.name;
    }

    void finish() {
        std::ranges::sort(found_, {}, [](const Module& m) { return m.range.begin(); });
        // Cut overlaps, so that look-ups by address stay exact.
        for (std::size_t i = 0; i + 1 < found_.size(); ++i) {
            const std::uint64_t next = found_[i + 1].range.begin();
            if (found_[i].range.end() > next)
                found_[i].range = Range::between(found_[i].range.begin(), next);
        }
        for (Region& region : process_.regions.items)
            markRegion(region);
        process_.modules.items = std::move(found_);
        process_.modules.coverage =
            process_.modules.items.empty() ? Coverage::absent : Coverage::complete;
    }

    void markRegion(Region& region) const {
        const auto module =
            std::upper_bound(found_.begin(), found_.end(), region.range.begin(),
                             [](std::uint64_t at, const Module& m) { return at < m.range.end(); });
        if (module == found_.end() || !module->range.contains(region.range.begin())) return;
        const bool named = namesFile(region);
        if (module->range.begin() == vdso_ && vdso_ != 0) {
            region.kind = RegionKind::vdso;
        } else if (named || (!anyNames_ && region.kind == RegionKind::unknown)) {
            region.kind = RegionKind::image;
        }
    }

    Process& process_;
    Issues& issues_;
    bool anyNames_ = false;
    std::uint64_t vdso_ = 0, headers_ = 0, interpreter_ = 0;
    std::uint64_t covered_ = 0;  ///< regions below belong to a module already found
    std::unordered_map<std::uint64_t, const LoadedObject*> byDynamic_;
    std::vector<Module> found_;
};

}  // namespace

void findElfModules(Process& process, Issues& issues) {
    Finder(process, issues).run();
}

}  // namespace icecore
