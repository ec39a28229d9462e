# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Modules under the names that they had in 0.1.0, for scripts of users; gone with 0.3.0."""

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

FORMER_NAMES = {
    "ineus_core.bounds": "ineus_core.reconstruction.scene_bounds",
    "ineus_core.held_out": "ineus_core.pipeline.held_out",
    "ineus_core.offline": "ineus_core.pipeline",
    "ineus_core.reconstructor": "ineus_core.reconstruction.reconstructor",
    "ineus_core.sources.bag_writer": "ineus_core.sources.bags.writer",
    "ineus_core.sources.matcher": "ineus_core.sources.bags.matcher",
    "ineus_core.sources.ros_messages": "ineus_core.sources.bags.ros_messages",
    "ineus_core.sources.rosbag": "ineus_core.sources.bags.rosbag",
    "ineus_core.sources.transforms": "ineus_core.sources.bags.transforms",
    "ineus_core.training.checkpoint": "ineus_core.reconstruction.checkpoint_files",
    "ineus_core.worker": "ineus_core.pipeline.worker",
}
"""Only what a script would import; operators and inner parts have no former name."""


class _FormerNames(MetaPathFinder, Loader):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in FORMER_NAMES else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        present = FORMER_NAMES[spec.name]
        # Frames of the import system are not counted: the second is the script's.
        warnings.warn(f"{spec.name} is now {present}", DeprecationWarning, stacklevel=2)
        module = import_module(present)
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give back the module's own spec: it was run under its present name."""
        former = module.__spec__
        assert former is not None
        module.__spec__ = former.loader_state


def offer_former_names() -> None:
    """Let the import system find modules under their former names; a second call adds nothing."""
    if not any(isinstance(finder, _FormerNames) for finder in sys.meta_path):
        sys.meta_path.append(_FormerNames())
