# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Jobs that are asked for periodically, or more often than they are done."""

from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from rclpy.node import Node

from ineus_ros.drops import Drops
from ineus_ros.jobs import Backlog, Periodic

pytestmark = pytest.mark.ros


def silent_drops() -> Drops:
    return Drops(SimpleNamespace(warning=lambda message: None))


def test_of_too_many_jobs_the_oldest_that_has_not_begun_is_given_up() -> None:
    drops = silent_drops()
    backlog = Backlog(2, drops, "overtaken", "too fast")
    done, running, *waiting = (Future[int]() for _ in range(5))
    done.set_result(1)
    assert running.set_running_or_notify_cancel()
    for job in (done, running, *waiting):
        backlog.add(job)
    assert not running.cancelled() and [job.cancelled() for job in waiting] == [True, False, False]
    backlog.add(Future())
    assert [job.cancelled() for job in waiting] == [True, True, False]
    assert drops.counts == {"overtaken": 2}


def test_a_periodic_job_is_asked_for_while_somebody_wants_it_and_given_up_when_nobody_does(
    ros: Callable[..., Any],
) -> None:
    node = ros(lambda context: Node("ineus", context=context))
    jobs, got, is_wanted, drops = list[Future[int]](), list[int](), [False], silent_drops()

    def ask() -> "Future[int]":
        jobs.append(Future())
        return jobs[-1]

    periodic = Periodic(node, lambda: 1.0, lambda: is_wanted[0], ask, got.append, drops, "failed")
    periodic.look()
    assert not jobs
    is_wanted[0] = True
    periodic.look()
    periodic.look()
    assert len(jobs) == 1
    is_wanted[0] = False
    periodic.look()
    assert jobs[0].cancelled() and not drops.counts
    is_wanted[0] = True
    periodic.look()
    jobs[1].set_result(7)
    periodic.look()
    jobs[2].set_exception(RuntimeError("no"))
    assert got == [7] and drops.counts == {"failed": 1} and len(jobs) == 3
