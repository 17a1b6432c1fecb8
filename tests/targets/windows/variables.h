// What a program's variables can be: types of all kinds, and locals in registers, on the stack, in
// pieces and gone. The tests read them by name out of a dump.
#pragma once

#ifdef __clang__
#define NOT_OPTIMISED __attribute__((noinline, optnone))
#else
#define NOT_OPTIMISED __attribute__((noinline, optimize("O0")))
#endif

namespace ice {

enum Kind : unsigned short { one = 1, two = 7 };
enum class Colour : signed char { red = -1, green };
union Bits {
    unsigned whole;
    unsigned char parts[4];
};
struct Base {
    long long id;
};
struct Link {
    Link *next, *previous;
};
struct Thing : Base {
    int a;
    double b;
    Thing* self;
    Kind kind;
    Colour colour;
    unsigned flags : 3, rest : 5;
    Bits bits;
    const char* names[3];
    int (*call)(int, double);
    bool on;
    char letter;
    unsigned char byte;
    signed char tiny;
    short half;
    wchar_t wide[8];
    char text[8];
    float small;
    unsigned long long big;
    unsigned number;
    int grid[2][3];
    const wchar_t* title;
    void* nothing;
    Link link;
    Base* base;
    static int count;
    virtual int run(int x);
};
int Thing::count = 3;

int called(int x, double y) {
    return x + static_cast<int>(y);
}
int Thing::run(int x) {
    return called(x, b) + a;
}

struct Node {
    Link link;
    int value;
};

Thing thing;
Node nodes[3];
static int hiddenCounter = 17;

inline void fill() {
    thing.id = -5;
    thing.a = -7;
    thing.b = 2.5;
    thing.self = &thing;
    thing.kind = two;
    thing.colour = Colour::red;
    thing.flags = 5;
    thing.rest = 17;
    thing.bits.whole = 0x01020304;
    thing.names[0] = "first name";
    thing.names[1] = nullptr;
    thing.names[2] = "third\tname";
    thing.call = called;
    thing.on = true;
    thing.letter = 'x';
    thing.byte = 0xfe;
    thing.tiny = -2;
    thing.half = -300;
    for (int i = 0; i < 5; ++i)
        thing.wide[i] = L"wide"[i];
    for (int i = 0; i < 5; ++i)
        thing.text[i] = "text"[i];
    thing.small = 0.5F;
    thing.big = 0x1122334455667788;
    thing.number = 4000000000U;
    for (int i = 0; i < 6; ++i)
        thing.grid[i / 3][i % 3] = i + 1;
    thing.title = L"a title";
    thing.base = &thing;
    for (int i = 0; i < 3; ++i) {
        nodes[i].link.next = &nodes[(i + 1) % 3].link;
        nodes[i].link.previous = &nodes[(i + 2) % 3].link;
        nodes[i].value = 100 + i;
    }
    thing.link.next = thing.link.previous = &thing.link;
}

/// Not optimised: everything has a place on the stack. Goes wrong in the innermost block.
NOT_OPTIMISED int plain(int first, const Thing& second, char third, double fourth) {
    int sum = first * 2;
    unsigned short narrow = 0xbeef;
    Thing* pointer = const_cast<Thing*>(&second);
    int values[3] = {1, 2, 3};
    Bits bits;
    bits.whole = 0xaabbccdd;
    static int staticLocal = 99;
    staticLocal += third;
    {
        int otherBlock = 5;
        sum += otherBlock;
    }
    {
        const char* inner = "inner text";
        long long wide = -1234567890123LL;
        sum += inner[0] + static_cast<int>(wide);
        hiddenCounter += sum;
        *static_cast<volatile int*>(nullptr) =
            sum + values[1] + narrow + static_cast<int>(fourth) + pointer->a + bits.parts[0];
    }
    return sum;
}

/// Optimised and inlined: values in registers, constants, some gone.
inline __attribute__((always_inline)) int inlinedStep(int step, Thing* of) {
    const int doubled = step * 2 + of->a;
    return plain(doubled, *of, 'c', 1.25) + doubled;
}
__attribute__((noinline)) int optimised(int count, Thing* of) {
    int result = count;
    for (int i = 0; i < count; ++i)
        result += inlinedStep(i + 3, of) * result;
    return result;
}

}  // namespace ice
