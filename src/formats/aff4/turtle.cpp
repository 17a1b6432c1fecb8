#include "formats/aff4/turtle.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace icecore::aff4 {

namespace {

/// A graph that says more is no image's.
constexpr std::size_t maxStatements = 1'000'000;
constexpr std::string_view rdfType = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type";
constexpr std::array<std::string_view, 4> namespaces = {
    "http://aff4.org/Schema#", "http://afflib.org/2009/aff4#", "http://afflib.org/2012/",
    "https://aff4.org/Schema#"};

class Parser {
public:
    explicit Parser(ByteView text)
        : origin_(text), text_(reinterpret_cast<const char*>(text.data()), text.size()) {}

    Result<Graph> run() {
        if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
        for (skipBlanks(); at_ < text_.size(); skipBlanks()) {
            if (text_[at_] == '@' || startsWithWord("PREFIX") || startsWithWord("BASE"))
                TRY(directive());
            else
                TRY(statements());
        }
        return std::move(graph_);
    }

private:
    [[nodiscard]] std::unexpected<Error> bad(std::string_view what) const {
        return fail(Errc::malformed, "the image's description: " + std::string(what),
                    origin_.where(at_));
    }
    [[nodiscard]] bool startsWithWord(std::string_view word) const {
        return equalsIgnoreCase(text_.substr(at_, word.size()), word) &&
               at_ + word.size() < text_.size() && isBlank(text_[at_ + word.size()]);
    }
    static bool isBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
    void skipBlanks() {
        while (at_ < text_.size()) {
            if (text_[at_] == '#') {
                at_ = std::min(text_.find('\n', at_), text_.size());
            } else if (isBlank(text_[at_]) || text_[at_] == '\0') {
                ++at_;
            } else {
                return;
            }
        }
    }
    bool take(char c) {
        skipBlanks();
        if (at_ >= text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    /// Up to a blank or a sign that ends a name.
    std::string_view word() {
        const std::size_t begin = at_;
        while (at_ < text_.size() && !isBlank(text_[at_]) &&
               std::string_view(";,<>\"'()[]").find(text_[at_]) == std::string_view::npos)
            ++at_;
        // A full stop ends a statement, and is part of names otherwise.
        while (at_ > begin && text_[at_ - 1] == '.')
            --at_;
        return text_.substr(begin, at_ - begin);
    }

    Result<void> directive() {
        const bool dotted = text_[at_] == '@';
        const std::string kind = toLower(dotted ? word().substr(1) : word());
        skipBlanks();
        if (kind == "prefix") {
            const std::string_view name = word();
            if (!name.ends_with(':')) return bad("a prefix without a colon");
            skipBlanks();
            ASSIGN_OR_RETURN(const std::string uri, reference());
            prefixes_[std::string(name.substr(0, name.size() - 1))] = uri;
        } else if (kind == "base") {
            ASSIGN_OR_RETURN(base_, reference());
        } else {
            return bad("an unknown directive");
        }
        if (dotted && !take('.')) return bad("a directive that does not end");
        return {};
    }

    Result<void> statements() {
        ASSIGN_OR_RETURN(const Node subject, node());
        if (!subject.uri) return bad("a subject that is no URI");
        for (;;) {
            skipBlanks();
            ASSIGN_OR_RETURN(const std::string predicate, verb());
            do {
                skipBlanks();
                ASSIGN_OR_RETURN(Node object, node());
                if (++count_ > maxStatements) return bad("more statements than any image has");
                graph_.add(subject.value, predicate, std::move(object));
            } while (take(','));
            bool more = false;
            while (take(';'))
                more = true;
            if (take('.')) return {};
            if (!more) return bad("a statement that does not end");
        }
    }

    Result<std::string> verb() {
        if (at_ < text_.size() && text_[at_] == 'a' &&
            (at_ + 1 == text_.size() || isBlank(text_[at_ + 1]) || text_[at_ + 1] == '<')) {
            ++at_;
            return std::string(rdfType);
        }
        ASSIGN_OR_RETURN(const Node named, node());
        if (!named.uri) return bad("a predicate that is no URI");
        return named.value;
    }

    Result<Node> node() {
        skipBlanks();
        if (at_ >= text_.size()) return bad("ends in the middle of a statement");
        const char c = text_[at_];
        if (c == '<') {
            ASSIGN_OR_RETURN(const std::string uri, reference());
            return Node{shortened(uri), {}, true};
        }
        if (c == '"' || c == '\'') return literal(c);
        const std::string_view name = word();
        if (name.empty()) return bad("something that is neither name nor value");
        const std::size_t colon = name.find(':');
        if (colon == std::string_view::npos) return Node{std::string(name), {}, false};
        return prefixed(name, colon);
    }
    Result<Node> prefixed(std::string_view name, std::size_t colon) {
        const auto known = prefixes_.find(name.substr(0, colon));
        if (known == prefixes_.end()) {
            if (name.starts_with("_:")) return Node{std::string(name), {}, true};
            return bad("the prefix `" + printable(name.substr(0, colon)) + "` is not known");
        }
        return Node{shortened(known->second + std::string(name.substr(colon + 1))), {}, true};
    }

    /// <URI>
    Result<std::string> reference() {
        if (at_ >= text_.size() || text_[at_] != '<') return bad("a URI should stand here");
        const std::size_t end = text_.find('>', at_);
        if (end == std::string_view::npos) return bad("a URI that does not end");
        std::string uri(text_.substr(at_ + 1, end - at_ - 1));
        at_ = end + 1;
        return uri.find(':') == std::string::npos ? base_ + uri : uri;
    }

    Result<Node> literal(char quote) {
        const std::string three(3, quote);
        const bool longForm = text_.substr(at_, 3) == three;
        const std::string_view end =
            longForm ? std::string_view(three) : std::string_view(three).substr(0, 1);
        at_ += end.size();
        Node result;
        while (text_.substr(at_, end.size()) != end) {
            if (at_ >= text_.size()) return bad("a text that does not end");
            if (text_[at_] == '\\')
                TRY(escape(result.value));
            else
                result.value += text_[at_++];
        }
        at_ += end.size();
        if (text_.substr(at_, 2) == "^^") {
            at_ += 2;
            ASSIGN_OR_RETURN(const Node type, node());
            result.type = type.value;
        } else if (at_ < text_.size() && text_[at_] == '@') {
            (void)word();  // a language
        }
        return result;
    }
    Result<void> escape(std::string& out) {
        if (at_ + 1 >= text_.size()) return bad("a text that does not end");
        const char c = text_[at_ + 1];
        at_ += 2;
        switch (c) {
        case 'n': out += '\n'; return {};
        case 'r': out += '\r'; return {};
        case 't': out += '\t'; return {};
        case 'u': {
            const auto code = parseHex(text_.substr(at_, 4));
            if (!code || at_ + 4 > text_.size()) return bad("a damaged escape");
            at_ += 4;
            out += utf16ToUtf8(std::u16string(1, static_cast<char16_t>(*code)));
            return {};
        }
        default: out += c; return {};
        }
    }

    ByteView origin_;
    std::string_view text_;
    std::size_t at_ = 0, count_ = 0;
    std::string base_;
    std::map<std::string, std::string, std::less<>> prefixes_;
    Graph graph_;
};

}  // namespace

std::string shortened(std::string_view uri) {
    for (const std::string_view prefix : namespaces) {
        if (uri.starts_with(prefix)) return "aff4:" + std::string(uri.substr(prefix.size()));
    }
    return std::string(uri);
}

void Graph::add(std::string subject, std::string predicate, Node object) {
    subjects_[std::move(subject)].emplace(std::move(predicate), std::move(object));
}

void Graph::merge(const Graph& other) {
    for (const auto& [subject, statements] : other.subjects_)
        subjects_[subject].insert(statements.begin(), statements.end());
}

std::optional<Node> Graph::one(std::string_view subject, std::string_view predicate) const {
    const auto found = subjects_.find(subject);
    if (found == subjects_.end()) return std::nullopt;
    const auto statement = found->second.find(predicate);
    if (statement == found->second.end()) return std::nullopt;
    return statement->second;
}

std::vector<Node> Graph::all(std::string_view subject, std::string_view predicate) const {
    std::vector<Node> nodes;
    const auto found = subjects_.find(subject);
    if (found == subjects_.end()) return nodes;
    const auto [first, last] = found->second.equal_range(predicate);
    for (auto one = first; one != last; ++one)
        nodes.push_back(one->second);
    return nodes;
}

bool Graph::isA(std::string_view subject, std::string_view type) const {
    return std::ranges::any_of(all(subject, rdfType), [&](const Node& node) {
        return node.uri && equalsIgnoreCase(node.value, type);
    });
}

std::optional<std::uint64_t> Graph::number(std::string_view subject,
                                           std::string_view predicate) const {
    const auto node = one(subject, predicate);
    return node ? parseDecimal(node->value) : std::nullopt;
}

Result<Graph> parseTurtle(ByteView text) {
    return Parser(text).run();
}

}  // namespace icecore::aff4
