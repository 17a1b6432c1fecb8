#include "analysis/bucket_hash.h"

#include <fmt/format.h>

#include <span>

#include "base/text.h"
#include "bytes/hash.h"

namespace icecore {

std::string bucketHashText(std::string_view bucket, bool kernel) {
    return (kernel ? "km:" : "um:") + toLower(bucket);
}

std::string bucketHash(std::string_view bucket, bool kernel) {
    const std::string text = bucketHashText(bucket, kernel);
    Hasher hasher(HashKind::sha256);
    hasher.update(std::as_bytes(std::span(text)));
    const std::string digits = hexBytes(hasher.finish());
    const auto part = [&](std::size_t at, std::size_t length) { return digits.substr(at, length); };
    return fmt::format("{{{}-{}-{}-{}-{}}}", part(0, 8), part(8, 4), part(12, 4), part(16, 4),
                       part(20, 12));
}

}  // namespace icecore
