// Functions of every shape a symbolizer meets: inlined in several layers and from blocks, members,
// templates, lambdas, local classes, anonymous namespaces, a cold part, plain C names. Small and
// without standard headers, so that tests compile it in many ways.

extern "C" int puts(const char*);
extern "C" [[noreturn]] void abort();

namespace shapes {

template <class T>
inline __attribute__((always_inline)) T twice(T value) {
    return value + value;
}

static inline __attribute__((always_inline)) int inner(int x) {
    if (x > 3) {
        int y = twice(x);
        return y * x;
    }
    return x - 1;
}

class Widget {
public:
    explicit Widget(int n) : n_(n) {}
    __attribute__((noinline)) int run(int k) const;
    int operator()(int a) { return inner(a) + n_; }
    static int made;

private:
    int n_;
};
int Widget::made = 1;

int Widget::run(int k) const {
    int sum = 0;
    for (int i = 0; i < k; ++i)
        sum += inner(i) * n_;
    return sum;
}

namespace {
__attribute__((noinline)) int hidden(int a) {
    return inner(a) ^ 5;
}
}  // namespace

template <class T, int N>
struct Box {
    T values[N];
    __attribute__((noinline)) T total() const {
        T sum{};
        for (const T& value : values)
            sum += twice(value);
        return sum;
    }
};

__attribute__((noinline)) int rarely(int a) {
    if (__builtin_expect(a == 12345, 0)) {
        puts("never");
        abort();
    }
    return a * 7;
}

}  // namespace shapes

extern "C" __attribute__((noinline)) int plainName(int a) {
    return shapes::inner(a) + 1;
}

int main(int argc, char**) {
    shapes::Widget widget(argc);
    auto lambda = [&](int q)
                      __attribute__((noinline)) { return widget.run(q) + shapes::hidden(q); };
    shapes::Box<long, 3> box{{argc, 2, 3}};
    struct Local {
        __attribute__((noinline)) int member(int a) { return shapes::inner(a) * 3; }
    } local;
    const long all = lambda(argc) + widget(3) + box.total() + local.member(argc) + plainName(argc) +
                     shapes::rarely(argc);
    puts(all > 100 ? "many" : "few");
    return 0;
}
