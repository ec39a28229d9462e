# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Frames that pass, checked against each other beside the training; it warns once."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import cv2
import numpy as np

from ineus_core.consistency import InputCheck, StreamSelection, Verdict, View
from ineus_core.cores import in_short_turns
from ineus_core.errors import IneusError
from ineus_core.types import Frame

_LOG = logging.getLogger(__name__)
_LEAST_PX = 32
_EXPECTED_FRAMES = 100

PoseAt = Callable[[int], np.ndarray]


class BackgroundCheck:
    """Collects some frames and checks them on a thread of its own, once.

    Gross faults alone are looked for. The frames that it keeps are small copies.
    """

    def __init__(self) -> None:
        self.verdict: Verdict | None = None
        """None until the check is done."""
        self._pose_at: PoseAt | None = None
        self._names_settings = True
        self._thread: threading.Thread | None = None
        self._selection = StreamSelection(_EXPECTED_FRAMES)

    def expect(
        self,
        frames: int = _EXPECTED_FRAMES,
        pose_at: PoseAt | None = None,
        names_settings: bool = True,
    ) -> None:
        """Be told what will come.

        Args:
            frames: How many, over which those that are kept are spread.
            pose_at: Poses between the frames.
            names_settings: Settings that make the views agree may be named; those that would have
                to be added to others may not.
        """
        self._pose_at, self._names_settings = pose_at, names_settings
        self._selection = StreamSelection(frames)

    def add(self, frame: Frame) -> None:
        """Look at a frame; the last one that is needed starts the check."""
        # Of a rig the first camera stands for all: they share the poses of their body.
        if self._thread is not None or frame.camera_id or min(frame.rgb.shape[:2]) < _LEAST_PX:
            return
        try:
            self._selection.add(frame)
        except (cv2.error, IneusError):
            _LOG.debug("a frame cannot be compared", exc_info=True)
        if self._selection.is_full:
            self._start()

    def finish(self) -> Verdict | None:
        """Check what there is, if that has not been done, and wait for it."""
        if self._thread is None and self._selection.views:
            self._start()
        if self._thread is not None:
            self._thread.join()
        return self.verdict

    def restart(self) -> None:
        """Forget all; a check that runs ends unheard."""
        self.verdict, self._thread = None, None
        self._selection = StreamSelection(_EXPECTED_FRAMES)

    def _start(self) -> None:
        views = self._selection.views
        # Of what training asks of the device each call would wait for this one's turn.
        self._thread = threading.Thread(
            target=in_short_turns, args=(partial(self._check, views),), name="input check",
            daemon=True,
        )  # fmt: skip
        self._thread.start()

    def _check(self, views: list[View]) -> None:
        try:
            verdict = InputCheck(views, pose_at=self._pose_at).verdict(is_thorough=False)
        # A check that fails is no reason to stop what it checks.
        except Exception:
            _LOG.exception("the input could not be checked")
            return
        # It was restarted meanwhile, and nobody waits for what was.
        if threading.current_thread() is not self._thread:
            return
        if verdict.settings and not self._names_settings:
            message = "Overlapping views contradict each other as poses and depth are read now."
            verdict = replace(verdict, message=message, hypothesis="", settings={})
        if verdict.result == "contradicts":
            _LOG.warning("%s `ineus check` looks closer.", verdict.message)
        self.verdict = verdict
