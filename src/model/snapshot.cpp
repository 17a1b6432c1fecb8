#include "model/snapshot.h"

namespace icecore {

const SharedBytes* Snapshot::attachment(std::string_view name) const {
    for (const Attachment& item : attachments) {
        if (item.name == name) return &item.content;
    }
    return nullptr;
}

}  // namespace icecore
