// A program with what symbols of C++ have to offer: inlined calls in inlined calls, templates,
// operators, an anonymous namespace, virtual functions, types.
#pragma once

namespace icecore::tests {

inline constexpr const char* windowsShapes = R"cpp(
    namespace ice {
    template <class T, int N>
    struct Box {
        T v[N];
        __declspec(noinline) T sum(T x) const;
    };
    template <class T, int N>
    T Box<T, N>::sum(T x) const {
        T s = x;
        for (int i = 0; i < N; i++)
            s += v[i];
        return s;
    }
    inline __attribute__((always_inline)) int innermost(int a, volatile int* p) {
        *p = a;
        int r = *p + 3;
        return r * *p;
    }
    inline __attribute__((always_inline)) int middle(int a, volatile int* p) {
        int x = innermost(a + 1, p);
        x += innermost(a * 2, p);
        return x ^ *p;
    }
    namespace {
    __declspec(noinline) int hidden(int a, volatile int* p) {
        return middle(a, p) + 7;
    }
    }  // namespace
    union Bits {
        unsigned whole;
        unsigned char parts[4];
    };
    struct Base {
        long long id;
    };
    struct Thing : Base {
        int a;
        double b;
        Thing* next;
        enum Kind : unsigned short { one, two = 7 } kind;
        unsigned flags : 3, rest : 5;
        Bits bits;
        const char* names[3];
        int (*call)(int, double);
        static int count;
        virtual int run(int x, volatile int* p);
        int operator()(int);
        operator bool() const;
        Thing& operator+=(const Thing& other);
        ~Thing();
    };
    int Thing::count = 3;
    __declspec(noinline) int Thing::run(int x, volatile int* p) {
        return hidden(x, p) + middle(x + a, p);
    }
    int Thing::operator()(int x) {
        volatile int q;
        return run(x, &q);
    }
    Thing::operator bool() const {
        return a != 0;
    }
    Thing& Thing::operator+=(const Thing& other) {
        a += other.a;
        return *this;
    }
    Thing::~Thing() {
        a = 0;
    }
    }  // namespace ice
    extern "C" {
    int _fltused = 0;
    int atexit(void (*)()) {
        return 0;
    }
    }
    void operator delete(void*, decltype(sizeof(0))) noexcept {}
    ice::Thing thing;
    int global = 5;
    static int quiet = 6;
    extern "C" __declspec(dllexport) int start(int x) {
        volatile int q = x + quiet++;
        ice::Box<int, 4> b{{1, 2, 3, x}};
        thing += thing;
        return thing(q) + b.sum(x) + (thing ? 1 : 0) + global + ice::Thing::count;
    }
)cpp";

}  // namespace icecore::tests
