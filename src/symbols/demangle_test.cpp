#include "symbols/demangle.h"

#include <gtest/gtest.h>

namespace icecore {
namespace {

TEST(Demangle, whatPeopleRead) {
    const auto expectName = [](std::string_view symbol, std::string_view name) {
        EXPECT_EQ(functionName(symbol), name) << symbol;
    };
    expectName("main", "main");
    expectName("memcpy@@GLIBC_2.14", "memcpy");
    expectName("malloc@plt", "malloc@plt");
    expectName("_Z3fooi", "foo");
    expectName("_ZN2ns5Class4funcEi", "ns::Class::func");
    expectName("_ZNK2ns5Class4funcEi", "ns::Class::func");
    expectName("_Z3maxIiET_S0_S0_", "max<int>");
    expectName("_ZN12_GLOBAL__N_13runEv", "(anonymous namespace)::run");
    expectName("_ZN1AclEi", "A::operator()");
    expectName("_ZN1AcvjEv", "A::operator unsigned int");
    expectName("_ZN1AlsIiEERS_T_", "A::operator<< <int>");
    expectName("_ZThn8_N1A1fEi", "non-virtual thunk to A::f");
    expectName("_Z3fooi.cold", "foo [clone .cold]");
    expectName("_Z3fooi@plt", "foo@plt");
    expectName("_ZNSt6vectorIiSaIiEE9push_backERKi",
               "std::vector<int, std::allocator<int> >::push_back");
    expectName("_ZZ4mainENKUliE_clEi", "main::{lambda(int)#1}::operator()");
    expectName("_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write");
    expectName(
        "_ZN58_$LT$alloc..string..String$u20$as$u20$core..fmt..Debug$GT$3fmt17h0123456789abcdefE",
        "<alloc::string::String as core::fmt::Debug>::fmt");
    expectName("_ZN2ns4nameB5cxx11Ev", "ns::name");
    expectName("_RNvC6_123foo3bar", "_RNvC6_123foo3bar");
    expectName("_Znotaname", "_Znotaname");
    expectName("", "");
    expectName("i", "i");
}

TEST(Demangle, dataKeepsItsName) {
    EXPECT_EQ(functionName("_ZTV3Foo"), "vtable for Foo");
    EXPECT_EQ(functionName("_ZN2ns5valueE"), "ns::value");
    EXPECT_EQ(functionName("_ZZ3fooiE5count"), "foo(int)::count");
}

}  // namespace
}  // namespace icecore
