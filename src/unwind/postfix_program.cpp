#include "unwind/postfix_program.h"

#include "base/text.h"

namespace icecore {

namespace {

constexpr std::size_t mostWords = 1000, deepestStack = 64;

/// "12", "-8"; nothing for anything else.
std::optional<std::uint64_t> numberOf(std::string_view word) {
    const bool negative = word.size() > 1 && word.front() == '-';
    const auto magnitude = parseDecimal(negative ? word.substr(1) : word);
    if (!magnitude) return std::nullopt;
    return negative ? 0 - *magnitude : *magnitude;
}

/// Nothing for divisions by zero and unknown operators.
std::optional<std::uint64_t> apply(char op, std::uint64_t a, std::uint64_t b) {
    switch (op) {
    case '+': return a + b;
    case '-': return a - b;
    case '*': return a * b;
    case '/': return b != 0 ? std::optional(a / b) : std::nullopt;
    case '%': return b != 0 ? std::optional(a % b) : std::nullopt;
    case '@': return b != 0 ? std::optional(a - a % b) : std::nullopt;
    default: return std::nullopt;
    }
}

}  // namespace

void PostfixProgram::set(std::string_view name, std::uint64_t value) {
    variables_.insert_or_assign(std::string(name), narrow(value));
}

std::optional<std::uint64_t> PostfixProgram::get(std::string_view name) const {
    const auto found = variables_.find(name);
    return found != variables_.end() ? std::optional(found->second) : std::nullopt;
}

std::uint64_t PostfixProgram::narrow(std::uint64_t value) const {
    return archInfo(arch_).pointerSize == 4 ? value & UINT32_MAX : value;
}

std::optional<std::uint64_t> PostfixProgram::valueOf(const Item& item) const {
    return item.value ? item.value : get(item.name);
}

bool PostfixProgram::execute(std::string_view program, std::vector<Item>& stack) {
    const auto words = splitBlanks(program);
    if (words.size() > mostWords) return false;
    for (const std::string_view word : words) {
        if (stack.size() > deepestStack) return false;
        if (word == "=") {
            if (stack.size() < 2) return false;
            const auto value = valueOf(stack.back());
            const std::string_view name = stack[stack.size() - 2].name;
            if (!value || name.empty()) return false;
            set(name, *value);
            stack.resize(stack.size() - 2);
        } else if (word == "^") {
            const auto address = stack.empty() ? std::nullopt : valueOf(stack.back());
            if (!address) return false;
            const auto loaded = walk_.word(*address, arch_);
            if (!loaded) {
                unreadable_ = address;
                return false;
            }
            stack.back() = {loaded, {}};
        } else if (word.size() == 1 && std::string_view("+-*/%@").contains(word.front())) {
            if (stack.size() < 2) return false;
            const auto right = valueOf(stack.back());
            const auto left = valueOf(stack[stack.size() - 2]);
            const auto result = left && right ? apply(word.front(), *left, *right) : std::nullopt;
            if (!result) return false;
            stack.pop_back();
            stack.back() = {narrow(*result), {}};
        } else if (const auto number = numberOf(word)) {
            stack.push_back({narrow(*number), {}});
        } else {
            stack.push_back({std::nullopt, word});
        }
    }
    return true;
}

bool PostfixProgram::run(std::string_view program) {
    std::vector<Item> stack;
    return execute(program, stack) && stack.empty();
}

std::optional<std::uint64_t> PostfixProgram::evaluate(std::string_view expression) {
    std::vector<Item> stack;
    if (!execute(expression, stack) || stack.size() != 1) return std::nullopt;
    return valueOf(stack.back());
}

}  // namespace icecore
