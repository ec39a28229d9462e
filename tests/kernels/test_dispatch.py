# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which version of an operator is taken, by device and compilers or by configuration."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
import torch

from ineus_core.errors import ConfigError, MissingDependencyError
from ineus_core.kernels import dispatch

ALL = {"numba", "triton"}
FOLDER = Path(dispatch.__file__).parent
OPERATORS = sorted(path.parent.name for path in FOLDER.glob("*/__init__.py"))


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[set[str]], None]]:
    """Pretend that just these packages are installed."""
    dispatch._fastest.cache_clear()
    yield lambda packages: monkeypatch.setattr(
        dispatch, "find_spec", {name: object() for name in packages}.get
    )
    dispatch._fastest.cache_clear()


@pytest.mark.parametrize(
    ("device", "installed", "expected"),
    [
        ("cpu", ALL, "cpu"),
        ("cpu", {"triton"}, "reference"),
        ("cuda", {"numba"}, "reference"),
        ("mps", ALL, "reference"),
    ],
)
def test_the_version_for_a_device_if_its_compiler_is_installed(
    device: str, installed: set[str], expected: str, install: Callable[[set[str]], None]
) -> None:
    install(installed)
    for operator in ("adam", "occupancy", "observed_mask", "nearest_disc", "ray_marching"):
        module = dispatch.fastest(operator, torch.device(device))
        assert module.__name__ == f"ineus_core.kernels.{operator}.{expected}"


def test_an_operator_without_a_version_for_a_compiler(install: Callable[[set[str]], None]) -> None:
    install(ALL)
    assert dispatch.fastest("block_lattice", torch.device("cpu")).__name__.endswith("reference")
    install(set())
    with pytest.raises(MissingDependencyError, match="numba is not installed"):
        dispatch.fastest("rvl", dispatch.HOST)


def test_the_choice_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = dispatch.fastest("adam", dispatch.HOST)
    monkeypatch.setattr(dispatch, "import_module", None)
    assert dispatch.fastest("adam", torch.device("cpu")) is first


@pytest.mark.parametrize(
    ("asked", "device", "error", "message"),
    [
        ("triton", "cpu", ConfigError, "field.backend triton needs a CUDA device, not cpu"),
        ("numba", "cuda", ConfigError, "field.backend numba needs the CPU, not cuda"),
        ("tcnn", "cpu", MissingDependencyError, "tinycudann is not installed"),
    ],
)
def test_a_backend_that_cannot_run_is_refused(
    asked: str, device: str, error: type[Exception], message: str,
    install: Callable[[set[str]], None], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    install(ALL)
    monkeypatch.setitem(sys.modules, "tinycudann", None)
    with pytest.raises(error, match=message):
        dispatch.resolve("field.backend", asked, "hash_grid", torch.device(device))


def test_doors_open_without_compilers() -> None:
    doors = ", ".join(f"ineus_core.kernels.{operator}" for operator in OPERATORS)
    code = f"import sys; sys.modules.update(numba=None, triton=None); import {doors}"
    subprocess.run([sys.executable, "-c", code], cwd=FOLDER.parents[1], check=True)


@pytest.mark.parametrize("operator", OPERATORS)
def test_each_function_of_a_door_has_a_docstring(operator: str) -> None:
    door = import_module(f"ineus_core.kernels.{operator}")
    for name, thing in vars(door).items():
        if callable(thing) and getattr(thing, "__module__", "").startswith(door.__name__):
            assert thing.__doc__, f"{operator}.{name}"
