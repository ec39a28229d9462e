# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The picture of the packages in docs/architecture.md: every file with its first sentence.

`python tests/support/tree.py` brings the picture up to date; a test fails while it is not.
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
PACKAGES = ("ineus_core", "ineus_ros")
_MARKED = re.compile(r"(?<=<!-- tree -->\n```\n).*?(?=```\n<!-- end of tree -->)", re.DOTALL)
_NAME_WIDTH = 40


def picture() -> str:
    """Return the tree as it is."""
    return "".join(f"{line}\n" for package in PACKAGES for line in _lines(ROOT / package, ""))


def picture_on_page() -> str:
    """Return the tree as the documentation has it."""
    found = _MARKED.search(PAGE.read_text(encoding="utf-8"))
    return found.group() if found else ""


def _lines(path: Path, margin: str) -> list[str]:
    if path.is_file():
        return [f"{margin}{path.name}".ljust(_NAME_WIDTH) + sentence(path)]
    face = path / "__init__.py"
    lines = [f"{margin}{path.name}/".ljust(_NAME_WIDTH) + sentence(face)]
    children = [child for child in path.iterdir() if _is_shown(child)]
    for child in sorted(children, key=lambda child: (child.is_dir(), child.name)):
        lines += _lines(child, margin + "    ")
    return lines


def _is_shown(path: Path) -> bool:
    if path.is_dir():
        return any(path.rglob("*.py"))
    return path.suffix == ".py" and path.name != "__init__.py"


def sentence(path: Path) -> str:
    """Return the first sentence of a module's docstring, or nothing."""
    if not path.is_file():
        return ""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return re.split(r"(?<!et al)\.(?:\s|$)", " ".join(docstring.split("\n\n")[0].split()))[0]


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_MARKED.sub(lambda _: picture(), page), encoding="utf-8")
