#include "debugger/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.h"

namespace icecore::debugger {

namespace {

/// Parentheses, brackets and unary operators inside one another.
constexpr int deepest = 64;

bool isNameStart(char c) {
    return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '?';
}
bool isNamePart(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '?' ||
           c == '~';
}
bool isModulePart(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '+' ||
           c == '-' || c == '$';
}

int digitValue(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return 99;
}

/// Digits of `radix` and back-ticks; nothing for no digit, a foreign one, or more than 64 bits.
std::optional<std::uint64_t> parseDigits(std::string_view digits, unsigned radix) {
    std::uint64_t value = 0;
    bool any = false;
    for (const char c : digits) {
        if (c == '`') continue;
        const int digit = digitValue(c);
        if (digit >= static_cast<int>(radix)) return std::nullopt;
        if (value > (UINT64_MAX - static_cast<std::uint64_t>(digit)) / radix) return std::nullopt;
        value = value * radix + static_cast<std::uint64_t>(digit);
        any = true;
    }
    return any ? std::optional(value) : std::nullopt;
}

struct BinaryOperator {
    std::string_view text;
    int strength;
    bool word;  ///< spelt with letters: must not run into a longer name
};

// Longer spellings before their prefixes.
constexpr std::array<BinaryOperator, 23> binaryOperators = {{
    {">>>", 5, false}, {"<<", 5, false}, {">>", 5, false}, {"==", 4, false}, {"!=", 4, false},
    {"<=", 4, false},  {">=", 4, false}, {"||", 1, false}, {"&&", 3, false}, {"<", 4, false},
    {">", 4, false},   {"=", 4, false},  {"|", 1, false},  {"^", 2, false},  {"&", 3, false},
    {"+", 6, false},   {"-", 6, false},  {"*", 7, false},  {"/", 7, false},  {"%", 7, false},
    {"and", 3, true},  {"xor", 2, true}, {"mod", 7, true},
}};
constexpr BinaryOperator orOperator = {"or", 1, true};

class Evaluation {
public:
    Evaluation(std::string_view text, const ExpressionScope& scope) : text_(text), scope_(scope) {}

    Result<std::uint64_t> run() { return binary(1, 0); }
    [[nodiscard]] std::string_view rest() {
        skipBlanks();
        return text_.substr(at_);
    }

private:
    void skipBlanks() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t'))
            ++at_;
    }
    [[nodiscard]] bool ended() const { return at_ >= text_.size(); }
    [[nodiscard]] char peek(std::size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }
    [[nodiscard]] std::unexpected<Error> syntaxError() const {
        const std::string_view here = text_.substr(std::min(at_, text_.size()));
        return fail(Errc::usage, here.empty() ? fmt::format("Syntax error at end of '{}'", text_)
                                              : fmt::format("Syntax error at '{}'", here));
    }

    /// The operator that stands here, or null; does not move.
    [[nodiscard]] const BinaryOperator* operatorHere() const {
        const std::string_view here = text_.substr(at_);
        const auto matches = [&](const BinaryOperator& op) {
            if (here.size() < op.text.size()) return false;
            if (!equalsIgnoreCase(here.substr(0, op.text.size()), op.text)) return false;
            return !op.word || here.size() == op.text.size() || !isNamePart(here[op.text.size()]);
        };
        for (const BinaryOperator& op : binaryOperators) {
            if (matches(op)) return &op;
        }
        return matches(orOperator) ? &orOperator : nullptr;
    }

    Result<std::uint64_t> binary(int strength, int depth) {
        ASSIGN_OR_RETURN(std::uint64_t left, unary(depth));
        while (true) {
            const std::size_t before = at_;
            skipBlanks();
            const BinaryOperator* op = ended() ? nullptr : operatorHere();
            if (op == nullptr || op->strength < strength) {
                at_ = before;
                return left;
            }
            at_ += op->text.size();
            ASSIGN_OR_RETURN(const std::uint64_t right, binary(op->strength + 1, depth));
            ASSIGN_OR_RETURN(left, apply(*op, left, right));
        }
    }

