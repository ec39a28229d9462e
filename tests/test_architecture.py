# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The import rules of docs/architecture.md, read off the syntax trees, offenders by line."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from jaxtyping import TypeCheckError
from tree import PACKAGES, ROOT, picture, picture_on_page

from ineus_core.geometry import rigid_inverse

LAYERS: tuple[set[str], ...] = (
    {
        "types",
        "errors",
        "files",
        "cores",
        "timing",
        "medians",
        "motions",
        "config_model",
        "ros_config",
        "former_names",
        "__version__",
    },
    {"geometry"},
    {"kernels"},
    {
        "sources",
        "keyframes",
        "fields",
        "fusion",
        "rendering",
        "meshing",
        "planning",
        "stereo",
        "evaluation",
        "pose_refinement",
        "dynamic_objects",
        "exposure",
    },
    {"consistency"},
    {"training"},
    {"reconstruction"},
    {"pipeline"},
    {"viewer"},
    {"config"},
    {"bench"},
    {"ineus_core"},
    {"cli", "ineus_ros"},
)
"""From the bottom up; `ineus_core` stands for the public names of its `__init__.py`."""

SHARED_WITH_ROS = {
    "ineus_core.sources.bags.writer",
    "ineus_core.sources.bags.frame_making",
    "ineus_core.sources.bags.matcher",
    "ineus_core.sources.bags.pose_policy",
    "ineus_core.sources.bags.ros_messages",
    "ineus_core.sources.bags.transforms",
    "ineus_core.sources.pose_track",
}
"""Behind the face of `sources`, yet for bags and topics alike: they decode and align messages."""

ROS_PACKAGES = {
    "rclpy",
    "ament_index_python",
    "cv_bridge",
    "launch",
    "message_filters",
    "rosidl_runtime_py",
}
OPTIONAL_PACKAGES = {
    "nerfacc",
    "open3d",
    "pycolmap",
    "rosbags",
    "tinycudann",
    "triton",
    "viser",
    "xatlas",
}
BACKEND_WORDS = {"gpu", "tcnn", "nerfacc"}
"""A file with one of these in its name is only imported where that backend was chosen."""
CAPTURED = ROOT / "ineus_core" / "training" / "captured"
"""The one room that opens `gpu` files itself, as it writes into buffers that it keeps."""
COMPILERS = {"numba", "triton"}
VERSION = "ineus_core.__version__"
VAGUE_NAMES = {"utils.py", "misc.py", "common.py", "helpers.py"}
HEADER = (
    "# SPDX-FileCopyrightText: 2026 The ineus authors\n# SPDX-License-Identifier: Apache-2.0\n"
)


class Import(NamedTuple):
    """One imported module: where, what, and whether it happens when the file is imported."""

    line: int
    module: str
    at_top: bool


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports_of(source: str) -> Iterator[Import]:
    """Yield all imports of a source text, also those by `import_module` with a literal name."""
    tree = ast.parse(source)
    inner = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        for module in _modules(node):
            yield Import(getattr(node, "lineno", 0), module, id(node) not in inner)


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        if node.level:
            return [f".{module}"]
        inside = [f"{module}.{alias.name}" for alias in node.names]
        return [name if _is_module(name) or name == VERSION else module for name in inside]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        return [
            a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)
        ]
    return []


def _is_module(name: str) -> bool:
    path = ROOT / Path(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def part_of(module: str) -> str | None:
    """Return the word of `LAYERS` that a module belongs to, or None if it is not ours."""
    words = module.split(".")
    if words[0] == "ineus_ros":
        return "ineus_ros"
    if words[0] != "ineus_core":
        return None
    return words[1] if len(words) > 1 else "ineus_core"


def layer_of(part: str) -> int:
    found = [level for level, parts in enumerate(LAYERS) if part in parts]
    assert found, f"{part} stands on no layer: add it to LAYERS and to docs/architecture.md"
    return found[0]


def is_ros(module: str) -> bool:
    root = module.split(".", maxsplit=1)[0]
    is_interface = root.endswith(("_msgs", "_srvs", "_interfaces"))
    return root in ROS_PACKAGES or root.startswith(("tf2", "launch_")) or is_interface


def may_import(importer: str, imported: str) -> bool:
    """Decide whether the one part may know the other."""
    if importer == imported or (imported in LAYERS[0] and importer in LAYERS[0]):
        return True
    return layer_of(imported) < layer_of(importer)


def has_face(folder: Path) -> bool:
    """Decide whether the `__init__.py` of a folder offers names."""
    face = folder / "__init__.py"
    return face.is_file() and any(
        isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)
        for node in ast.parse(face.read_text(encoding="utf-8")).body
    )


