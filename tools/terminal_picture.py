#!/usr/bin/env python3
"""Runs a command in a terminal of its own and draws what it prints as SVG.

    tools/terminal_picture.py [--columns 100] [--first LINES] OUT.svg COMMAND...

The picture in README.md, made in a checkout at /usr/src/icecore, is
    tools/terminal_picture.py --columns 104 --first 36 docs/demo.svg tools/demo.sh
"""

import argparse
import fcntl
import html
import os
import pty
import re
import struct
import sys
import termios

COLOURS = ["#45475a", "#f38ba8", "#a6e3a1", "#f9e2af", "#89b4fa", "#cba6f7", "#94e2d5", "#bac2de"]
BRIGHT = ["#7f849c"] + COLOURS[1:7] + ["#ffffff"]
TEXT, PAPER = "#cdd6f4", "#1e1e2e"
NBSP = "\u00a0"  # plain blanks are collapsed, whatever xml:space says
ADVANCE, LEADING, SIZE, MARGIN = 8.4, 18, 14, 16


def run(command, columns):
    """What the command prints when its output is a terminal; fails when it fails."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    text = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux' way to say that the other side is closed
            break
        if not piece:
            break
        text += piece
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status not in (0, 3):
        sys.exit(f"{command[0]}: status {status}\n{text.decode(errors='replace')}")
    return text.decode("utf-8", "replace")


def settled(text):
    """The lines as they stand in the end: a line redrawn after \\r keeps its last form."""
    lines = []
    for line in text.replace("\r\n", "\n").split("\n"):
        line = re.sub(r"\x1b\[[0-9;?]*[A-HJ-Zhl]", "", line)  # movement, erasing, modes
        line = re.sub(r"\x1b\[[0-9]*K", "", line)
        lines.append(line.split("\r")[-1])
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def wrapped(lines, columns):
    """Lines longer than the terminal are cut into several, colours kept."""
    for line in lines:
        seen, piece = 0, ""
        for token in re.findall(r"\x1b\[[0-9;]*m|.", line):
            if token.startswith("\x1b"):
                piece += token
                continue
            if seen == columns:
                yield piece
                seen, piece = 0, ""
            piece += token
            seen += 1
        yield piece


class Style:
    def __init__(self):
        self.reset()

    def reset(self):
        self.colour, self.bold, self.dim = TEXT, False, False

    def apply(self, codes):
        for code in (int(c or 0) for c in codes.split(";")):
            if code == 0:
                self.reset()
            elif code == 1:
                self.bold = True
            elif code == 2:
                self.dim = True
            elif code == 22:
                self.bold = self.dim = False
            elif 30 <= code <= 37:
                self.colour = COLOURS[code - 30]
            elif code == 39:
                self.colour = TEXT
            elif 90 <= code <= 97:
                self.colour = BRIGHT[code - 90]

    def attributes(self):
        text = f' fill="{self.colour}"'
        if self.bold:
            text += ' font-weight="bold"'
        if self.dim:
            text += ' opacity="0.65"'
        return text


def draw(lines, columns):
    width, height = columns * ADVANCE + 2 * MARGIN, len(lines) * LEADING + 2 * MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}">',
        f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>',
        f'<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,\'DejaVu Sans Mono\',monospace" '
        f'font-size="{SIZE}">',
    ]
    style = Style()
    for number, line in enumerate(lines):
        y = MARGIN + (number + 0.75) * LEADING
        column = 0
        for token in re.findall(r"\x1b\[[0-9;]*m|[^\x1b]+", line):
            if token.startswith("\x1b"):
                style.apply(token[2:-1])
                continue
            if token.strip():
                shown = html.escape(token).replace(" ", NBSP)
                out.append(
                    f'<text x="{MARGIN + column * ADVANCE:.1f}" y="{y:.1f}" '
                    f'textLength="{len(token) * ADVANCE:.1f}"{style.attributes()}>'
                    f"{shown}</text>"
                )
            column += len(token)
    return "\n".join(out + ["</g>", "</svg>"]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--first", type=int, help="draw no more than so many lines")
    parser.add_argument("out")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    text = run(options.command, options.columns)
    lines = list(wrapped(settled(text), options.columns))
    if options.first and len(lines) > options.first:
        lines = lines[: options.first] + ["\x1b[2m…"]
    with open(options.out, "w", encoding="utf-8") as file:
        file.write(draw(lines, options.columns))


if __name__ == "__main__":
    main()
