# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The API reference as HTML, made from the docstrings by pdoc: `make docs`.

A name is public when a folder's `__init__.py` lists it in `__all__`, or when it stands in one of
the files beside those folders. A warning of pdoc or a public name without a docstring is an error.
"""

import argparse
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
    """List `ineus_core`, its loose files and its folders that offer names, in this order."""
    loose = [f"ineus_core.{path.stem}" for path in PACKAGE.glob("*.py") if path.stem[0] != "_"]
    faces = [
        ".".join(path.parent.relative_to(PACKAGE.parent).parts)
        for path in PACKAGE.rglob("*/__init__.py")
        if "\n__all__ = " in path.read_text(encoding="utf-8")
    ]
    return ["ineus_core", *sorted(loose), *sorted(faces)]


def undocumented(module: ModuleType) -> list[str]:
    """List the public functions and classes of a module that have no docstring of their own."""
    names = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if name[0] != "_" and getattr(value, "__module__", "") == module.__name__
    ]
    return [f"{module.__name__}.{name}" for name in names if _lacks_docstring(module, name)]


def _lacks_docstring(module: ModuleType, name: str) -> bool:
    value = getattr(module, name)
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return False
    # A dataclass without a docstring is given its signature as one.
    return not value.__doc__ or value.__doc__.startswith(f"{name}(")


def build(out: Path) -> list[str]:
    """Write the pages into a folder and return what is wrong with them, a line each."""
    names = public_modules()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", UserWarning)
        pdoc.render.configure(docformat="google", footer_text="ineus")
        pdoc.pdoc(*names, output_directory=out)
    bare = [name for module in names for name in undocumented(import_module(module))]
    warned = [str(entry.message) for entry in found if issubclass(entry.category, UserWarning)]
    return [*warned, *(f"{name} is public and has no docstring" for name in sorted(set(bare)))]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/docs"))
    arguments = parser.parse_args()
    problems = build(arguments.out)
    print("\n".join([*problems, f"{arguments.out / 'index.html'}"]))
    sys.exit(bool(problems))
