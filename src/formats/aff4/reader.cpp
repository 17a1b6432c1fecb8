// Source: "AFF4 Standard v1.0" (Schatz, Cohen) and the images of its authors, which differ from its
// text here and there.
#include <algorithm>

#include "base/text.h"
#include "formats/aff4/aff4_parts.h"
#include "formats/aff4/map_space.h"
#include "formats/image/image.h"

namespace icecore::aff4 {

namespace {

constexpr std::uint64_t maxAttachment = std::uint64_t{1} << 20;

/// What tools say of the machine.
void describe(const Container& container, Snapshot& snapshot) {
    for (const auto& volume : container.volumes()) {
        const ZipMember* const version = volume->zip.find("version.txt");
        if (version == nullptr) continue;
        const auto text = volume->zip.load(*version, 4096);
        if (!text) continue;
        for (const std::string_view line : split(text->text(), '\n')) {
            if (line.starts_with("tool="))
                snapshot.provenance.tool = printable(trim(line.substr(5)));
        }
    }
    for (const auto& volume : container.volumes()) {
        for (const auto& [name, member] : volume->zip.members()) {
            if (!name.ends_with("information.yaml")) continue;
            if (auto bytes = volume->zip.load(member, maxAttachment))
                snapshot.attachments.push_back({"aff4/information.yaml", *std::move(bytes)});
        }
    }
}

}  // namespace

std::string imageOf(const Graph& graph) {
    // The image names the map or stream of its data; else a map; else the only stream.
    const auto& subjects = graph.subjects();
    for (const auto& [subject, statements] : subjects) {
        if (!graph.isA(subject, "aff4:Image")) continue;
        if (const auto data = graph.one(subject, "aff4:dataStream")) return data->value;
    }
    for (const auto& [subject, statements] : subjects) {
        if (graph.isA(subject, "aff4:Map") || graph.isA(subject, "aff4:map")) return subject;
    }
    for (const auto& [subject, statements] : subjects) {
        const bool stream = graph.isA(subject, "aff4:ImageStream") ||
                            graph.isA(subject, "aff4:image") || graph.isA(subject, "aff4:stream");
        if (stream && graph.number(subject, "aff4:size")) return subject;
    }
    return {};
}

Result<Snapshot> open(std::shared_ptr<const Source> source) {
    Snapshot snapshot = image::startSnapshot(*source, "aff4");
    ASSIGN_OR_RETURN(Container opened, Container::open(source, snapshot.issues));
    const auto container = std::make_shared<const Container>(std::move(opened));
    const std::string urn = imageOf(container->graph());
    if (urn.empty()) return fail(Errc::malformed, "describes no image", source->name());
    ASSIGN_OR_RETURN(snapshot.machine->physical, openMap(container, urn, snapshot.issues));
    describe(*container, snapshot);
    if (const auto info = container->find(urn, "vmcoreinfo")) {
        if (auto text = container->load(info, maxAttachment))
            image::setKernelInfo(snapshot, *std::move(text));
    }
    if (const auto notes = container->find(urn, "notes")) {
        if (auto bytes = container->load(notes, maxAttachment * 64))
            image::takeNotes(snapshot, *bytes, source->name());
    }
    return snapshot;
}

}  // namespace icecore::aff4
