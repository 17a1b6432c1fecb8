#include "formats/vmware/checkpoint.h"

#include <algorithm>

#include "bytes/cursor.h"
#include "formats/vmware/layout.h"

namespace icecore::vmware {

namespace {

constexpr std::uint32_t mostGroups = 1024;
constexpr std::size_t mostTags = 1 << 20;
constexpr std::uint32_t mostRegions = 4096, mostCpus = 4096;
constexpr std::size_t gpregsCount = 16;
/// Of a tag without its value: two bytes, a name, three indices, two sizes and a padding.
constexpr std::uint64_t longestTag = 2 + 255 + 3 * 4 + 2 * 8 + 2;

template <class T>
Result<T> structureAt(const Source& file, std::uint64_t at, std::string_view what) {
    std::array<std::byte, sizeof(T)> raw{};
    ASSIGN_OR_RETURN(const std::size_t got, file.read(at, raw));
    if (got < raw.size())
        return fail(Errc::truncated, std::string(what) + " is cut off", file.where(at));
    return Cursor(ByteView(raw)).structure<T>();
}

bool oldSizes(std::uint32_t magic) {
    return std::ranges::find(oldMagics, magic) != oldMagics.end();
}

struct Tag {
    std::string name;
    std::vector<std::uint32_t> indices;
    std::uint64_t value = 0;  ///< of one that is no block
    std::optional<Range> block;
    bool compressed = false;
};

/// Walks over the tags of a group.
class Tags {
public:
    Tags(const Source& file, Range group, bool oldSizes)
        : file_(file), at_(group.begin()), end_(group.end()), sizeOfSize_(oldSizes ? 4 : 8) {}

    /// The next one, or nothing behind the last; an error where it cannot be read.
    Result<std::optional<Tag>> next() {
        const std::uint64_t here = at_;
        const std::uint64_t left = std::min(end_, file_.size()) - std::min(here, file_.size());
        ASSIGN_OR_RETURN(const SharedBytes bytes, file_.load(here, std::min(left, longestTag)));
        Cursor cursor{ByteView(bytes.span(), file_.name(), here)};
        const unsigned flags = cursor.u8();
        const std::uint8_t nameLength = cursor.u8();
        if (cursor.ok() && flags == 0 && nameLength == 0) return std::optional<Tag>();
        Tag tag;
        const ByteView name = cursor.bytes(nameLength);
        tag.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
        for (unsigned i = 0; i < flags >> indicesShift; ++i)
            tag.indices.push_back(cursor.u32());
        const unsigned size = flags & valueSizeMask;
        if (size != blockSize && size != compressedBlockSize) {
            const ByteView value = cursor.bytes(size);
            for (std::size_t i = 0; i < std::min<std::size_t>(value.size(), 8); ++i)
                tag.value |= std::to_integer<std::uint64_t>(value.span()[i]) << (8 * i);
            TRY(cursor.status("a tag"));
            at_ += cursor.position();
            return tag;
        }
        tag.compressed = size == compressedBlockSize;
        const std::uint64_t stored = cursor.unsignedOf(sizeOfSize_);
        (void)cursor.unsignedOf(sizeOfSize_);  // the size in memory, of compressed ones
        const std::uint64_t padding = cursor.u16();
        TRY(cursor.status("a tag"));
        const std::uint64_t begin = here + cursor.position() + padding;
        const auto end = checkedAdd(begin, stored);
        if (!end || begin > file_.size())
            return fail(Errc::malformed, "a block that lies nowhere", file_.where(here));
        tag.block = Range::between(begin, *end);
        at_ = *end;
        return tag;
    }

private:
    const Source& file_;
    std::uint64_t at_, end_;
    std::size_t sizeOfSize_;
};

class Reader {
public:
    Reader(const Source& file, Issues& issues) : file_(file), issues_(issues) {}

    Result<Checkpoint> run() {
        ASSIGN_OR_RETURN(const auto header, structureAt<Header>(file_, 0, "the header"));
        for (std::uint32_t i = 0; i < header.groupCount; ++i) {
            if (i == mostGroups) {
                issues_.loss("more groups than any checkpoint has", file_.where(8));
                break;
            }
            const auto group = structureAt<Group>(
                file_, sizeof(Header) + std::uint64_t{i} * sizeof(Group), "the list of groups");
            if (!group) {
                issues_.loss(group.error());
                break;
            }
            const std::string name(group->name, std::ranges::find(group->name, '\0'));
            if (name == "memory" || name == "cpu")
                readGroup(*group, name == "memory", oldSizes(header.magic));
        }
        finishRegions();
        return std::move(checkpoint_);
    }

private:
    void readGroup(const Group& group, bool memory, bool old) {
        // Some groups do not say how long they are; a tag of zeros ends them.
        const std::uint64_t size = group.size == 0 ? UINT64_MAX : std::uint64_t{group.size};
        Tags tags(file_, Range::ofSize(group.offset, size), old);
        for (std::size_t count = 0; count < mostTags; ++count) {
            const auto tag = tags.next();
            if (!tag) {
                issues_.loss(tag.error());
                return;
            }
            if (!*tag) return;
            memory ? takeMemory(**tag) : takeCpu(**tag);
        }
        issues_.loss("more tags than any group has", file_.where(group.offset));
    }

