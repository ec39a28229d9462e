# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The package as pip and colcon install it, and its version, which stands in one place."""

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("ineus_core", "ineus_ros", "launch", "config", "resource")
ROSDEP_KEYS = {
    "annotated_types": "python3-pydantic",  # a part of it
    "cv2": "python3-opencv",
    "matplotlib": "python3-matplotlib",
    "numpy": "python3-numpy",
    "PIL": "python3-pil",
    "pydantic": "python3-pydantic",
    "rich": "python3-rich",
    "scipy": "python3-scipy",
    "yaml": "python3-yaml",
}
"""Keys of packages that are called otherwise; those of ROS have their own names."""
FROM_PIP = {"jaxtyping", "numba", "rosbags", "safetensors", "torch", "trimesh", "triton", "typer"}
"""What distributions lack or have too old: `docs/ros.md` says how it is installed."""
IF_INSTALLED = {
    "cv_bridge",
    "lpips",
    "liblzfse",
    "nerfacc",
    "nvblox_msgs",
    "open3d",
    "pycolmap",
    "tf2_msgs",
    "tinycudann",
    "viser",
    "xatlas",
}
"""What is used where it happens to be installed."""
FILES = ("package.xml", "setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the package without what an earlier build left, and leave nothing here."""
    folder = tmp_path_factory.mktemp("source") / "ineus_ros"
    folder.mkdir()
    for part in PARTS:
        skip = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, folder / part, ignore=skip)
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(copy: Path) -> zipfile.ZipFile:
    """Build the wheel with the setuptools that is here, so that no network is needed."""
    if importlib.util.find_spec("setuptools") is None:
        pytest.skip("needs setuptools in this environment")
    command = [sys.executable, "-c", "from setuptools.build_meta import *; build_wheel('dist')"]
    built = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return zipfile.ZipFile(next((copy / "dist").glob("*.whl")))


def manifest() -> ElementTree.Element:
    return ElementTree.parse(ROOT / "package.xml").getroot()


def test_version_stands_in_package_xml_alone(wheel: zipfile.ZipFile) -> None:
    version = manifest().findtext("version")
    assert version is not None
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "ineus_core/__init__.py"):
        assert not re.search(
            rf"(?<![\d.]){re.escape(version)}(?![\d.])", (ROOT / name).read_text()
        )
    assert f"\nVersion: {version}\n" in _metadata(wheel)


def test_changelog_has_the_version() -> None:
    version = manifest().findtext("version")
    changelog = (ROOT / "CHANGELOG.rst").read_text()
    assert f"\n{version} (" in changelog or "\nForthcoming\n" in changelog


def test_public_names_are_there() -> None:
    import ineus_core

    for name in ineus_core.__all__:
        assert getattr(ineus_core, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = ineus_core.nonsense


def test_wheel_holds_the_packages_and_the_share_folder(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    expected = [
        "ineus_core/py.typed",
        "ineus_core/cli/__init__.py",
        "ineus_ros/node.py",
        "/share/ament_index/resource_index/packages/ineus_ros",
        "/share/ineus_ros/package.xml",
        "/share/ineus_ros/launch/reconstruct.launch.py",
        "/share/ineus_ros/config/default.yaml",
    ]
    missing = [end for end in expected if not any(name.endswith(end) for name in names)]
    assert not missing
    assert not [name for name in names if name.startswith("tests/")]


def test_wheel_holds_every_module(wheel: zipfile.ZipFile) -> None:
    ours = {
        str(path.relative_to(ROOT))
        for package in ("ineus_core", "ineus_ros")
        for path in (ROOT / package).rglob("*.*")
        if path.suffix in (".py", ".css", ".js")
    }
    assert ours <= set(wheel.namelist()), "not packaged: no __init__.py, or not in package_data"


def test_wheel_offers_the_commands(wheel: zipfile.ZipFile) -> None:
    entry_points = ConfigParser()
    name = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    entry_points.read_string(wheel.read(name).decode())
    assert dict(entry_points["console_scripts"]) == {
        "ineus": "ineus_core.cli:main",
        "reconstruct": "ineus_ros.node:main",
    }


def test_extras(wheel: zipfile.ZipFile) -> None:
    extras = set(re.findall(r"^Provides-Extra: (\w+)$", _metadata(wheel), re.MULTILINE))
    assert extras == {"ros", "eval", "colmap", "view", "texture", "docs", "dev"}


def test_ros_wheels_are_pinned_alike() -> None:
    pins = re.findall(r"^(ros-[\w-]+==[\d.]+)", _read("requirements/ros.txt"), re.MULTILINE)
    assert len(pins) == 3
    assert all(f'"{pin}"' in _read("setup.py") for pin in pins)


def test_commits_are_checked_by_the_ruff_of_the_tests() -> None:
    pinned = re.search(r"^ruff==([\d.]+)$", _read("requirements/dev.txt"), re.MULTILINE)
    assert pinned is not None
    assert f"rev: v{pinned.group(1)}\n" in _read(".pre-commit-config.yaml")


def test_manifest_names_what_the_node_imports() -> None:
    root = manifest()
    assert root.get("format") == "3"
    assert root.findtext("name") == "ineus_ros"
    assert root.findtext("license") == "Apache-2.0"
    assert root.findtext("export/build_type") == "ament_python"
    declared = {node.text for node in root.findall("exec_depend")}
    files = [path for part in ("ineus_core", "ineus_ros", "launch") for path in modules(part)]
    imported = {name for path in files for name in imports_of(path)}
    ours = {"ineus_core", "ineus_ros"}
    needed = imported - sys.stdlib_module_names - ours - FROM_PIP - IF_INSTALLED
    assert {ROSDEP_KEYS.get(name, name) for name in needed} == declared
    # Nothing stands in a table that is not imported any more.
    assert {*ROSDEP_KEYS, *FROM_PIP, *IF_INSTALLED} <= imported


def modules(part: str) -> list[Path]:
    return list((ROOT / part).rglob("*.py"))


def imports_of(path: Path) -> Iterator[str]:
    """Yield the packages that a file imports, at its top or within a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_tag_of_another_version_is_not_released() -> None:
    bash = shutil.which("bash")
    assert bash is not None
    refused = subprocess.run(
        [bash, str(ROOT / ".ci" / "release"), "9.9.9"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "9.9.9" in refused.stderr and "package.xml" in refused.stderr


@pytest.mark.slow
@pytest.mark.ros
def test_colcon_builds_the_package(copy: Path, tmp_path: Path) -> None:
    colcon = shutil.which("colcon") or shutil.which(
        "colcon", path=str(Path(sys.executable).parent)
    )
    if colcon is None:
        pytest.skip("needs colcon (pip install colcon-core colcon-ros colcon-python-setup-py)")
    command = [colcon, "build", "--packages-select", "ineus_ros", "--base-paths", str(copy)]
    environment = os.environ | {"COLCON_HOME": str(tmp_path / "home")}
    built = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    prefix = tmp_path / "install" / "ineus_ros"
    executable = prefix / "lib" / "ineus_ros" / "reconstruct"
    assert os.access(executable, os.X_OK)
    assert executable.read_text().startswith("#!")
    assert (prefix / "share" / "ineus_ros" / "launch" / "reconstruct.launch.py").is_file()


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _metadata(wheel: zipfile.ZipFile) -> str:
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return wheel.read(name).decode()