    static Result<std::uint64_t> apply(const BinaryOperator& op, std::uint64_t a, std::uint64_t b) {
        const std::string_view text = op.text;
        if (text == "+") return a + b;
        if (text == "-") return a - b;
        if (text == "*") return a * b;
        if (text == "/" || text == "%" || text == "mod") {
            if (b == 0) return fail(Errc::usage, "Divide by zero");
            return text == "/" ? a / b : a % b;
        }
        if (text == "<<") return b < 64 ? a << b : 0;
        if (text == ">>") return b < 64 ? a >> b : 0;
        if (text == ">>>") {  // arithmetic: the sign bit comes in from above
            const auto value = static_cast<std::int64_t>(a);
            return static_cast<std::uint64_t>(value >> std::min<std::uint64_t>(b, 63));
        }
        if (text == "&" || text == "and") return a & b;
        if (text == "|" || text == "or") return a | b;
        if (text == "^" || text == "xor") return a ^ b;
        if (text == "&&") return std::uint64_t{a != 0 && b != 0};
        if (text == "||") return std::uint64_t{a != 0 || b != 0};
        if (text == "==" || text == "=") return std::uint64_t{a == b};
        if (text == "!=") return std::uint64_t{a != b};
        if (text == "<") return std::uint64_t{a < b};
        if (text == ">") return std::uint64_t{a > b};
        if (text == "<=") return std::uint64_t{a <= b};
        return std::uint64_t{a >= b};
    }

    Result<std::uint64_t> unary(int depth) {
        if (depth > deepest) return fail(Errc::limit, "the expression is nested too deeply");
        skipBlanks();
        if (ended()) return syntaxError();
        const char c = peek();
        if (c == '-' || c == '+' || c == '~' || (c == '!' && peek(1) != '=')) {
            ++at_;
            ASSIGN_OR_RETURN(const std::uint64_t value, unary(depth + 1));
            if (c == '-') return 0 - value;
            if (c == '~') return ~value;
            if (c == '!') return std::uint64_t{value == 0};
            return value;
        }
        if (c == '(' || c == '[') {
            ++at_;
            ASSIGN_OR_RETURN(const std::uint64_t value, binary(1, depth + 1));
            skipBlanks();
            if (peek() != (c == '(' ? ')' : ']')) return syntaxError();
            ++at_;
            return value;
        }
        if (c == '\'') return characters();
        if (c == '@') return explicitName();
        if (c == '.' && !isNamePart(peek(1))) {
            ++at_;
            return knownRegister("$ip");
        }
        return word(depth);
    }

    /// 'abc': the characters' codes, the first one highest.
    Result<std::uint64_t> characters() {
        const std::size_t close = text_.find('\'', at_ + 1);
        if (close == std::string_view::npos || close == at_ + 1 || close - at_ > 9)
            return syntaxError();
        std::uint64_t value = 0;
        for (std::size_t i = at_ + 1; i < close; ++i)
            value = value << 8U | static_cast<unsigned char>(text_[i]);
        at_ = close + 1;
        return value;
    }

    /// After `@`: a register, @!"a symbol of any spelling", or an expression of another language.
    Result<std::uint64_t> explicitName() {
        ++at_;
        if (peek() == '@') return inLanguage();
        if (peek() == '!' && peek(1) == '"') {
            const std::size_t close = text_.find('"', at_ + 2);
            if (close == std::string_view::npos) return syntaxError();
            const std::string_view name = text_.substr(at_ + 2, close - at_ - 2);
            at_ = close + 1;
            return scope_.symbolValue(name);
        }
        const std::string_view name = takeName();
        if (name.empty()) return syntaxError();
        return knownRegister(name);
    }

    /// `@@c++(…)` and `@@(…)`, the other language; `@@masm(…)`, this one.
    Result<std::uint64_t> inLanguage() {
        ++at_;
        const std::size_t open = text_.find('(', at_);
        if (open == std::string_view::npos) return syntaxError();
        const std::string_view language = text_.substr(at_, open - at_);
        const bool own = equalsIgnoreCase(language, "masm");
        if (!own && !language.empty() && !equalsIgnoreCase(language, "c++")) return syntaxError();
        std::size_t close = open + 1;
        for (int depth = 1; close < text_.size(); ++close) {
            depth += text_[close] == '(' ? 1 : text_[close] == ')' ? -1 : 0;
            if (depth == 0) break;
        }
        if (close == text_.size()) return syntaxError();
        const std::string_view inside = text_.substr(open + 1, close - open - 1);
        if (inside.find("@@") != std::string_view::npos)
            return fail(Errc::usage, "the languages of expressions do not nest");
        at_ = close + 1;
        return own ? evaluate(inside, scope_) : scope_.cppValue(inside);
    }

    [[nodiscard]] Result<std::uint64_t> knownRegister(std::string_view name) const {
        if (const auto value = scope_.registerValue(name)) return *value;
        return fail(Errc::not_found, fmt::format("Bad register error at '@{}'", name));
    }

