#!/usr/bin/env python3
"""Checks every #include under src/ against the table in cmake/rooms.txt.

    check_includes.py ROOT       check the source tree at ROOT
    check_includes.py --self-test

A room includes itself and what it stands on, directly or further down. `formats` and `live` never
see each other; only the rooms in MEET may see both. Headers of one operating system appear only in
the files that the table's SYSTEM column names (a test may use what the file beside it may), so that
everything else compiles anywhere.
"""

import fnmatch
import pathlib
import re
import sys
import tempfile

MEET = {"monitor", "capi", "app"}

# Headers that exist on one system only. What is not listed is the standard library's or an outside
# library's.
SYSTEM_HEADERS = re.compile(
    r"(sys|linux|asm|asm-generic|arpa|net|netinet|bits|gnu|machine|mach|winapi)/.*"
    r"|(unistd|fcntl|elf|link|dlfcn|pthread|signal|sched|poll|termios|dirent|pwd|grp|glob|fnmatch"
    r"|ftw|spawn|semaphore|mqueue|syslog|ucontext|execinfo|sysexits|getopt|libgen|langinfo|iconv"
    r"|netdb|ifaddrs|aio|strings|wait|utime|regex|syscall|endian|byteswap|malloc|alloca"
    r"|procfs|thread_db|proc_service|err|error|features)\.h"
    r"|(windows|winternl|dbghelp|psapi|tlhelp32|processsnapshot|winsock2|ws2tcpip|winioctl"
    r"|winnt|io|direct|process|shlobj|wincrypt)\.h")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def read_rooms(root):
    """{room: (rooms it stands on directly, [system patterns])}, in the table's order."""
    rooms = {}
    for line in (root / "cmake/rooms.txt").read_text().splitlines():
        if not line[:1].isalpha():
            continue
        name, deps, _, system = (column.strip() for column in line.split("|"))
        deps = list(rooms) if deps == "*" else deps.split()
        unknown = [dep for dep in deps if dep not in rooms]
        if unknown:
            sys.exit(f"cmake/rooms.txt: {name} stands on {unknown}, which is not above it")
        rooms[name] = (deps, [] if system == "-" else system.split())
    return rooms


def reach(rooms):
    """{room: every room it may include}"""
    below = {}
    for name, (deps, _) in rooms.items():
        below[name] = {name}.union(*(below[dep] for dep in deps))
    return below


def system_allowed(patterns, path):
    path = re.sub(r"_test(\.\w+)$", r"\1", path)
    return any(fnmatch.fnmatch(path, p) or fnmatch.fnmatch(path, "*/" + p) for p in patterns)


def check(root):
    """The complaints about the tree at `root`, as printable lines."""
    rooms = read_rooms(root)
    below = reach(rooms)
    complaints = [
        f"cmake/rooms.txt: {name} sees both formats and live"
        for name, seen in below.items() if {"formats", "live"} <= seen and name not in MEET]

    source = root / "src"
    for file in sorted(source.rglob("*")):
        if file.suffix not in (".h", ".cpp", ".c", ".inc"):
            continue
        room, _, inside = file.relative_to(source).as_posix().partition("/")
        if room not in rooms:
            complaints.append(f"{file.relative_to(root)}: no room '{room}' in cmake/rooms.txt")
            continue
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            quote, name = match.groups()
            where = f"{file.relative_to(root)}:{number}"
            target = name.partition("/")[0]
            if SYSTEM_HEADERS.fullmatch(name):
                if not system_allowed(rooms[room][1], inside):
                    complaints.append(f"{where}: <{name}> belongs to one operating system")
            elif quote == '"' and target == "support":
                if not file.stem.endswith("_test"):
                    complaints.append(f"{where}: only tests use tests/support")
            elif target in rooms and "/" in name:
                if target not in below[room]:
                    complaints.append(f"{where}: {room} does not stand on {target}")
                elif quote == "<":
                    complaints.append(f'{where}: write "{name}", not <{name}>')
            elif quote == '"':
                complaints.append(f'{where}: "{name}" names no room; write the path from src/')
    return complaints


def self_test():
    """Small trees, each with one fault, or none; what is expected to be said about each."""
    table = ("base | | | -\nbytes | base | | *_posix.* *_linux.*\nmodel | bytes | | -\n"
             "formats | model | | -\nlive | model | | linux/* ram/*\n")
    cases = [
        ("bytes/a.h", '#include "base/error.h"\n#include <vector>\n#include <fmt/format.h>', None),
        ("model/a.h", '#include "base/error.h"', None),
        ("base/a.cpp", '#include "bytes/cursor.h"', "base does not stand on bytes"),
        ("formats/core/a.cpp", '#  include "live/linux/ptrace.h"', "does not stand on live"),
        ("live/linux/a.cpp", '#include "formats/format.h"', "does not stand on formats"),
        ("live/linux/a.cpp", "#include <sys/ptrace.h>\n#include <unistd.h>", None),
        ("live/a.cpp", "#include <unistd.h>", "one operating system"),
        ("model/a.cpp", "#include <linux/elf.h>", "one operating system"),
        ("bytes/file_posix.cpp", "#include <fcntl.h>", None),
        ("bytes/file_posix_test.cpp", "#include <fcntl.h>", None),
        ("bytes/file.cpp", "#include <fcntl.h>", "one operating system"),
        ("base/a.cpp", "#include <windows.h>", "one operating system"),
        ("base/a.cpp", '#include "a.h"', "names no room"),
        ("base/a.cpp", "#include <base/error.h>", 'write "base/error.h"'),
        ("base/a.cpp", '#include "support/paths.h"', "only tests"),
        ("base/a_test.cpp", '#include "support/paths.h"', None),
        ("attic/a.cpp", "", "no room 'attic'"),
    ]
    failures = []

    def run(rooms, path, text, expected):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "cmake").mkdir()
            (root / "cmake/rooms.txt").write_text(rooms)
            file = root / "src" / path
            file.parent.mkdir(parents=True)
            file.write_text(text)
            said = check(root)
        if (expected is None and said) or (expected and not any(expected in s for s in said)):
            failures.append(f"{path} with {text!r}: expected {expected!r}, said {said}")

    for path, text, expected in cases:
        run(table, path, text, expected)
    run(table + "analysis | formats live | | -\n", "base/a.h", "", "sees both")
    run(table + "app | * | | -\n", "app/a.cpp", '#include "live/a.h"\n#include "formats/a.h"', None)
    return failures


def main():
    if sys.argv[1:] == ["--self-test"]:
        said = self_test()
    elif len(sys.argv) == 2:
        said = check(pathlib.Path(sys.argv[1]).resolve())
    else:
        sys.exit(__doc__)
    for line in said:
        print(line)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
