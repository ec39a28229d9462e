# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The worker's thread: who runs what, pausing, stopping, and errors that are seen."""

import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from functools import partial

import pytest
import torch
from tiny_scene import tiny_config, wall_frame

from ineus_core.pipeline import NullSink, Pipeline, PipelineConfig, Worker
from ineus_core.pipeline.worker import REQUEST_SHARE
from ineus_core.reconstruction import FrameIntake, JudgedFrame, Reconstructor
from ineus_core.timing import InParts
from ineus_core.types import Frame

HUNG_S = 60.0
"""Longer than anything takes on a busy machine."""


class QuietIntake(FrameIntake):
    """Adds each frame to a list."""

    def __init__(self, frames: list[Frame]) -> None:
        self.frames, self.map, self._unmeasured = frames, None, None

    def limit_estimation(self, *_: object) -> None:
        pass

    def judge(self, frame: Frame) -> JudgedFrame:
        return JudgedFrame(frame.stamp_ns, frame, 1)

    def take(self, judged: JudgedFrame) -> bool:
        assert judged.frame is not None
        self.frames.append(judged.frame)
        return True


class Quiet(Reconstructor):
    """A reconstructor that only notes the frames, so that a tick takes no time."""

    is_ready = False  # type: ignore[assignment]
    config = tiny_config()  # type: ignore[assignment]

    def __init__(self) -> None:
        self.device, self.ranks = torch.device("cpu"), None
        self.frames: list[Frame] = []
        self.intake = QuietIntake(self.frames)

    def step(self) -> None: ...

    def reset(self) -> None:
        self.frames.clear()


class Ticks(Pipeline):
    """A pipeline that notes ticks and the thread they come from."""

    def __init__(self) -> None:
        self.quiet = Quiet()
        config = PipelineConfig(steps_per_tick=1, queue_mb=4 * wall_frame(0).bytes / 1e6)
        super().__init__(self.quiet, NullSink(), config, is_live=True)
        self.ticks = 0
        self.threads: set[int] = set()
        self.on_tick: Callable[[], None] = lambda: None

    @property
    def frames(self) -> list[Frame]:
        """The frames that a tick has taken."""
        return self.quiet.frames

    def tick(self, now_ns: int) -> None:
        self.threads.add(threading.get_ident())
        self.take_frame()
        self.ticks += 1
        self.on_tick()


@pytest.fixture
def pipeline() -> Ticks:
    return Ticks()


@pytest.fixture
def worker(pipeline: Ticks) -> Iterator[Worker]:
    worker = Worker(pipeline, time.monotonic_ns, max_idle_steps=50)
    worker.start()
    yield worker
    assert worker.stop(HUNG_S)


def wait_for(condition: Callable[[], bool], timeout_s: float = HUNG_S) -> None:
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.002)


def hold(begun: threading.Event, go_on: threading.Event) -> None:
    begun.set()
    go_on.wait(HUNG_S)


def test_frames_are_ticked_on_the_worker_s_thread(worker: Worker, pipeline: Ticks) -> None:
    for i in range(3):
        worker.submit(wall_frame(i))
        wait_for(partial(lambda n: pipeline.ticks > n, i))
    assert [f.stamp_ns for f in pipeline.frames] == [0, 100_000_000, 200_000_000]
    assert pipeline.threads == {worker._thread.ident}


def test_calls_run_on_the_worker_s_thread_and_answer(worker: Worker, pipeline: Ticks) -> None:
    future = worker.call(lambda p: (p, threading.get_ident()))
    assert future.result(HUNG_S) == (pipeline, worker._thread.ident)


def test_other_threads_take_short_turns_as_long_as_it_runs(worker: Worker) -> None:
    assert worker.call(lambda _: sys.getswitchinterval()).result(5) == pytest.approx(5e-4)


def test_an_error_in_a_call_is_the_caller_s(worker: Worker) -> None:
    def fail(pipeline: object) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        worker.call(fail).result(HUNG_S)
    assert worker.call(lambda p: 1).result(HUNG_S) == 1
    assert worker.error is None


def test_a_call_that_was_given_up_harms_nobody(worker: Worker) -> None:
    begun, go_on = threading.Event(), threading.Event()
    worker.call(lambda p: hold(begun, go_on))
    assert begun.wait(HUNG_S)
    given_up = worker.call(lambda p: 1)
    assert given_up.cancel()
    go_on.set()
    assert worker.call(lambda p: 2).result(HUNG_S) == 2
    with pytest.raises(CancelledError):
        given_up.result(0)
    assert worker.error is None


def save(runs: list[str]) -> str:
    runs.append("save")
    return "saved"


