#include "formats/elfcore/core_arguments.h"

#include <algorithm>

#include "bytes/elf_layout.h"

namespace icecore::elfcore {

namespace {

/// The vector lies below the strings (up to 6 MiB of them) and AT_RANDOM's bytes; it is looked for
/// in the words right below those, which are few.
constexpr std::uint64_t searched = std::uint64_t{64} << 10;
constexpr std::size_t maxPointers = 65536;
constexpr std::size_t maxText = std::size_t{4} << 20;  ///< bytes of all arguments together

class StackReader {
public:
    explicit StackReader(const Process& process)
        : process_(process), wordSize_(archInfo(process.system.arch).pointerSize) {}

    /// Address of the auxiliary vector, searched downwards from AT_RANDOM's bytes.
    [[nodiscard]] std::optional<std::uint64_t> findVector() const {
        const auto random = process_.auxvValue(elf::auxRandom);
        if (!random || process_.auxv.size() < 4) return std::nullopt;
        const std::uint64_t vectorSize = process_.auxv.size() * 2 * wordSize_;
        const std::uint64_t top = *random & ~std::uint64_t{15};
        for (std::uint64_t at = top; at > vectorSize && top - at < searched; at -= wordSize_) {
            if (isVector(at - vectorSize)) return at - vectorSize;
        }
        return std::nullopt;
    }

    /// Pointers below `end`, downwards to a NULL; `end` becomes the address of that NULL.
    [[nodiscard]] std::optional<std::vector<std::uint64_t>> pointersBelow(
        std::uint64_t& end) const {
        std::vector<std::uint64_t> pointers;
        while (pointers.size() < maxPointers && end > wordSize_) {
            end -= wordSize_;
            const auto value = process_.memory->readPointer(end, wordSize_);
            if (!value) return std::nullopt;
            // Nothing lies in the first page: this is the number of arguments, or the NULL.
            if (*value < 65536) {
                lastWord_ = *value;
                std::ranges::reverse(pointers);
                return pointers;
            }
            pointers.push_back(*value);
        }
        return std::nullopt;
    }
    [[nodiscard]] std::uint64_t lastWord() const { return lastWord_; }

    [[nodiscard]] std::vector<std::string> texts(const std::vector<std::uint64_t>& pointers) const {
        std::vector<std::string> result;
        std::size_t total = 0;
        for (const std::uint64_t pointer : pointers) {
            auto text = process_.memory->readCString(pointer, std::size_t{128} << 10);
            if (!text || total + text->size() > maxText) break;
            total += text->size();
            result.push_back(std::move(*text));
        }
        return result;
    }

    [[nodiscard]] std::size_t wordSize() const { return wordSize_; }

private:
    [[nodiscard]] bool isVector(std::uint64_t at) const {
        for (const auto& [type, value] : process_.auxv) {
            if (process_.memory->readPointer(at, wordSize_) != type ||
                process_.memory->readPointer(at + wordSize_, wordSize_) != value)
                return false;
            at += 2 * wordSize_;
        }
        return true;
    }

    const Process& process_;
    std::size_t wordSize_;
    mutable std::uint64_t lastWord_ = 0;
};

}  // namespace

void readArguments(Process& process) {
    const StackReader stack(process);
    const auto vector = stack.findVector();
    if (!vector) return;
    // NULL | envp … | NULL | argv … | argc, upwards; the vector follows the NULL behind envp.
    std::uint64_t end = *vector - stack.wordSize();
    if (process.memory->readPointer(end, stack.wordSize()) != 0) return;
    const auto environment = stack.pointersBelow(end);
    if (!environment || stack.lastWord() != 0) return;
    const auto arguments = stack.pointersBelow(end);
    if (!arguments || stack.lastWord() != arguments->size()) return;
    process.commandLine = stack.texts(*arguments);
    if (process.environment.empty()) process.environment = stack.texts(*environment);
}

}  // namespace icecore::elfcore
