// Statements about objects, as AFF4's information.turtle makes them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "bytes/byte_view.h"

namespace icecore::aff4 {

/// The object of a statement: a URI, or text with the URI of its type ("" where it has none).
struct Node {
    std::string value, type;
    bool uri = false;
    bool operator==(const Node&) const = default;
};

/// What is said of each subject. Predicates and types of AFF4's own namespaces (the standard's, the
/// older afflib.org's) are shortened to "aff4:…", so that readers need not care which one it was.
class Graph {
public:
    using Statements = std::multimap<std::string, Node, std::less<>>;
    void add(std::string subject, std::string predicate, Node object);
    /// Takes over everything that another graph says.
    void merge(const Graph& other);

    [[nodiscard]] const std::map<std::string, Statements, std::less<>>& subjects() const {
        return subjects_;
    }
    /// The first of several objects, or nothing.
    [[nodiscard]] std::optional<Node> one(std::string_view subject,
                                          std::string_view predicate) const;
    [[nodiscard]] std::vector<Node> all(std::string_view subject, std::string_view predicate) const;
    /// Whether it is said to be of such a type ("aff4:Map"), whatever the case of its letters.
    [[nodiscard]] bool isA(std::string_view subject, std::string_view type) const;
    [[nodiscard]] std::optional<std::uint64_t> number(std::string_view subject,
                                                      std::string_view predicate) const;

private:
    std::map<std::string, Statements, std::less<>> subjects_;
};

/// AFF4's URIs as the graph spells them: "http://aff4.org/Schema#Zero" is "aff4:Zero".
std::string shortened(std::string_view uri);

/// Source: W3C's "RDF 1.1 Turtle", of which @prefix, @base, a, lists with ; and , literals with
/// types and languages, numbers and booleans are read; collections and anonymous nodes are not,
/// which AFF4 never writes.
Result<Graph> parseTurtle(ByteView text);

}  // namespace icecore::aff4
