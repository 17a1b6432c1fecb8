// Many threads with deep, much inlined C++ stacks: what the benchmark of reading stacks dumps.
//
//   bench_stacks THREADS
//
// Every thread evaluates an expression tree of its own shape and stops in its deepest leaf, named
// bench_leaf. Prints "ready" when all of them are there, and waits for the end of standard input.

#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <variant>
#include <vector>

namespace formula {

std::latch* arrived = nullptr;

__attribute__((noinline)) double bench_leaf(double value) {
    arrived->count_down();
    for (;;)
        pause();
    return value;
}

template <class T>
__attribute__((always_inline)) inline T clampTo(T value, T low, T high) {
    return value < low ? low : value > high ? high : value;
}

struct Node {
    virtual ~Node() = default;
    virtual double evaluate(double x) const = 0;
};
using NodePointer = std::unique_ptr<Node>;

struct Leaf final : Node {
    double evaluate(double x) const override { return bench_leaf(clampTo(x, -1e9, 1e9)); }
};

template <class Operation>
struct Unary final : Node {
    explicit Unary(NodePointer child) : child_(std::move(child)) {}
    __attribute__((always_inline)) inline double inner(double x) const {
        return child_->evaluate(x * 0.5);
    }
    double evaluate(double x) const override { return Operation()(clampTo(inner(x), -1e6, 1e6)); }

private:
    NodePointer child_;
};

/// Through std::function and a lambda.
struct Deferred final : Node {
    explicit Deferred(NodePointer child)
        : function_([child = std::shared_ptr<Node>(std::move(child))](double x) {
              return child->evaluate(x + 1) + 1;
          }) {}
    double evaluate(double x) const override { return function_(x) * 2; }

private:
    std::function<double(double)> function_;
};

/// Through the standard library: the comparison of a sort evaluates.
struct Sorted final : Node {
    explicit Sorted(NodePointer child) : child_(std::move(child)) {}
    double evaluate(double x) const override {
        std::array<double, 20> values{};
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = x - static_cast<double>(i);
        std::sort(values.begin(), values.end(),
                  [this](double a, double b) { return child_->evaluate(a) < child_->evaluate(b); });
        return values[0];
    }

private:
    NodePointer child_;
};

/// Through std::visit.
struct Either final : Node {
    explicit Either(NodePointer child) : choice_(std::move(child)) {}
    double evaluate(double x) const override {
        return std::visit([x](const auto& choice) { return take(choice, x); }, choice_) + 3;
    }

private:
    static double take(double value, double) { return value; }
    static double take(const NodePointer& node, double x) { return node->evaluate(x) - 1; }
    std::variant<double, NodePointer> choice_;
};

NodePointer grow(int depth, int seed) {
    NodePointer node = std::make_unique<Leaf>();
    for (int i = 0; i < depth; ++i) {
        switch ((seed + i) % 5) {
        case 0: node = std::make_unique<Unary<std::negate<>>>(std::move(node)); break;
        case 1: node = std::make_unique<Deferred>(std::move(node)); break;
        case 2: node = std::make_unique<Sorted>(std::move(node)); break;
        case 3: node = std::make_unique<Either>(std::move(node)); break;
        default: node = std::make_unique<Unary<std::identity>>(std::move(node)); break;
        }
    }
    return node;
}

void work(int number) {
    pthread_setname_np(pthread_self(), ("worker-" + std::to_string(number)).c_str());
    const NodePointer tree = grow(8 + number % 17, number);
    std::cout << tree->evaluate(number) << '\n';
}

}  // namespace formula

int main(int argc, char** argv) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    const int count = argc > 1 ? std::atoi(argv[1]) : 100;
    std::latch arrived(count);
    formula::arrived = &arrived;
    std::vector<std::jthread> threads;
    for (int i = 0; i < count; ++i)
        threads.emplace_back(formula::work, i);
    arrived.wait();
    std::cout << "ready" << std::endl;
    std::string line;
    while (std::getline(std::cin, line)) {
    }
    _exit(0);
}