    std::string_view takeName() {
        const std::size_t begin = at_;
        while (isNamePart(peek()))
            ++at_;
        return text_.substr(begin, at_ - begin);
    }

    /// "module!name" here, when what stands before the '!' is a module; moves past it. Module names
    /// of ELF systems hold '-' and '+', so that only the list of modules can tell a name from a
    /// sum.
    std::optional<std::string_view> takeQualified() {
        std::size_t bang = at_;
        while (bang < text_.size() && isModulePart(text_[bang]))
            ++bang;
        if (bang == at_ || bang >= text_.size() || text_[bang] != '!') return std::nullopt;
        if (bang + 1 < text_.size() && text_[bang + 1] == '=') return std::nullopt;
        if (!scope_.isModule(text_.substr(at_, bang - at_))) return std::nullopt;
        const std::size_t begin = at_;
        at_ = bang + 1;
        takeSymbolName();
        return text_.substr(begin, at_ - begin);
    }

    /// A symbol's name: words, "::", '.' of compiler-made clones, '@' of versions.
    void takeSymbolName() {
        while (!ended()) {
            if (isNamePart(peek())) {
                ++at_;
            } else if (peek() == ':' && peek(1) == ':') {
                at_ += 2;
            } else if ((peek() == '.' || peek() == '@') && isNamePart(peek(1))) {
                ++at_;
            } else {
                return;
            }
        }
    }

    Result<std::uint64_t> word(int depth) {
        if (const auto qualified = takeQualified()) return scope_.symbolValue(*qualified);
        const std::size_t begin = at_;
        while (isNamePart(peek()) || peek() == '`')
            ++at_;
        const std::string_view text = text_.substr(begin, at_ - begin);
        if (text.empty()) return syntaxError();
        if (const auto number = parseMasmNumber(text, scope_.radix())) return *number;
        if (!isNameStart(text.front())) {
            at_ = begin;
            return fail(Errc::usage,
                        fmt::format("Numeric expression missing from '{}'", text_.substr(begin)));
        }
        if (const std::size_t size = readSize(text); size != 0 && nextIsOperand()) {
            ASSIGN_OR_RETURN(const std::uint64_t address, unary(depth + 1));
            return scope_.readMemory(address, size);
        }
        if (isWordOperator(text) && nextIsOperand()) {
            ASSIGN_OR_RETURN(const std::uint64_t value, unary(depth + 1));
            if (equalsIgnoreCase(text, "not")) return std::uint64_t{value == 0};
            if (equalsIgnoreCase(text, "hi")) return value >> 16U & 0xffffU;
            return value & 0xffffU;
        }
        if (text.front() == '$' && peek() == '(') return function(text, depth);
        if (const auto value = scope_.registerValue(text)) return *value;
        at_ = begin;
        takeSymbolName();
        std::string_view name = text_.substr(begin, at_ - begin);
        if (peek() == '!') {  // a module nobody knows: let the scope say so
            ++at_;
            takeSymbolName();
            name = text_.substr(begin, at_ - begin);
        }
        return scope_.symbolValue(name);
    }

    /// `$scmp("a", "b")` and `$sicmp` (as strcmp: -1, 0, 1), `$spat("text", "pattern")`,
    /// `$vvalid(ADDRESS, LENGTH)`, `$iment(MODULE)`.
    Result<std::uint64_t> function(std::string_view name, int depth) {
        ++at_;
        Result<std::uint64_t> value = std::uint64_t{0};
        if (equalsIgnoreCase(name, "$vvalid")) {
            value = validMemory(depth);
        } else if (equalsIgnoreCase(name, "$iment")) {
            value = entryOf(depth);
        } else {
            ASSIGN_OR_RETURN(const std::string_view first, takeQuoted());
            TRY(takeCharacter(','));
            ASSIGN_OR_RETURN(const std::string_view second, takeQuoted());
            value = compareTexts(name, first, second);
        }
        if (value) TRY(takeCharacter(')'));
        return value;
    }

    Result<std::uint64_t> compareTexts(std::string_view name, std::string_view first,
                                       std::string_view second) const {
        if (equalsIgnoreCase(name, "$spat"))
            return std::uint64_t{matchesWildcard(toLower(first), toLower(second))};
        int order = 0;
        if (equalsIgnoreCase(name, "$sicmp"))
            order = toLower(first).compare(toLower(second));
        else if (equalsIgnoreCase(name, "$scmp"))
            order = first.compare(second);
        else
            return syntaxError();
        return static_cast<std::uint64_t>(std::int64_t{order < 0 ? -1 : order > 0 ? 1 : 0});
    }

