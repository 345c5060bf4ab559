"""Draws docs/pictures/demo.svg: runs `straddle demo` in a terminal and keeps what it showed.

python scripts/picture_demo.py [SECONDS]
"""

import os
import pty
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

WIDTH = 118
TARGET = Path(__file__).parent.parent / "docs" / "pictures" / "demo.svg"
FONT_FACE = re.compile(r"@font-face \{.*?\}", re.DOTALL)
"""What would fetch a font from elsewhere."""
CURSOR = re.compile(r"\x1b\[[0-9;?]*[A-HJKf-hln-su]")


def main() -> None:
    """Runs, draws, and says where."""
    seconds = sys.argv[1] if len(sys.argv) > 1 else "20"
    shown = run_in_terminal(["straddle", "demo", "--seconds", seconds])
    console = Console(record=True, width=WIDTH, file=StringIO(), color_system="truecolor")
    console.print(Text.from_ansi(f"$ straddle demo\n{shown}"))
    drawn = console.export_svg(title="straddle demo", theme=MONOKAI)
    TARGET.write_text(FONT_FACE.sub("", drawn).replace("Fira Code", "Menlo, Consolas"))
    print(TARGET)


def run_in_terminal(words: list[str]) -> str:
    """What a command leaves on an ANSI terminal, without what it drew over."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    with subprocess.Popen(words, stdout=follower, stderr=follower, env=environment) as process:
        os.close(follower)
        data = b""
        while True:
            try:
                chunk = os.read(leader, 65_536)
            except OSError:
                break
            if not chunk:
                break
            data += chunk
        process.wait()
    lines = [line.rsplit("\r", 1)[-1] for line in data.decode().replace("\r\n", "\n").split("\n")]
    kept = [CURSOR.sub("", line) for line in lines]
    return "\n".join(line for line in kept if " … " not in line and not line.endswith("…")).strip()


if __name__ == "__main__":
    main()
