# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Choice of the version of an operator, by device and compilers or by a key of the configuration.

Nothing else in ineus asks which compilers are installed.
"""

import logging
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import torch

from ineus_core.errors import ConfigError, MissingDependencyError

_LOG = logging.getLogger(__name__)
HOST = torch.device("cpu")
_FILE_OF = {
    "torch": "reference",
    "numba": "cpu",
    "triton": "gpu",
    "tcnn": "tcnn",
    "nerfacc": "nerfacc",
}
_COMPILER_OF = {"cpu": "numba", "cuda": "triton"}
_DEVICE_OF = {"numba": "cpu", "triton": "cuda", "tcnn": "cuda", "nerfacc": "cuda"}


def fastest(operator: str, device: torch.device) -> ModuleType:
    """Return the fastest version of an operator that runs on a device.

    Raises:
        MissingDependencyError: The operator has but a compiled version, without its compiler.
    """
    return _fastest(operator, device.type)


def fastest_backend(operator: str, device: torch.device) -> str:
    """Return the name of what `fastest` returns: torch, numba or triton."""
    compiler = _COMPILER_OF.get(device.type)
    if compiler is None or not _has(operator, compiler) or find_spec(compiler) is None:
        return "torch"
    return compiler


def compiles_ahead(device: torch.device) -> bool:
    """Decide whether a device has kernels whose compilation is better not awaited one by one."""
    return device.type == "cuda" and find_spec(_COMPILER_OF["cuda"]) is not None


def compiles_for_host() -> bool:
    """Decide whether operators are compiled for the CPU, whatever device trains."""
    return find_spec(_COMPILER_OF["cpu"]) is not None


def version(operator: str, backend: str) -> ModuleType:
    """Return one version of an operator by the name of its backend."""
    return import_module(f"{__package__}.{operator}.{_FILE_OF[backend]}")


def resolve(key: str, asked: str, operator: str, device: torch.device) -> str:
    """Return the backend that a key of the configuration stands for on a device.

    Args:
        key: Name of the key, for messages.
        asked: Its value; `auto` stands for the fastest.
        operator: What the backend is for.
        device: Where it is to run.

    Raises:
        ConfigError: The backend does not run on this device.
        MissingDependencyError: The package that it needs is not installed.
    """
    if asked == "auto":
        return _automatic(key, operator, device)
    if asked in _COMPILER_OF.values():
        if find_spec(asked) is None:
            raise MissingDependencyError(asked)
    elif asked != "torch":
        # What other projects compile says itself whether it can be used.
        version(operator, asked).require()
    if device.type != _DEVICE_OF.get(asked, device.type):
        wanted = "a CUDA device" if _DEVICE_OF[asked] == "cuda" else "the CPU"
        raise ConfigError(f"{key} {asked} needs {wanted}, not {device}: expected torch")
    return asked


def _automatic(key: str, operator: str, device: torch.device) -> str:
    backend = fastest_backend(operator, device)
    compiler = _COMPILER_OF.get(device.type)
    if backend == "torch" and compiler is not None and _has(operator, compiler):
        _LOG.info("%s auto: torch, which is slower, as %s is not installed", key, compiler)
    else:
        _LOG.info("%s auto: %s", key, backend)
    return backend


# Kept, as it is asked for with every call of an operator.
@cache
def _fastest(operator: str, device_type: str) -> ModuleType:
    backend = fastest_backend(operator, torch.device(device_type))
    if not _has(operator, backend):
        raise MissingDependencyError(_COMPILER_OF[device_type])
    return version(operator, backend)


def _has(operator: str, backend: str) -> bool:
    # By the file, as importing it would import its compiler.
    return (Path(__file__).parent / operator / f"{_FILE_OF[backend]}.py").is_file()