    /// Whether all of a range is in the dump: a byte of each page is asked for.
    Result<std::uint64_t> validMemory(int depth) {
        constexpr std::uint64_t page = 4096, longest = std::uint64_t{1} << 30U;
        ASSIGN_OR_RETURN(const std::uint64_t address, binary(1, depth + 1));
        TRY(takeCharacter(','));
        ASSIGN_OR_RETURN(const std::uint64_t length, binary(1, depth + 1));
        if (length == 0 || length > longest || address + length < address) return std::uint64_t{0};
        for (std::uint64_t at = address; at < address + length; at = (at / page + 1) * page) {
            if (!scope_.readMemory(at, 1)) return std::uint64_t{0};
        }
        return std::uint64_t{scope_.readMemory(address + length - 1, 1).has_value()};
    }

    /// AddressOfEntryPoint of a PE image's headers in memory.
    Result<std::uint64_t> entryOf(int depth) {
        constexpr std::uint64_t headers = 0x3c, entry = 0x28;
        ASSIGN_OR_RETURN(const std::uint64_t base, binary(1, depth + 1));
        ASSIGN_OR_RETURN(const std::uint64_t offset, scope_.readMemory(base + headers, 4));
        ASSIGN_OR_RETURN(const std::uint64_t start, scope_.readMemory(base + offset + entry, 4));
        return base + start;
    }

    Result<std::string_view> takeQuoted() {
        TRY(takeCharacter('"'));
        const std::size_t close = text_.find('"', at_);
        if (close == std::string_view::npos) return syntaxError();
        const std::string_view inside = text_.substr(at_, close - at_);
        at_ = close + 1;
        return inside;
    }

    Result<void> takeCharacter(char c) {
        skipBlanks();
        if (peek() != c) return syntaxError();
        ++at_;
        return {};
    }

    [[nodiscard]] std::size_t readSize(std::string_view text) const {
        if (equalsIgnoreCase(text, "poi")) return scope_.pointerSize();
        if (equalsIgnoreCase(text, "qwo")) return 8;
        if (equalsIgnoreCase(text, "dwo")) return 4;
        if (equalsIgnoreCase(text, "wo")) return 2;
        if (equalsIgnoreCase(text, "by")) return 1;
        return 0;
    }
    static bool isWordOperator(std::string_view text) {
        return equalsIgnoreCase(text, "not") || equalsIgnoreCase(text, "hi") ||
               equalsIgnoreCase(text, "low");
    }
    [[nodiscard]] bool nextIsOperand() const {
        std::size_t next = at_;
        while (next < text_.size() && (text_[next] == ' ' || text_[next] == '\t'))
            ++next;
        if (next >= text_.size()) return false;
        const char c = text_[next];
        return c == '(' || c == '[' || c == '@' || c == '.' ||
               (next > at_ && (isNamePart(c) || c == '-'));
    }

    std::string_view text_;
    const ExpressionScope& scope_;
    std::size_t at_ = 0;
};

}  // namespace

Result<std::uint64_t> ExpressionScope::cppValue(std::string_view) const {
    return fail(Errc::unsupported, "expressions of C++ are not known here");
}

std::optional<std::uint64_t> parseMasmNumber(std::string_view word, unsigned radix) {
    if (word.size() > 2 && word[0] == '0') {
        const std::string_view digits = word.substr(2);
        switch (word[1]) {
        case 'x':
        case 'X': return parseDigits(digits, 16);
        case 'n':
        case 'N': return parseDigits(digits, 10);
        case 't':
        case 'T': return parseDigits(digits, 8);
        case 'y':
        case 'Y': return parseDigits(digits, 2);
        default: break;
        }
    }
    if (word.size() > 1 && (word.back() == 'h' || word.back() == 'H')) {
        return parseDigits(word.substr(0, word.size() - 1), 16);
    }
    return parseDigits(word, radix);
}

Result<Evaluated> evaluatePrefix(std::string_view text, const ExpressionScope& scope) {
    Evaluation evaluation(text, scope);
    ASSIGN_OR_RETURN(const std::uint64_t value, evaluation.run());
    return Evaluated{value, evaluation.rest()};
}

Result<std::uint64_t> evaluate(std::string_view text, const ExpressionScope& scope) {
    ASSIGN_OR_RETURN(const Evaluated evaluated, evaluatePrefix(text, scope));
    if (!evaluated.rest.empty()) {
        return fail(Errc::usage, fmt::format("Extra character error in '{}'", evaluated.rest));
    }
    return evaluated.value;
}

}  // namespace icecore::debugger
