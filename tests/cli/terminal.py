"""A session in a terminal, recorded as a picture for the docs: the real program, a real pty.

python tests/cli/terminal.py docs/images/terminal.svg          (needs: pip install pyte)

The sandbox answers some of the messages with 429 and one with 422; the recorder types what a person
would. Run it again after a change of what the command line says.
"""

import os
import pty
import re
import select
import subprocess
import sys
import tempfile
from itertools import groupby
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

from multiwhats_async.sandbox import Emulator, FaultPlan, SandboxServer

WIDTH, HEIGHT = 96, 400
GUESTS = [
    ("+90 537 493 77 66", "Ayşe"),
    ("0090 530 000 00 02", "Çağrı"),
    ("905300000003", "İpek"),
    *((f"9053000{number:05d}", f"Misafir {number}") for number in range(4, 240)),
]
COMMANDS = (
    "multiwhats check guests.csv --expect-country TR",
    "multiwhats bulk guests.csv --yes --out results.jsonl",
    "multiwhats report guests.csv",
)


def run(command: str, folder: Path, env: dict[str, str], screen: pyte.Screen) -> None:
    """Run one command in a pty and let the screen see what it writes."""
    stream = pyte.ByteStream(screen)
    stream.feed(f"\x1b[1;32m$\x1b[0m \x1b[1m{command}\x1b[0m\r\n".encode())
    parent, child = pty.openpty()
    words = [sys.executable, "-m", "multiwhats_async", *command.split()[1:]]
    process = subprocess.Popen(  # noqa: S603  # our own program
        words, cwd=folder, env=env, stdin=child, stdout=child, stderr=child
    )
    os.close(child)
    while process.poll() is None or select.select([parent], [], [], 0.1)[0]:
        if select.select([parent], [], [], 0.1)[0]:
            try:
                data = os.read(parent, 65536)
            except OSError:  # Linux: the other end is closed
                break
            stream.feed(data)
    os.close(parent)
    process.wait()
    stream.feed(b"\r\n")


def style_of(cell: pyte.screens.Char) -> Style:
    """Return a cell's style as rich has it."""
    colour = None if cell.fg == "default" else cell.fg.replace("brown", "yellow")
    if colour and re.fullmatch("[0-9a-f]{6}", colour):
        colour = f"#{colour}"
    return Style(color=colour and colour.replace("brightblack", "bright_black"), bold=cell.bold)


def picture(screen: pyte.Screen, target: Path) -> None:
    """Write what the screen shows as an SVG without links to another host."""
    console = Console(record=True, width=WIDTH, file=open(os.devnull, "w"), force_terminal=True)  # noqa: PTH123, SIM115  # until the end
    last = max(line for line, text in enumerate(screen.display) if text.strip())
    for line in range(last + 1):
        text = Text(no_wrap=True)
        cells = (screen.buffer[line][column] for column in range(WIDTH))
        for style, run_of in groupby(cells, key=style_of):
            # The second half of a wide character has no text.
            text.append("".join(cell.data for cell in run_of), style)
        text.rstrip()
        console.print(text)
    svg = console.export_svg(title="multiwhats")
    # rich names web fonts; the reader's own will do.
    svg = re.sub("<!--.*?-->", "", svg)
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    target.write_text(svg.replace("Fira Code", "DejaVu Sans Mono"), "utf-8")


def main() -> None:
    """Record the session."""
    target = Path(sys.argv[1]).resolve()
    faults = FaultPlan(["429=1@nth:60", "422@nth:100", "disconnect_after@nth:150", "latency=0.03"])
    screen = pyte.Screen(WIDTH, HEIGHT)
    with (
        tempfile.TemporaryDirectory() as name,
        SandboxServer(Emulator(faults=faults, magic_numbers=False), port=0) as server,
    ):
        folder = Path(name)
        rows = [
            f'{number},"Sayın {guest} 👋 Odanız hazır.",👍 Geliyorum,⛔ Gelemem'
            for number, guest in GUESTS
        ]
        header = "telefon,message,button1,button2"
        (folder / "guests.csv").write_text("\n".join([header, *rows]) + "\n", "utf-8")
        env = os.environ | server.env | {"MULTIWHATS_FROM": "908503080335"}
        env |= {"TERM": "xterm-256color", "COLUMNS": str(WIDTH), "LINES": "40"}
        for command in COMMANDS:
            run(command, folder, env, screen)
    picture(screen, target)


if __name__ == "__main__":
    main()