def goes_behind_a_face(importer: str, module: str) -> bool:
    """Decide whether an import reaches into another folder that has a public face."""
    words = module.split(".")
    if len(words) < 3 or part_of(module) == importer or module in SHARED_WITH_ROS:
        return False
    return has_face(ROOT / words[0] / words[1])


def goes_behind_a_door(path: Path, module: str) -> bool:
    """Tell whether an import from outside of `kernels` reaches into an operator's folder."""
    words = module.split(".")
    if words[:2] != ["ineus_core", "kernels"] or len(words) < 4:
        return False
    return not (words[3].startswith("gpu") and path.is_relative_to(CAPTURED))


def asks_for_compiler(node: ast.AST) -> bool:
    """Tell whether a node looks whether numba or Triton is installed."""
    return (
        isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("find_spec")
        and any(isinstance(a, ast.Constant) and a.value in COMPILERS for a in node.args)
    )


def imports_when_run(path: Path) -> set[str]:
    """Return our modules that a file imports while it is imported itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
    ]
    found = {i.module for i in imports_of(ast.unparse(tree)) if i.at_top}
    return {module for module in found if part_of(module) is not None}


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    """Return the names along a circle of a graph, or nothing; nodes that end nowhere go first."""
    left = {name: targets & graph.keys() for name, targets in graph.items()}
    while ends := {name for name, targets in left.items() if not targets}:
        left = {name: targets - ends for name, targets in left.items() if name not in ends}
    if not left:
        return []
    way = [min(left)]
    while way[-1] not in way[:-1]:
        way.append(min(left[way[-1]]))
    return way[way.index(way[-1]) :]


def module_name(path: Path) -> str:
    words = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(words[:-1] if words[-1] == "__init__" else words)


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def our_imports() -> Iterator[tuple[Path, str, Import]]:
    """Yield every import in the two packages, with its file and the part that has the file."""
    for path in files(*PACKAGES):
        part = part_of(module_name(path))
        assert part is not None
        for found in imports_of(path.read_text(encoding="utf-8")):
            yield path, part, found


def report(offenders: list[str]) -> None:
    assert not offenders, "\n" + "\n".join(offenders)


def test_core_knows_no_ros() -> None:
    report(
        [
            f"{where(path, found.line)}: {found.module} is ROS, and ineus_core works without it"
            for path, part, found in our_imports()
            if part != "ineus_ros"
            and (is_ros(found.module) or part_of(found.module) == "ineus_ros")
        ]
    )


def test_imports_go_down() -> None:
    report(
        [
            f"{where(path, found.line)}: {part} may not import {found.module}"
            for path, part, found in our_imports()
            if part != "ineus_core"
            and (imported := part_of(found.module)) is not None
            and not may_import(part, imported)
        ]
    )


def test_outsiders_use_the_public_face() -> None:
    report(
        [
            f"{where(path, found.line)}: {found.module} is behind the face of its folder"
            for path, part, found in our_imports()
            if part_of(found.module) is not None and goes_behind_a_face(part, found.module)
        ]
    )


def test_outsiders_of_kernels_use_the_doors() -> None:
    report(
        [
            f"{where(path, found.line)}: {found.module} is behind the door of its operator"
            for path, part, found in our_imports()
            if part != "kernels" and goes_behind_a_door(path, found.module)
        ]
    )


def test_dispatch_alone_asks_for_compilers() -> None:
    report(
        [
            f"{where(path, node.lineno)}: ask `kernels.dispatch`"
            for path in files(*PACKAGES)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if asks_for_compiler(node) and isinstance(node, ast.Call)
        ]
    )


def test_imports_form_no_circle() -> None:
    graph = {module_name(path): imports_when_run(path) for path in files(*PACKAGES)}
    circle = circle_in(graph)
    assert not circle, "a circle of imports: " + " -> ".join(circle)


def test_imports_are_absolute() -> None:
    report(
        [
            f"{where(path, found.line)}: relative import"
            for path, _, found in our_imports()
            if found.module.startswith(".")
        ]
    )


def test_optional_packages_are_imported_where_they_are_used() -> None:
    report(
        [
            f"{where(path, found.line)}: {found.module} is optional: import it in a function"
            for path, _, found in our_imports()
            if found.at_top
            and found.module.split(".")[0] in OPTIONAL_PACKAGES
            and not BACKEND_WORDS & set(path.stem.split("_"))
        ]
    )


def test_core_evaluates_its_annotations() -> None:
    report(
        [
            f"{where(path, found.line)}: shapes cannot be checked under this import"
            for path, part, found in our_imports()
            if part != "ineus_ros" and found.module == "__future__"
        ]
    )


def test_only_programs_print() -> None:
    report(
        [
            f"{where(path, node.lineno)}: print; log or raise instead"
            for path in files(*PACKAGES)
            if path.parent.name != "cli" and '__name__ == "__main__"' not in path.read_text()
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
        ]
    )


def test_files_say_what_they_are() -> None:
    vague = [
        f"{where(p, 1)}: the name says nothing" for p in files(*PACKAGES) if p.name in VAGUE_NAMES
    ]
    bare = [
        f"{where(path, 1)}: does not begin with the two SPDX lines"
        for path in files(*PACKAGES, "tests")
        if (text := path.read_text(encoding="utf-8")) and not text.startswith(HEADER)
    ]
    report(vague + bare)


def test_picture_of_the_tree_is_true() -> None:
    real, shown = picture().splitlines(), picture_on_page().splitlines()
    missing = [f"docs/architecture.md lacks: {line}" for line in real if line not in shown]
    gone = [f"docs/architecture.md shows what is not there: {x}" for x in shown if x not in real]
    advice = ["bring it up to date with: python tests/support/tree.py"]
    report(missing + gone + advice if real != shown else [])


def test_reader_finds_every_kind_of_import() -> None:
    source = "import a.b\nfrom c import d\ndef f():\n    import e\n    import_module('g.h')\n"
    assert list(imports_of(source)) == [
        Import(1, "a.b", True),
        Import(2, "c", True),
        Import(4, "e", False),
        Import(5, "g.h", False),
    ]


def test_a_circle_is_found_by_its_names() -> None:
    line = {"a": {"b", "elsewhere"}, "b": {"c"}, "c": set[str]()}
    assert circle_in(line) == []
    assert circle_in(line | {"c": {"d"}, "d": {"b"}, "e": {"a"}}) == ["b", "c", "d", "b"]


@pytest.mark.parametrize(
    ("importer", "module", "allowed"),
    [
        ("fields/sdf.py", "ineus_core.kernels.mlp", True),
        ("fields/sdf.py", "ineus_core.kernels.host_copy", True),
        ("fields/sdf.py", "ineus_core.kernels.mlp.reference", False),
        ("training/step.py", "ineus_core.kernels.mlp.gpu", False),
        ("training/captured/step.py", "ineus_core.kernels.mlp.gpu", True),
        ("training/captured/step.py", "ineus_core.kernels.mlp.gpu_code_sdf", True),
        ("training/captured/step.py", "ineus_core.kernels.mlp.reference", False),
    ],
)
def test_doors_of_kernels(importer: str, module: str, allowed: bool) -> None:
    assert goes_behind_a_door(ROOT / "ineus_core" / importer, module) is not allowed


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("types", "errors", True),
        ("geometry", "types", True),
        ("geometry", "kernels", False),
        ("kernels", "geometry", True),
        ("meshing", "geometry", True),
        ("meshing", "fields", False),
        ("training", "fields", True),
        ("fields", "training", False),
        ("pipeline", "config", False),
        ("cli", "config", True),
        ("ineus_ros", "pipeline", True),
        ("ineus_ros", "cli", False),
    ],
)
def test_order_of_the_layers(importer: str, imported: str, allowed: bool) -> None:
    assert may_import(importer, imported) is allowed


@pytest.mark.parametrize("module", ["rclpy.node", "tf2_ros", "sensor_msgs.msg", "std_srvs.srv"])
def test_ros_is_recognised(module: str) -> None:
    assert is_ros(module)


def test_shapes_are_checked_while_tests_run() -> None:
    with pytest.raises(TypeCheckError):
        rigid_inverse(np.eye(3))
