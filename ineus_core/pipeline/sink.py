# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What takes the results of the loop."""

from typing import Protocol

from ineus_core.types import MeshUpdate, StepReport


class Sink(Protocol):
    """What takes the results."""

    def on_mesh(self, update: MeshUpdate) -> None:
        """Take what changed of the mesh."""

    def on_report(self, report: StepReport) -> None:
        """Take the progress."""


class NullSink:
    """Takes results and does nothing with them."""

    def on_mesh(self, update: MeshUpdate) -> None:
        """Ignore."""

    def on_report(self, report: StepReport) -> None:
        """Ignore."""
