# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Steps a second, age of the mesh, drops and memory of the last minutes, as curves in a panel."""

from collections import deque
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

# One a second: ten minutes.
_SAMPLES = 600


@dataclass(frozen=True)
class Sample:
    """What a run does at a moment."""

    at_s: float
    """Since the page began."""
    steps_per_second: float
    mesh_age_s: float
    drops: int
    memory_mb: float


_TITLES = ("steps a second", "age of the mesh, s", "frames dropped", "memory, MB")
_COLOURS = ("#2563eb", "#d97706", "#dc2626", "#059669")


class Curves:
    """Four charts of the newest samples.

    Args:
        server: The viser server.
        panel: Where the charts stand.
    """

    def __init__(self, server: Any, panel: Any) -> None:
        """Draw nothing yet."""
        self._samples: deque[Sample] = deque(maxlen=_SAMPLES)
        with panel:
            self._charts = [
                server.gui.add_uplot(
                    (np.zeros(1), np.zeros(1)),
                    ({"label": "s"}, {"label": title, "stroke": colour, "width": 2}),
                    title=title,
                    scales={"x": {"time": False}},
                    axes=({"size": 24}, {"size": 52}),
                    legend={"show": False},
                    height=130,
                )
                for title, colour in zip(_TITLES, _COLOURS, strict=True)
            ]

    def add(self, sample: Sample) -> None:
        """Take a sample; the oldest makes room."""
        self._samples.append(sample)

    def draw(self) -> None:
        """Send the charts as they are now."""
        if len(self._samples) < 2:
            return
        at_s, *series = np.array([astuple(sample) for sample in self._samples]).T
        for chart, values in zip(self._charts, series, strict=True):
            chart.data = (at_s, values)
