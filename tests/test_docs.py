# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the documents name is there: files, links, classes, layers, configuration keys."""

import ast
import fnmatch
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
CODE = ("ineus_core", "ineus_ros", "tests", "benchmarks", "examples", "launch", "docs")
FILES = [
    "/" + str(path.relative_to(ROOT))
    for folder in CODE
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".md")
]
NOT_IN_THE_TREE = {
    "pipeline.frames_dropped",  # a counter of /diagnostics
    "pipeline.requests_waiting",
    "training.weights.charbonnier",  # of the example of a loss of one's own
    "training.ramps.charbonnier",
    "source.ball",  # of the example of a source of one's own
    "source.mine",  # of docs/sources.md, which shows the same
}
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def text_of(page: Path) -> str:
    """Return a page without the generated tree, which has a test of its own."""
    text = page.read_text(encoding="utf-8")
    return re.sub(r"<!-- tree -->.*?<!-- end of tree -->", "", text, flags=re.DOTALL)


@pages
def test_files_are_there(page: Path) -> None:
    named = set(re.findall(r"[\w/*.-]+\.py\b", text_of(page)))
    lost = [
        name
        for name in sorted(named)
        if "MY_" not in name  # what a reader puts a name for
        and not fnmatch.filter(FILES, "*/" + name.lstrip("./"))
    ]
    assert not lost, f"{page.name} names files that are not there: {lost}"


@pages
def test_links_lead_somewhere(page: Path) -> None:
    text = text_of(page)
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:|\.\./\.\./actions", target):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            lost.append(target)
    assert not lost, f"{page.name} links to what is not there: {lost}"


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_glossary_names_what_is_there() -> None:
    glossary = text_of(ROOT / "docs" / "conventions.md").split("\n## Glossary\n")[1]
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \|$", glossary, re.MULTILINE)[1:]
    assert len(rows) > 40
    names = {name for _, where in rows for name in re.findall(r"`(\w+)`", where)}
    assert names - definitions() == set()
    words = [word for word, _ in rows if word not in ("word", "---")]
    assert len(words) == len(set(words)), "a word stands twice"


def definitions() -> set[str]:
    """Return the names of all classes and functions of both packages."""
    return {
        node.name
        for package in ("ineus_core", "ineus_ros")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
    }


def test_table_of_layers_is_the_one_that_is_tested() -> None:
    tree = ast.parse((ROOT / "tests" / "test_architecture.py").read_text(encoding="utf-8"))
    layers = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "LAYERS" and node.value
    )
    text = text_of(ROOT / "docs" / "architecture.md")
    rows = re.findall(r"^   \| [a-z ]+ \| (`.+`) \|$", text, re.MULTILINE)
    shown = [set(re.findall(r"`(\w+)`", row)) for row in rows]
    assert shown == [parts - {"__version__"} for parts in layers]


@pages
def test_configuration_keys_are_there(page: Path) -> None:
    from ineus_core.config import Config
    from ineus_core.config_model import walk

    known = {name for name, _ in walk(Config)}
    sections = {name.rpartition(".")[0] for name in known if "." in name}
    tops = {section.partition(".")[0] for section in sections}
    named = re.findall(r"`(?:--set )?([a-z_]+(?:\.[a-z_0-9]+)+)\b", text_of(page))
    wrong = [
        name
        for name in sorted(set(named))
        if name.partition(".")[0] in tops
        and name not in known | sections | NOT_IN_THE_TREE
        and not name.endswith((".py", ".KIND", ".yaml", ".txt"))
    ]
    assert not wrong, f"{page.name} names keys that are not there: {wrong}"


def test_readme_is_short_and_names_both_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 100
    assert "\nmake demo " in text and "\nmake test " in text


def test_sentences_of_troubleshooting_are_those_of_the_code() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    quoted = re.findall(r'"([^"]+)"', page.split("\n## Nothing starts\n")[1])
    sentences = [sentence for sentence in quoted if sentence not in ("Transient Local",)]
    assert len(sentences) > 15
    said = "\n".join(strings_of_the_code())
    lost = [
        part
        for sentence in sentences
        for part in (part.strip(" :;") for part in sentence.split("..."))
        if part not in said
    ]
    assert not lost, f"nothing in the code says: {lost}"


def strings_of_the_code() -> Iterator[str]:
    """Yield all strings of both packages, in pieces between what changes."""
    for package in ("ineus_core", "ineus_ros"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value
