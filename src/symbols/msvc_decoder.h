// Decodes one name that Microsoft's compilers mangled.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace icecore::msvc {

/// Reads a mangled name front to back. Any contradiction sets `bad_`, and nothing is believed.
/// Names are in msvc_decoder.cpp, types in msvc_decoder_types.cpp.
class Decoder {
public:
    explicit Decoder(std::string_view text) : rest_(text) {}

    /// The qualified name; nothing when it cannot be decoded.
    std::optional<std::string> run();

private:
    static constexpr int deepest = 64;
    static constexpr std::size_t longest = 16U << 10;

    bool take(std::string_view prefix) {
        if (!rest_.starts_with(prefix)) return false;
        rest_.remove_prefix(prefix.size());
        return true;
    }
    [[nodiscard]] char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
    std::string fail() {
        bad_ = true;
        rest_ = {};
        return {};
    }
    /// Back-references can double a name at every step: what it may come to is bounded.
    std::string checked(std::string text) {
        return text.size() > longest ? fail() : std::move(text);
    }
    std::string identifier();
    void remember(const std::string& name);
    std::string backReference(const std::vector<std::string>& list);
    static bool isDigit(char c) { return c >= '0' && c <= '9'; }
    /// Digits stand for 1 to 10, anything else is hexadecimal with the letters A to P.
    std::string number();
    /// "?$name@arguments@", behind the "?$". Names inside are counted on their own.
    std::string templateName();
    std::string special();
    /// One part of a scope, or nothing at the closing '@'.
    std::string scopePart();
    std::string enclosing();
    /// The rest of a function's mangling, up to the '@' or 'Z' that ends it: read for its length.
    void functionEnd();
    void qualifiers();
    std::string functionType();
    /// Types up to `end`, separated by commas.
    std::string typeList(char end, bool isTemplate);
    std::string templateArgument();
    std::string fullName();
    std::string pointee(std::string_view mark, bool constPointer);
    std::string type();
    std::string typeBody();
    std::string qualifiedName();
    /// "List" of "ns::List<int>".
    static std::string lastPart(const std::string& scope);

    std::string_view rest_;
    std::vector<std::string> names_, types_;
    int depth_ = 0;
    bool bad_ = false;
};

}  // namespace icecore::msvc
