#include "unwind/module_cfi.h"

#include "bytes/elf_layout.h"
#include "unwind/cfi_program.h"

namespace icecore {

namespace {

std::uint64_t sectionAddress(const ElfImage& image, std::string_view name) {
    const ElfSection* section = image.section(name);
    return section == nullptr ? 0 : section->address;
}

PointerBases basesOf(const ElfImage& image, std::uint64_t sectionAt) {
    PointerBases bases;
    bases.section = sectionAt;
    bases.addressSize = image.is64() ? 8 : 4;
    bases.text = sectionAddress(image, ".text");
    const std::uint64_t got = sectionAddress(image, ".got.plt");
    bases.data = got != 0 ? got : sectionAddress(image, ".got");
    return bases;
}

/// The bytes of a section that has some.
ByteView contentOf(const ElfImage& image, std::string_view name) {
    const ElfSection* section = image.section(name);
    if (section == nullptr || section->type == elf::sectionNoBits) return {};
    const auto content = image.content(*section);
    return content ? *content : ByteView{};
}

}  // namespace

ModuleCfi::ModuleCfi(std::shared_ptr<const ElfImage> image, std::string debugPath,
                     std::uint64_t bias)
    : image_(std::move(image)), debugPath_(std::move(debugPath)), bias_(bias) {
    if (image_ != nullptr) findEhFrame();
}

void ModuleCfi::findEhFrame() {
    for (const ElfSegment& segment : image_->segments()) {
        if (segment.type != elf::segmentEhFrame) continue;
        const ByteView bytes = image_->atAddress(segment.address, segment.memorySize);
        auto header = EhFrameHeader::parse(bytes, basesOf(*image_, segment.address));
        if (header) header_ = *header;
    }
    ehFrame_.kind = CfiSection::Kind::eh_frame;
    ehFrame_.arch = image_->arch();
    const ElfSection* section = image_->section(".eh_frame");
    const bool usable = section != nullptr && !contentOf(*image_, ".eh_frame").empty();
    if (usable) {
        ehFrame_.bytes = contentOf(*image_, ".eh_frame");
        ehFrame_.bases = basesOf(*image_, section->address);
        // A header of another section (a damaged file) must not be searched.
        if (header_ && header_->ehFrameAddress() != section->address) header_.reset();
    } else if (header_) {
        ehFrame_.bytes = image_->atAddress(header_->ehFrameAddress());
        ehFrame_.bases = basesOf(*image_, header_->ehFrameAddress());
        ehFrameEndsAtTerminator_ = true;
    }
}

void ModuleCfi::loadDebugFrame() const {
    std::shared_ptr<const ElfImage> from = image_;
    ByteView bytes = image_ == nullptr ? ByteView{} : contentOf(*image_, ".debug_frame");
    if (bytes.empty() && !debugPath_.empty()) {
        if (auto source = openMappedFile(debugPath_)) {
            if (auto image = ElfImage::open(*std::move(source))) debugImage_ = *std::move(image);
        }
        if (debugImage_ == nullptr) return;
        from = debugImage_;
        bytes = contentOf(*from, ".debug_frame");
    }
    if (bytes.empty()) return;
    debugFrame_ = {bytes, CfiSection::Kind::debug_frame, from->arch(), basesOf(*from, 0)};
    debugIndex_ = FdeIndex::build(debugFrame_, false);
}

const CfiSection& ModuleCfi::debugFrame() const {
    std::call_once(debugOnce_, [this] { loadDebugFrame(); });
    return debugFrame_;
}

std::optional<std::uint64_t> ModuleCfi::findInEhFrame(std::uint64_t address) const {
    if (ehFrame_.bytes.empty()) return std::nullopt;
    if (header_ && header_->hasTable()) {
        const auto fde = header_->find(address);
        if (!fde || *fde < ehFrame_.bases.section) return std::nullopt;
        return *fde - ehFrame_.bases.section;
    }
    std::call_once(indexOnce_,
                   [this] { index_ = FdeIndex::build(ehFrame_, ehFrameEndsAtTerminator_); });
    return index_.find(address);
}

std::optional<UnwindRow> ModuleCfi::rowFrom(const CfiSection& section, std::uint64_t offset,
                                            std::uint64_t address) const {
    const auto fde = parseFde(section, offset);
    if (!fde || !fde->covers(address)) return std::nullopt;
    auto row = rowAt(section, *fde, address);
    if (!row) return std::nullopt;
    row->functionBegin += bias_;
    row->bias = bias_;
    return *std::move(row);
}

std::optional<UnwindRow> ModuleCfi::row(std::uint64_t address) const {
    const std::uint64_t linked = address - bias_;
    if (const auto offset = findInEhFrame(linked)) {
        if (auto row = rowFrom(ehFrame_, *offset, linked)) return row;
    }
    if (debugFrame().bytes.empty()) return std::nullopt;
    if (const auto offset = debugIndex_.find(linked)) return rowFrom(debugFrame_, *offset, linked);
    return std::nullopt;
}

}  // namespace icecore
