# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Faults planted into good data: found or not, by which name, with which value, at what cost.

Run: python benchmarks/input_check.py [NAME=PATH ...] [--rgb]

A PATH is any source that can be read in any order; without one the built-in room is taken. A cell
is a value that was found, `yes` for a fault that has no value, `alarm` for one that was seen but
not named, `other: NAME` for another name, `no` or `?` (cannot tell).
"""

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import numpy as np
from planted_faults import FAULTS, Fault, PlantedSource
from scipy.spatial.transform import Rotation

from ineus_core.consistency import Verdict, check_source, choose_views
from ineus_core.sources import open_source
from ineus_core.types import Frame


class Kept:
    """The frames of a source that were read, so that built-in scenes are rendered once."""

    def __init__(self, source: Any) -> None:
        self._source, self._frames = source, dict[int, Frame]()

    def __len__(self) -> int:
        return len(self._source)

    def frame(self, index: int) -> Frame:
        """Read a frame, or give it back."""
        if index not in self._frames:
            self._frames[index] = self._source.frame(index)
        return self._frames[index]

    def pose_at(self, stamp_ns: int) -> np.ndarray:
        """Return the pose at a stamp."""
        return np.asarray(self._source.pose_at(stamp_ns))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", default=["built-in room=synthetic:room"])
    parser.add_argument("--rgb", action="store_true", help="leave depth out")
    options = parser.parse_args()
    names = [text.partition("=")[0] for text in options.sets]
    sources = [Kept(open_source(text.partition("=")[2])) for text in options.sets]
    faults = [Fault("none", "")]
    faults += [f for f in FAULTS if not (options.rgb and (f.depth_factor != 1 or f.depth_camera))]
    print(f"| planted | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for source in sources:
        # Rendering and reading are not what is measured.
        choose_views(PlantedSource(source, None, not options.rgb))
    seconds = []
    for fault in faults:
        cells = []
        for source in sources:
            begin_s = time.process_time()
            verdict = check_source(PlantedSource(source, fault, not options.rgb)).verdict
            seconds.append(time.process_time() - begin_s)
            cells.append(cell(fault, verdict))
        print(f"| {fault.name} | {' | '.join(cells)} |", flush=True)
    print(
        f"\n{statistics.median(seconds):.1f} s of CPU (median), {max(seconds):.1f} s at most, "
        "planting included"
    )


def cell(fault: Fault, verdict: Verdict) -> str:
    """Return what a verdict says of a fault, in a word."""
    if verdict.result != "contradicts":
        share = verdict.figures.get("agreement")
        good = f"agrees, {100 * share:.0f} %" if share is not None else "agrees"
        text = good if not fault.family and fault.name == "none" else "no"
        return "?" if verdict.result == "cannot tell" else text
    if not verdict.hypothesis:
        return "alarm"
    if verdict.hypothesis != fault.family:
        return f"other: {verdict.hypothesis}"
    return ", ".join(map(value_in_words, verdict.settings.values())) or "yes"


def value_in_words(value: Any) -> str:
    """Return a setting, of a mounting how far it is off."""
    if not isinstance(value, list):
        return f"{value:g}" if isinstance(value, float) else str(value).lower()
    moved_cm = 100 * np.linalg.norm(value[:3])
    return (
        f"{moved_cm:.0f} cm, {np.degrees(Rotation.from_quat(value[3:]).magnitude()):.1f} degrees"
    )


if __name__ == "__main__":
    main()
