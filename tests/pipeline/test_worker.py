# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The worker's thread: who runs what, pausing, stopping, and errors that are seen."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from functools import partial
from types import SimpleNamespace

import pytest
from tiny_scene import wall_frame

from ineus_core.pipeline import Worker
from ineus_core.types import Frame


class Ticks:
    """A pipeline that notes ticks and the thread they come from."""

    steps_per_tick = 1
    capacity = 4

    def __init__(self) -> None:
        self.ticks = 0
        self.frames: list[Frame] = []
        self.waiting = 0
        self.threads: set[int] = set()
        self.counters: Counter[str] = Counter()
        self.reconstructor = SimpleNamespace(is_ready=False)
        self.on_tick: Callable[[], None] = lambda: None

    def submit(self, frame: Frame) -> None:
        self.frames.append(frame)
        self.waiting += 1
        self.counters["frames_in"] += 1

    def count_dropped(self, frames: int) -> None:
        self.counters["frames_in"] += frames
        self.counters["frames_dropped"] += frames

    def tick(self, now_ns: int) -> None:
        self.threads.add(threading.get_ident())
        self.ticks += 1
        self.waiting = max(0, self.waiting - 1)
        self.on_tick()


@pytest.fixture
def pipeline() -> Ticks:
    return Ticks()


@pytest.fixture
def worker(pipeline: Ticks) -> Iterator[Worker]:
    worker = Worker(pipeline, time.monotonic_ns, max_idle_steps=50)  # type: ignore[arg-type]
    worker.start()
    yield worker
    assert worker.stop(5.0)


def wait_for(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.002)


def hold(begun: threading.Event, go_on: threading.Event) -> None:
    begun.set()
    go_on.wait(5.0)


def test_frames_are_ticked_on_the_worker_s_thread(worker: Worker, pipeline: Ticks) -> None:
    for i in range(3):
        worker.submit(wall_frame(i))
        wait_for(partial(lambda n: pipeline.ticks > n, i))
    assert [f.stamp_ns for f in pipeline.frames] == [0, 100_000_000, 200_000_000]
    assert pipeline.threads == {worker._thread.ident}


def test_calls_run_on_the_worker_s_thread_and_answer(worker: Worker, pipeline: Ticks) -> None:
    future = worker.call(lambda p: (p, threading.get_ident()))
    assert future.result(5.0) == (pipeline, worker._thread.ident)


def test_an_error_in_a_call_is_the_caller_s(worker: Worker) -> None:
    def fail(pipeline: object) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        worker.call(fail).result(5.0)
    assert worker.call(lambda p: 1).result(5.0) == 1
    assert worker.error is None


def test_a_call_that_was_given_up_harms_nobody(worker: Worker) -> None:
    begun, go_on = threading.Event(), threading.Event()
    worker.call(lambda p: hold(begun, go_on))
    assert begun.wait(5.0)
    given_up = worker.call(lambda p: 1)
    assert given_up.cancel()
    go_on.set()
    assert worker.call(lambda p: 2).result(5.0) == 2
    with pytest.raises(CancelledError):
        given_up.result(0)
    assert worker.error is None


def test_without_work_it_rests(worker: Worker, pipeline: Ticks) -> None:
    time.sleep(0.05)
    assert pipeline.ticks == 0


def test_it_trains_on_for_a_while_after_the_last_frame(worker: Worker, pipeline: Ticks) -> None:
    pipeline.reconstructor.is_ready = True
    worker.submit(wall_frame())
    wait_for(lambda: pipeline.ticks >= 45)
    time.sleep(0.3)
    assert pipeline.ticks <= 55
    # A new frame begins a new while.
    worker.submit(wall_frame(1))
    wait_for(lambda: pipeline.ticks >= 90)


def test_pause_and_resume(worker: Worker, pipeline: Ticks) -> None:
    worker.pause()
    assert worker.paused
    worker.submit(wall_frame())
    wait_for(lambda: len(pipeline.frames) == 1)
    time.sleep(0.05)
    assert pipeline.ticks == 0
    # Calls are answered meanwhile.
    assert worker.call(lambda p: 1).result(5.0) == 1
    worker.resume()
    wait_for(lambda: pipeline.ticks == 1)
    assert not worker.paused


def test_frames_that_come_during_a_long_tick_are_bounded_and_counted(
    worker: Worker, pipeline: Ticks
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    worker.call(lambda p: hold(begun, go_on))
    assert begun.wait(5.0)
    for i in range(10):
        worker.submit(wall_frame(i))
    go_on.set()
    wait_for(lambda: pipeline.counters["frames_in"] == 10)
    assert pipeline.counters["frames_dropped"] == 6
    assert [f.stamp_ns // 100_000_000 for f in pipeline.frames] == [6, 7, 8, 9]


def test_an_error_in_a_tick_is_kept_and_ends_the_thread(pipeline: Ticks) -> None:
    worker = Worker(pipeline, time.monotonic_ns)  # type: ignore[arg-type]

    def fail() -> None:
        raise RuntimeError("out of memory")

    pipeline.on_tick = fail
    worker.start()
    worker.submit(wall_frame())
    wait_for(lambda: worker.error is not None)
    assert str(worker.error) == "out of memory"
    with pytest.raises(RuntimeError, match="has stopped"):
        worker.call(lambda p: 1).result(5.0)
    for i in range(100):
        worker.submit(wall_frame(i))
    assert len(worker._frames) <= pipeline.capacity
    assert worker.stop()


def test_stopping_ends_calls_that_wait(pipeline: Ticks) -> None:
    worker = Worker(pipeline, time.monotonic_ns)  # type: ignore[arg-type]
    waiting = worker.call(lambda p: 1)
    worker._stopping = True
    worker.start()
    with pytest.raises(RuntimeError, match="has stopped"):
        waiting.result(5.0)


def test_stopping_waits_for_the_present_tick_at_most(pipeline: Ticks) -> None:
    worker = Worker(pipeline, time.monotonic_ns)  # type: ignore[arg-type]
    begun, go_on = threading.Event(), threading.Event()
    pipeline.on_tick = lambda: hold(begun, go_on)
    worker.start()
    worker.submit(wall_frame())
    assert begun.wait(5.0)
    assert not worker.stop(0.05)
    go_on.set()
    assert worker.stop(5.0)


def test_a_worker_that_never_began_is_stopped(pipeline: Ticks) -> None:
    assert Worker(pipeline, time.monotonic_ns).stop()  # type: ignore[arg-type]