class Clock:
    """Time that only the worker's own work lets go on."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def spend(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.mark.parametrize("request_s", [0.0, 0.25, 4.0])
def test_five_who_ask_without_end_leave_training_its_share(
    pipeline: Ticks, request_s: float
) -> None:
    """Ask as publishers do: anew as soon as there is an answer."""
    clock, log, enough = Clock(), list[str](), threading.Event()
    worker = Worker(pipeline, time.monotonic_ns, max_idle_steps=10**9, now_s=clock)
    pipeline.quiet.is_ready = True

    def tick() -> None:
        clock.spend(0.125)
        log.append("tick")

    def job(_: Pipeline) -> None:
        clock.spend(request_s)
        log.append("request")

    def ask_again(_: "Future[None]") -> None:
        if log.count("request") >= 25:
            enough.set()
        else:
            worker.call(job).add_done_callback(ask_again)

    pipeline.on_tick = tick
    for _ in range(5):
        worker.call(job).add_done_callback(ask_again)
    worker.start()
    assert enough.wait(HUNG_S)
    assert worker.stop(HUNG_S)
    begun = [index for index, what in enumerate(log) if what == "request"]
    ticks_between = [b - a - 1 for a, b in itertools.pairwise(begun)]
    due = request_s * (1 / REQUEST_SHARE - 1) / 0.125
    assert len(ticks_between) >= 24 and set(ticks_between) == {max(1, due)}


def test_a_long_request_is_done_in_parts_between_which_training_goes_on(pipeline: Ticks) -> None:
    clock, log = Clock(), list[str]()
    worker = Worker(pipeline, time.monotonic_ns, max_idle_steps=10**9, now_s=clock)
    pipeline.quiet.is_ready = True

    def tick() -> None:
        clock.spend(0.125)
        log.append("tick")

    def view(name: str) -> InParts[str]:
        for part in range(3):
            if part:
                yield
            clock.spend(0.25)
            log.append(name)
        return f"{name} is done"

    pipeline.on_tick = tick
    views = [worker.call_in_parts(lambda _, n=name: view(n)) for name in "ab"]  # type: ignore[misc]
    short = worker.call(lambda _: log.append("short"))
    worker.start()
    assert [future.result(HUNG_S) for future in views] == ["a is done", "b is done"]
    short.result(HUNG_S)
    assert worker.stop(HUNG_S)
    # What takes one part does not wait for what takes many, of which one at a time has begun.
    assert [what for what in log if what != "tick"] == ["a", "short", *"aabbb"]
    at = [index for index, what in enumerate(log) if what != "tick"]
    # Ticks take as long as what was done before them, and the short one took no time.
    assert [b - a - 1 for a, b in itertools.pairwise(at)] == [2, 1, 2, 2, 2, 2]


def test_a_request_in_parts_goes_on_while_training_rests_and_ends_with_the_worker(
    worker: Worker,
) -> None:
    def parts(pipeline: Pipeline) -> InParts[int]:
        for _ in range(3):
            yield
        return pipeline.waiting

    def endless(pipeline: Pipeline) -> InParts[int]:
        while True:
            begun.set()
            yield

    def fails(pipeline: Pipeline) -> InParts[int]:
        yield
        raise ValueError("no")

    begun = threading.Event()
    worker.pause()
    assert worker.call_in_parts(parts).result(HUNG_S) == 0
    with pytest.raises(ValueError, match="no"):
        worker.call_in_parts(fails).result(HUNG_S)
    never = worker.call_in_parts(endless)
    assert begun.wait(HUNG_S)
    # It is too late to give up what has begun, so that who asks anew for ever gets an answer.
    assert not never.cancel()
    assert worker.stop(HUNG_S)
    with pytest.raises(RuntimeError, match="has stopped"):
        never.result(HUNG_S)


def test_equal_requests_are_joined_and_each_asker_gets_the_answer(worker: Worker) -> None:
    begun, go_on, runs = threading.Event(), threading.Event(), list[str]()
    worker.call(lambda p: hold(begun, go_on))
    assert begun.wait(HUNG_S)
    answers = [worker.call(lambda p: save(runs), "save") for _ in range(3)]
    other = worker.call(lambda p: len(runs), "other")
    unnamed = [worker.call(lambda p: runs.append("unnamed")) for _ in range(2)]
    # One of those who ask may go without the others' harm.
    assert answers[0].cancel()
    assert worker.requests_waiting == 4
    go_on.set()
    assert [answer.result(HUNG_S) for answer in answers[1:]] == ["saved", "saved"]
    assert other.result(HUNG_S) == 1
    assert [answer.result(HUNG_S) for answer in unnamed] == [None, None]
    assert runs == ["save", "unnamed", "unnamed"]
    # What has begun is not joined: it may have read what has changed since.
    assert worker.call(lambda p: save(runs), "save").result(HUNG_S) == "saved"
    assert runs.count("save") == 2


def test_what_nobody_waits_for_is_neither_run_nor_kept(worker: Worker) -> None:
    begun, go_on, runs = threading.Event(), threading.Event(), list[int]()
    worker.call(lambda p: hold(begun, go_on))
    assert begun.wait(HUNG_S)
    for number in range(1000):
        assert worker.call(lambda p, n=number: runs.append(n)).cancel()  # type: ignore[misc]
    last = worker.call(lambda p: runs.append(-1))
    assert worker.requests_waiting == 1
    go_on.set()
    last.result(HUNG_S)
    assert runs == [-1]


def test_without_work_it_rests(worker: Worker, pipeline: Ticks) -> None:
    for _ in range(3):
        worker.call(lambda p: None).result(HUNG_S)
    assert pipeline.ticks == 0


def test_it_trains_on_for_a_while_after_the_last_frame(worker: Worker, pipeline: Ticks) -> None:
    pipeline.quiet.is_ready = True
    worker.submit(wall_frame())
    wait_for(lambda: worker._idle_steps > 50)
    ended = pipeline.ticks
    assert 45 <= ended <= 55
    # A new frame begins a new while.
    worker.submit(wall_frame(1))
    wait_for(lambda: pipeline.ticks >= ended + 45)


def test_pause_and_resume(worker: Worker, pipeline: Ticks) -> None:
    worker.pause()
    assert worker.paused
    worker.submit(wall_frame())
    assert worker.frames_waiting == 1
    # Calls are answered meanwhile.
    assert worker.call(lambda p: 1).result(HUNG_S) == 1
    assert pipeline.ticks == 0
    worker.resume()
    wait_for(lambda: worker.ticks == 1)
    assert worker.frames_waiting == 0
    assert not worker.paused


def test_frames_that_come_during_a_long_tick_are_bounded_and_counted(
    worker: Worker, pipeline: Ticks
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    worker.call(lambda p: hold(begun, go_on))
    assert begun.wait(HUNG_S)
    for i in range(10):
        worker.submit(wall_frame(i))
    go_on.set()
    wait_for(lambda: len(pipeline.frames) == 4)
    assert pipeline.counters["frames_dropped"] == 6
    assert [f.stamp_ns // 100_000_000 for f in pipeline.frames] == [0, 1, 2, 3]


def test_an_error_in_a_tick_is_kept_and_ends_the_thread(pipeline: Ticks) -> None:
    worker = Worker(pipeline, time.monotonic_ns)

    def fail() -> None:
        raise RuntimeError("out of memory")

    pipeline.on_tick = fail
    worker.start()
    worker.submit(wall_frame())
    wait_for(lambda: worker.error is not None)
    assert str(worker.error) == "out of memory"
    with pytest.raises(RuntimeError, match="has stopped"):
        worker.call(lambda p: 1).result(HUNG_S)
    waiting = worker.frames_waiting
    worker.submit(wall_frame(1))
    assert worker.frames_waiting == waiting
    assert worker.stop()


def test_a_worker_that_has_died_begins_anew(pipeline: Ticks) -> None:
    worker = Worker(pipeline, time.monotonic_ns)

    def fail() -> None:
        raise RuntimeError("out of memory")

    pipeline.on_tick = fail
    worker.start()
    worker.submit(wall_frame())
    wait_for(lambda: worker.error is not None)
    # A frame that nobody takes is counted, a request is answered with the reason.
    worker.submit(wall_frame(1))
    with pytest.raises(RuntimeError, match=r"died of RuntimeError\('out of memory'\); reset"):
        worker.call(lambda p: 1).result(5.0)
    pipeline.on_tick = lambda: None
    worker.restart()
    assert worker.error is None
    assert pipeline.frames == [], "the map is of a loop that has ended in the middle"
    worker.submit(wall_frame(2))
    assert worker.call(lambda p: 1).result(5.0) == 1
    wait_for(lambda: len(pipeline.frames) == 1)
    assert dict(pipeline.counters) == {"frames_in": 3, "frames_used": 2, "frames_dropped": 1}
    # One that lives goes on as it is, and one that was stopped stays so.
    thread = worker._thread
    worker.restart()
    assert worker._thread is thread
    assert worker.stop(5.0)
    worker.restart()
    assert not worker._thread.is_alive()


def test_stopping_ends_calls_that_wait(pipeline: Ticks) -> None:
    worker = Worker(pipeline, time.monotonic_ns)
    waiting = worker.call(lambda p: 1)
    worker._stopping = True
    worker.start()
    with pytest.raises(RuntimeError, match="has stopped"):
        waiting.result(HUNG_S)


def test_stopping_waits_for_the_present_tick_at_most(pipeline: Ticks) -> None:
    worker = Worker(pipeline, time.monotonic_ns)
    begun, go_on = threading.Event(), threading.Event()
    pipeline.on_tick = lambda: hold(begun, go_on)
    worker.start()
    worker.submit(wall_frame())
    assert begun.wait(HUNG_S)
    assert not worker.stop(0.05)
    go_on.set()
    assert worker.stop(HUNG_S)


def test_a_worker_that_never_began_is_stopped(pipeline: Ticks) -> None:
    assert Worker(pipeline, time.monotonic_ns).stop()
