// What Crashpad's clients attach: names with values, of the process and of single modules.
#include <array>

#include "formats/minidump/reading.h"

namespace icecore::minidump {

namespace {

class AnnotationReader {
public:
    explicit AnnotationReader(Reading& reading) : reading_(reading) {}

    void dictionary(const Location& location, const std::string& module) {
        entries<CrashpadEntry>(location, [&](const CrashpadEntry& raw) {
            add(module, text(raw.keyRva), text(raw.valueRva));
        });
    }
    void module(const Location& location, const std::string& name) {
        if (location.size < sizeof(CrashpadModule)) return;
        const SharedBytes bytes = reading_.load(location.rva, sizeof(CrashpadModule), what);
        Cursor cursor(ByteView(bytes.span()));
        const auto raw = cursor.structure<CrashpadModule>();
        if (!cursor.ok()) return;
        entries<Le32>(raw.listAnnotations, [&](const Le32& rva) { add(name, {}, text(rva)); });
        dictionary(raw.simpleAnnotations, name);
        entries<CrashpadAnnotation>(
            raw.annotationObjects, [&](const CrashpadAnnotation& annotation) {
                if (annotation.type == crashpadString)
                    add(name, text(annotation.nameRva), text(annotation.valueRva));
            });
    }
    [[nodiscard]] std::string take() { return std::move(lines_); }

    template <class T, class Use>
    void entries(const Location& location, Use use) {
        if (location.size == 0) return;
        const SharedBytes bytes = reading_.load(location.rva, location.size, what);
        reading_.forEachCounted<T>(reading_.view(bytes, location.rva), what, [&](const T& raw) {
            // Lists of a hostile file can overlap: all together are bounded.
            if (left_ == 0) return;
            --left_;
            use(raw);
        });
    }

private:
    static constexpr std::string_view what = "Crashpad's annotations";

    [[nodiscard]] std::string text(std::uint64_t rva) { return reading_.utf8String(rva, what); }
    /// "key=value", of a module with its name before.
    void add(const std::string& module, const std::string& key, const std::string& value) {
        if (!module.empty()) lines_ += module + ": ";
        if (!key.empty()) lines_ += key + "=";
        lines_ += value + "\n";
    }

    Reading& reading_;
    std::string lines_;
    unsigned left_ = 10'000;
};

}  // namespace

void readCrashpad(Reading& reading, ByteView content) {
    if (content.size() < crashpadInfoOldSize) {
        reading.issues.loss("Crashpad's information is cut", content.where());
        return;
    }
    std::array<std::byte, sizeof(CrashpadInfo)> padded{};
    std::ranges::copy(content.span().first(std::min(content.size(), padded.size())),
                      padded.begin());
    const auto raw = Cursor(ByteView(padded)).structure<CrashpadInfo>();
    AnnotationReader annotations(reading);
    annotations.dictionary(raw.simpleAnnotations, {});
    annotations.entries<CrashpadModuleLink>(raw.moduleList, [&](const CrashpadModuleLink& link) {
        std::string name = fmt::format("module {}", link.moduleIndex + 0U);
        if (link.moduleIndex < reading.moduleBases.size()) {
            const Module* module = reading.process.moduleAt(reading.moduleBases[link.moduleIndex]);
            if (module != nullptr) name = module->fileName();
        }
        annotations.module(link.info, name);
    });
    if (std::string lines = annotations.take(); !lines.empty())
        reading.snapshot.attachments.push_back({"annotations", SharedBytes::own(std::move(lines))});
}

}  // namespace icecore::minidump
