// Functions without unwind information, each crashing in its own way: `unwind_asm SCENARIO`.

#include <cstdint>
#include <cstdlib>
#include <cstring>

#define AT extern "C" __attribute__((noinline, used))
#define KEEP asm volatile("" ::: "memory")

// at_bare_*     no frame pointer, nothing said about the stack
// at_framed_*   frame pointer kept
#if defined(__x86_64__)
asm(R"(
    .text
    .macro function name
        .globl \name
        .type \name, @function
        \name:
    .endm

    function at_bare_leaf           # crashes with the return address on top of the stack
        movl $1, 0
        ret
        .size at_bare_leaf, . - at_bare_leaf

    function at_bare_pushes         # … and with registers and room above it
        pushq %rbx
        pushq %r12
        subq $40, %rsp
        movl $1, 0
        addq $40, %rsp
        popq %r12
        popq %rbx
        ret
        .size at_bare_pushes, . - at_bare_pushes

    function at_bare_calls          # calls on, without a frame pointer
        pushq %rbx
        subq $32, %rsp
        movq $0x1234, (%rsp)
        call at_bare_leaf
        addq $32, %rsp
        popq %rbx
        ret
        .size at_bare_calls, . - at_bare_calls

    function at_framed_calls
        pushq %rbp
        movq %rsp, %rbp
        subq $64, %rsp
        call at_framed_inner
        leave
        ret
        .size at_framed_calls, . - at_framed_calls

    function at_framed_inner
        pushq %rbp
        movq %rsp, %rbp
        subq $128, %rsp
        movl $1, 0
        leave
        ret
        .size at_framed_inner, . - at_framed_inner

    function at_framed_entry        # crashes before the frame pointer is pushed
        movl $1, 0
        pushq %rbp
        movq %rsp, %rbp
        popq %rbp
        ret
        .size at_framed_entry, . - at_framed_entry

    function at_framed_pushed       # crashes between push and mov
        pushq %rbp
        movl $1, 0
        movq %rsp, %rbp
        popq %rbp
        ret
        .size at_framed_pushed, . - at_framed_pushed

    function at_framed_exit         # rsp and rbp are the caller's again; ret faults by itself
        pushq %rbp
        movq %rsp, %rbp
        popq %rbp
        ud2
        ret
        .size at_framed_exit, . - at_framed_exit
)");
#elif defined(__aarch64__)
asm(R"(
    .text
    .macro function name
        .globl \name
        .type \name, %function
        \name:
    .endm

    function at_bare_leaf
        mov x9, #0
        str w9, [x9]
        ret
        .size at_bare_leaf, . - at_bare_leaf

    function at_bare_pushes
        sub sp, sp, #48
        str x19, [sp, #16]
        mov x9, #0
        str w9, [x9]
        add sp, sp, #48
        ret
        .size at_bare_pushes, . - at_bare_pushes

    function at_bare_calls
        stp x30, x19, [sp, #-32]!
        bl at_bare_leaf
        ldp x30, x19, [sp], #32
        ret
        .size at_bare_calls, . - at_bare_calls

    function at_framed_calls
        stp x29, x30, [sp, #-64]!
        mov x29, sp
        bl at_framed_inner
        ldp x29, x30, [sp], #64
        ret
        .size at_framed_calls, . - at_framed_calls

    function at_framed_inner
        stp x29, x30, [sp, #-128]!
        mov x29, sp
        mov x9, #0
        str w9, [x9]
        ldp x29, x30, [sp], #128
        ret
        .size at_framed_inner, . - at_framed_inner

    function at_framed_entry
        mov x9, #0
        str w9, [x9]
        stp x29, x30, [sp, #-16]!
        mov x29, sp
        ldp x29, x30, [sp], #16
        ret
        .size at_framed_entry, . - at_framed_entry

    function at_framed_pushed
        mov x9, #0
        stp x29, x30, [sp, #-16]!
        str w9, [x9]
        mov x29, sp
        ldp x29, x30, [sp], #16
        ret
        .size at_framed_pushed, . - at_framed_pushed

    function at_framed_exit
        stp x29, x30, [sp, #-16]!
        mov x29, sp
        ldp x29, x30, [sp], #16
        .inst 0
        ret
        .size at_framed_exit, . - at_framed_exit
)");
#endif

extern "C" {
void at_bare_leaf();
void at_bare_pushes();
void at_bare_calls();
void at_framed_calls();
void at_framed_entry();
void at_framed_pushed();
void at_framed_exit();
}

// A stack with something on it: local room, a return address of old calls among it.
AT void at_noise() {
    volatile std::uintptr_t room[32];
    for (auto& word : room)
        word = 0x1111;
    KEEP;
}
AT void at_run(const char* scenario) {
    const auto is = [&](const char* name) { return std::strcmp(scenario, name) == 0; };
    at_noise();
    if (is("bare-leaf")) at_bare_leaf();
    if (is("bare-pushes")) at_bare_pushes();
    if (is("bare-calls")) at_bare_calls();
    if (is("framed-calls")) at_framed_calls();
    if (is("framed-entry")) at_framed_entry();
    if (is("framed-pushed")) at_framed_pushed();
    if (is("framed-exit")) at_framed_exit();
    KEEP;
}

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    at_run(argv[1]);
    return 2;
}
