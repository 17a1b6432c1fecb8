#include "app/hashing_sink.h"

#include <thread>

#include "base/text.h"
#include "bytes/source.h"

namespace icecore::app {

namespace {

std::vector<std::pair<HashKind, Hasher>> newHashers() {
    std::vector<std::pair<HashKind, Hasher>> hashers;
    for (const HashKind kind : {HashKind::sha256, HashKind::blake2b})
        hashers.emplace_back(kind, Hasher(kind));
    return hashers;
}

/// The slower hash on a thread of its own, the other here. Small writes are not worth a thread.
template <class Take>
void takeAll(std::vector<std::pair<HashKind, Hasher>>& hashers, std::uint64_t size,
             const Take& take) {
    constexpr std::uint64_t worthAThread = std::uint64_t{128} << 10;
    if (size < worthAThread) {
        for (auto& [kind, hasher] : hashers)
            take(hasher);
        return;
    }
    const std::jthread second([&] { take(hashers[1].second); });
    take(hashers[0].second);
}

std::vector<std::pair<std::string, std::string>> finishAll(
    std::vector<std::pair<HashKind, Hasher>>& hashers) {
    std::vector<std::pair<std::string, std::string>> values;
    values.reserve(hashers.size());
    for (auto& [kind, hasher] : hashers)
        values.emplace_back(toString(kind), hexBytes(hasher.finish()));
    return values;
}

}  // namespace

HashingSink::HashingSink(std::unique_ptr<Sink> inner)
    : inner_(std::move(inner)), hashers_(newHashers()) {}

Result<void> HashingSink::write(std::span<const std::byte> bytes) {
    takeAll(hashers_, bytes.size(), [&](Hasher& hasher) { hasher.update(bytes); });
    TRY(inner_->write(bytes));
    position_ = inner_->position();
    return {};
}

Result<void> HashingSink::zeros(std::uint64_t count) {
    takeAll(hashers_, count, [&](Hasher& hasher) { hasher.zeros(count); });
    TRY(inner_->zeros(count));
    position_ = inner_->position();
    return {};
}

Result<void> HashingSink::patch(std::uint64_t offset, std::span<const std::byte> bytes) {
    patched_ = true;
    return inner_->patch(offset, bytes);
}

Result<void> HashingSink::finish() {
    return inner_->finish();
}

std::vector<std::pair<std::string, std::string>> HashingSink::hashes() {
    return finishAll(hashers_);
}

Result<std::vector<std::pair<std::string, std::string>>> hashFile(const std::string& path) {
    ASSIGN_OR_RETURN(const auto file, openMappedFile(path));
    auto hashers = newHashers();
    std::vector<std::byte> piece(std::size_t{1} << 20);
    for (std::uint64_t at = 0; at < file->size();) {
        ASSIGN_OR_RETURN(const std::size_t got, file->read(at, piece));
        if (got == 0) return fail(Errc::truncated, "became shorter while it was read", path);
        takeAll(hashers, got, [&](Hasher& hasher) { hasher.update(std::span(piece).first(got)); });
        at += got;
    }
    return finishAll(hashers);
}

}  // namespace icecore::app
