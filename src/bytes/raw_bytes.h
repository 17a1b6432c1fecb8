// Bytes that are about to be read into: nobody sets them to zero first.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace icecore {

/// Leaves what a vector is made larger by as it is.
template <class T>
struct LeaveUnset : std::allocator<T> {
    template <class U>
    struct rebind {
        using other = LeaveUnset<U>;
    };
    using std::allocator<T>::allocator;
    template <class U>
    void construct(U* at) noexcept {
        ::new (static_cast<void*>(at)) U;
    }
    template <class U, class... Arguments>
    void construct(U* at, Arguments&&... arguments) {
        std::construct_at(at, std::forward<Arguments>(arguments)...);
    }
};

/// As std::vector, except that `resize` leaves new bytes unset: for gigabytes that go through.
using RawBytes = std::vector<std::byte, LeaveUnset<std::byte>>;

}  // namespace icecore
