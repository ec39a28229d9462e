# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What an offline run does for others between two steps: it answers, rests, and shows its mesh."""

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Protocol, TypeVar

from ineus_core.pipeline.loop import Pipeline
from ineus_core.pipeline.requests import Requests
from ineus_core.pipeline.sink import Sink
from ineus_core.pipeline.worker import Worker
from ineus_core.types import Frame, MeshUpdate, StepReport

_T = TypeVar("_T")
_MESH_SHARE = 0.1
"""Most of the time that meshes take which nobody but an onlooker needs."""
_MESH_PERIOD_S = 1.0
_REST_S = 0.1


class Onlooker(Sink, Protocol):
    """Who looks on while a run goes on."""

    @property
    def is_watched(self) -> bool:
        """Whether anyone would see a mesh now."""

    def on_frame(self, frame: Frame) -> None:
        """Take the newest frame."""


class Nobody:
    """Looks on at runs that nobody looks at."""

    is_watched = False

    def on_mesh(self, update: MeshUpdate) -> None:
        """Ignore."""

    def on_report(self, report: StepReport) -> None:
        """Ignore."""

    def on_frame(self, frame: Frame) -> None:
        """Ignore."""


class Beside:
    """The requests of other threads, and the pause; what `Worker` is online.

    Args:
        onlooker: Who sees the mesh.
        now_s: The clock.
    """

    def __init__(self, onlooker: Onlooker, now_s: Callable[[], float] = time.perf_counter) -> None:
        """Begin without requests."""
        self._onlooker, self._now_s = onlooker, now_s
        self._requests: Requests[Pipeline] = Requests(now_s)
        self._wake = threading.Event()
        self._paused = False
        self._worker: Worker | None = None
        self._since_s = now_s()
        self._mesh_due_s = 0.0

    @property
    def paused(self) -> bool:
        """Whether the run rests."""
        return self._paused

    def pause(self) -> None:
        """Rest after the present step."""
        self._paused = True
        if self._worker is not None:
            self._worker.pause()

    def resume(self) -> None:
        """Go on."""
        self._paused = False
        self._wake.set()
        if self._worker is not None:
            self._worker.resume()

    def leave_to(self, worker: Worker) -> None:
        """Let a worker do it from now on, as long as it has the reconstruction."""
        self._worker = worker
        if self._paused:
            worker.pause()

    def take_back(self) -> None:
        """Do it without a worker again, which has stopped."""
        self._worker = None
        self._since_s = self._now_s()

    def call(self, function: Callable[[Pipeline], _T], key: Hashable = None) -> "Future[_T]":
        """Request that a function is called between two steps; see `Worker.call`."""
        worker = self._worker
        if worker is not None:
            return worker.call(function, key)
        future = self._requests.add(function, key)
        self._wake.set()
        return future

    def end(self) -> None:
        """Refuse what is asked for and not answered yet; the run goes on no more."""
        self._requests.refuse(RuntimeError("the run has ended"))

    def turn(self, pipeline: Pipeline, check: Callable[[], object]) -> None:
        """Answer a request, if training has had its turn; to be called between two steps.

        Args:
            check: Called again and again while the run rests; may raise to end it.
        """
        if self._worker is not None:
            return
        self._requests.after_training(self._now_s() - self._since_s)
        if self._requests.is_due:
            self._requests.answer_one(pipeline)
        while self._paused:
            check()
            # Before looking: what is asked for from now on sets it again.
            self._wake.clear()
            if not self._requests.answer_one(pipeline):
                self._wake.wait(_REST_S)
        self._since_s = self._now_s()

    def show_mesh(self, pipeline: Pipeline) -> None:
        """Mesh everything if somebody looks on, where the run itself needs no mesh yet."""
        begin_s = self._now_s()
        if begin_s < self._mesh_due_s or not self._onlooker.is_watched:
            return
        pipeline.update_mesh(everything=True)
        took_s = self._now_s() - begin_s
        # A large mesh takes longer, and so comes less often.
        self._mesh_due_s = begin_s + max(_MESH_PERIOD_S, took_s / _MESH_SHARE)
        self._since_s += took_s
