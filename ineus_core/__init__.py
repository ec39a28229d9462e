# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Live neural surface reconstruction from posed camera frames; no ROS in here.

The public names are loaded when they are first used, so that `import ineus_core` and
`ineus --help` do not wait for torch.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ineus_core.former_names import offer_former_names

# Before OpenMP is loaded: its threads would spin while they wait, and so keep the cores from
# whoever has the work. On two busy cores a step took eight times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
offer_former_names()

if TYPE_CHECKING:
    from ineus_core.config import Config, load_config, resolve_device
    from ineus_core.keyframes import KeyframePolicy
    from ineus_core.meshing import write_mesh
    from ineus_core.pipeline import Pipeline
    from ineus_core.reconstruction import Reconstructor
    from ineus_core.sources import open_source
    from ineus_core.types import Camera, Frame

    __version__: str

__all__ = [
    "Camera",
    "Config",
    "Frame",
    "KeyframePolicy",
    "Pipeline",
    "Reconstructor",
    "__version__",
    "load_config",
    "open_source",
    "resolve_device",
    "write_mesh",
]

_MODULE_OF = {
    "Camera": "types",
    "Config": "config",
    "Frame": "types",
    "KeyframePolicy": "keyframes",
    "Pipeline": "pipeline",
    "Reconstructor": "reconstruction",
    "load_config": "config",
    "open_source": "sources",
    "resolve_device": "config",
    "write_mesh": "meshing",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = _version()
    elif name in _MODULE_OF:
        value = getattr(import_module(f"ineus_core.{_MODULE_OF[name]}"), name)
    else:
        raise AttributeError(f"module 'ineus_core' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    """Return the version of the installed package, or of the package.xml of a checkout."""
    from importlib.metadata import PackageNotFoundError, version
    from pathlib import Path
    from xml.etree import ElementTree

    try:
        return version("ineus_ros")
    except PackageNotFoundError:
        manifest = Path(__file__).parents[1] / "package.xml"
        if not manifest.is_file():
            return "unknown"
        return ElementTree.parse(manifest).getroot().findtext("version") or "unknown"
