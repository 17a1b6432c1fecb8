// A short name for a bucket.
#pragma once

#include <string>
#include <string_view>

namespace icecore {

/// What is hashed: "um:" (a process) or "km:" (a kernel) and the bucket in lower case.
std::string bucketHashText(std::string_view bucket, bool kernel);
/// The first 16 bytes of that text's SHA-256, in a GUID's form: "{5c2b1e0f-…}". Microsoft's
/// FAILURE_ID_HASH is of its own making: the two cannot be compared.
std::string bucketHash(std::string_view bucket, bool kernel);

}  // namespace icecore