    void takeMemory(const Tag& tag) {
        if (tag.name == "Memory" && tag.block) {
            checkpoint_.compressedMemory |= tag.compressed;
            if (!tag.compressed) checkpoint_.memory = tag.block;
            return;
        }
        if (tag.name == "regionsCount") regionCount_ = tag.value;
        if (tag.indices.size() != 1 || tag.indices[0] >= mostRegions) return;
        RawRegion& region = regions_[tag.indices[0]];
        if (tag.name == "regionPPN") region.physicalPage = tag.value;
        if (tag.name == "regionPageNum") region.page = tag.value;
        if (tag.name == "regionSize") region.pages = tag.value;
    }

    void finishRegions() {
        constexpr std::uint64_t mostPages = UINT64_MAX / pageSize / 2;
        const auto described =
            static_cast<std::uint64_t>(std::ranges::count_if(regions_, [&](const auto& one) {
                return one.first < regionCount_ && one.second.pages.has_value();
            }));
        if (described != regionCount_)
            issues_.loss("some of its " + std::to_string(regionCount_) +
                         " regions of memory are not described");
        for (const auto& [index, raw] : regions_) {
            if (index >= regionCount_ || !raw.physicalPage || !raw.page || !raw.pages) continue;
            if (*raw.physicalPage > mostPages || *raw.page > mostPages || *raw.pages > mostPages) {
                issues_.loss("region " + std::to_string(index) + " lies nowhere");
                continue;
            }
            checkpoint_.regions.push_back(
                {Range::ofSize(*raw.physicalPage * pageSize, *raw.pages * pageSize),
                 *raw.page * pageSize});
        }
    }

    void takeCpu(const Tag& tag) {
        if (tag.indices.empty() || tag.indices[0] >= mostCpus) return;
        const bool control = tag.name == "CR64" || tag.name == "CR";
        static constexpr std::array<std::string_view, gpregsCount> names = {
            "rax", "rcx", "rdx", "rbx", "rbp", "rsp", "rsi", "rdi",
            "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
        const bool general = std::ranges::find(names, tag.name) != names.end() ||
                             tag.name == "rip" || tag.name == "eflags" || tag.name == "EFLAGS";
        const bool all = tag.name == "gpregs" && tag.block;
        if (!control && !general && !all) return;
        if (tag.indices[0] >= checkpoint_.cpus.size())
            checkpoint_.cpus.resize(tag.indices[0] + std::size_t{1});
        Cpu& cpu = checkpoint_.cpus[tag.indices[0]];
        const auto inBlock = [&](std::size_t index) -> std::optional<std::uint64_t> {
            std::array<std::byte, 8> raw{};
            if ((index + 1) * raw.size() > tag.block->size()) return std::nullopt;
            const auto got = file_.read(tag.block->begin() + index * raw.size(), raw);
            if (!got || *got < raw.size()) return std::nullopt;
            return loadInteger<std::uint64_t>(raw.data());
        };
        if (all) {
            for (std::size_t i = 0; i < names.size(); ++i) {
                if (const auto value = inBlock(i)) cpu.registers.emplace(names[i], *value);
            }
        } else if (control && tag.block) {
            for (std::size_t i = 0; i < cpu.control.size(); ++i) {
                if (const auto value = inBlock(i)) cpu.control[i] = value;
            }
        } else if (control && tag.indices.size() == 2 && tag.indices[1] < cpu.control.size()) {
            cpu.control[tag.indices[1]] = tag.value;
        } else if (general) {
            cpu.registers.emplace(tag.name == "EFLAGS" ? "eflags" : tag.name, tag.value);
        }
    }

    struct RawRegion {
        std::optional<std::uint64_t> physicalPage, page, pages;
    };
    const Source& file_;
    Issues& issues_;
    Checkpoint checkpoint_;
    std::map<std::uint32_t, RawRegion> regions_;
    std::uint64_t regionCount_ = 0;
};

}  // namespace

bool isCheckpoint(const Source& file) {
    const auto header = structureAt<Header>(file, 0, "the header");
    return header && (oldSizes(header->magic) ||
                      std::ranges::find(magics, std::uint32_t{header->magic}) != magics.end());
}

Result<Checkpoint> readCheckpoint(const Source& file, Issues& issues) {
    return Reader(file, issues).run();
}

}  // namespace icecore::vmware
