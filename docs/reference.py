# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The API reference as HTML, made from the docstrings by pdoc: `make docs`.

A name is public when a folder's `__init__.py` offers it, or when it stands in one of the files
beside those folders. A warning of pdoc or a public name without a docstring is an error.
"""

import argparse
import ast
import inspect
import sys
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pdoc
import pdoc.render

PACKAGE = Path(__file__).resolve().parents[1] / "ineus_core"


def public_modules() -> list[str]:
    """List `ineus_core`, its loose files, and its folders that offer names."""
    loose = [path for path in PACKAGE.glob("*.py") if path.stem[0] != "_"]
    faces = [path.parent for path in PACKAGE.rglob("*/__init__.py") if _offers_names(path)]
    parts = [path.relative_to(PACKAGE.parent).with_suffix("").parts for path in (*loose, *faces)]
    return ["ineus_core", *sorted(".".join(words) for words in parts if words[1] != "cli")]


def _offers_names(face: Path) -> bool:
    kinds = ast.ImportFrom | ast.FunctionDef | ast.ClassDef
    return any(isinstance(node, kinds) for node in ast.parse(face.read_text("utf-8")).body)


def names_of(module: ModuleType) -> list[str]:
    """List the public names of a module: those it says, else those it defines."""
    defined = [
        name
        for name, value in vars(module).items()
        if name[0] != "_" and getattr(value, "__module__", "") == module.__name__
    ]
    return list(getattr(module, "__all__", defined))


def _lacks_docstring(module: ModuleType, name: str) -> bool:
    value = getattr(module, name)
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return False
    # A dataclass without a docstring is given its signature as one.
    return not value.__doc__ or value.__doc__.startswith(f"{name}(")


def build(out: Path) -> list[str]:
    """Write the pages into a folder and return what is wrong with them, a line each."""
    names = public_modules()
    modules = [import_module(name) for name in names]
    for module in modules:
        if hasattr(module, "__path__"):
            # Else pdoc takes the files behind a door for public, some of which need a GPU.
            module.__all__ = names_of(module)  # type: ignore[attr-defined]
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", UserWarning)
        pdoc.render.configure(docformat="google", footer_text="ineus")
        pdoc.pdoc(*names, output_directory=out)
    bare = {
        f"{module.__name__}.{name} is public and has no docstring"
        for module in modules
        for name in names_of(module)
        if _lacks_docstring(module, name)
    }
    warned = [str(entry.message) for entry in found if issubclass(entry.category, UserWarning)]
    return [*warned, *sorted(bare)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/docs"))
    arguments = parser.parse_args()
    problems = build(arguments.out)
    print("\n".join([*problems, f"{arguments.out / 'index.html'}"]))
    sys.exit(bool(problems))
