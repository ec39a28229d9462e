# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The node over DDS for a long time, with all that can be asked of it: does anything grow or stop?

A camera with depth sends; subscribers come and go; every service is called in turn. Each
minute a line says what the node holds and does. At the end these are judged:

- growth of memory (RSS) over the second half, by a line of medians: at most 25 MB. Not in runs of
  less than 20 minutes, in which keyframes, mesh and caches still fill;
- threads, descriptors and segments of shared memory at the end of the second half beside its
  beginning: at most 2 more;
- longest time without a step while the node was not paused: at most 5 s;
- each image sent is received or counted as lost, and each received is a frame or a counted drop.

Run: python benchmarks/soak.py --minutes M [--device D] [--rate-hz R] [--set A.B=V]
"""

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseArray, PoseStamped
from nav_msgs.msg import OccupancyGrid
from nav_msgs.msg import Path as PathMessage
from over_dds import CAMERA, START_S, counted, settled
from rcl_interfaces.srv import GetParameters
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from std_srvs.srv import SetBool

from ineus_core.errors import IneusError
from ineus_ros.demo.listener import Listener, wait_until
from ineus_ros.demo.processes import ChildProcess, private_domain
from ineus_ros.outputs.clouds import cloud_message

SAMPLE_S, SERVICE_S, SUBSCRIBER_S = 1.0, 3.0, 4.0
SETTLE_S = 120.0
GROWTH_MB, MORE, STANDSTILL_S = 25.0, 2, 5.0
FILLED_MIN = 20.0
CALLS = (
    "save_mesh", "query", "save_checkpoint", "render", "load_checkpoint", "pause",
    "get_parameters", "save_mesh", "query", "render", "reset",
)  # fmt: skip
"""Services in turn, and requests on topics."""
OUTPUTS: tuple[tuple[str, type], ...] = (
    ("color/image", Image),
    ("depth/image", Image),
    ("normal/image", Image),
    ("camera_info", CameraInfo),
    ("occupancy", OccupancyGrid),
    ("esdf_slice", PointCloud2),
    ("query_result", PointCloud2),
    ("keyframes", PoseArray),
    ("path", PathMessage),
)


@dataclass(frozen=True)
class Sample:
    """What the node holds at a time."""

    at_s: float
    rss_mb: float
    threads: int
    descriptors: int
    segments: int


class Steps:
    """The longest time in which the number of steps stood still, pauses apart."""

    def __init__(self) -> None:
        """Begin with no step."""
        self.total = 0
        self.longest_s = 0.0
        self._newest, self._since_s, self._is_paused = -1, time.monotonic(), False
        self._lock = threading.Lock()

    def see(self, step: int) -> None:
        """Take the number that the node tells; after a reset it is smaller than before."""
        with self._lock:
            if step != self._newest:
                self.total += max(step - self._newest, 0) if self._newest >= 0 else 0
                self._newest, self._since_s = step, time.monotonic()
            if not self._is_paused and self._newest >= 0:
                self.longest_s = max(self.longest_s, time.monotonic() - self._since_s)

    def pause(self, is_paused: bool) -> None:
        """Leave out the time from now on, or take it in."""
        with self._lock:
            self._is_paused, self._since_s = is_paused, time.monotonic()


class Company:
    """Calls services, and comes and goes as a subscriber, until it is told to stop."""

    def __init__(self, listener: Listener, steps: Steps) -> None:
        """Begin."""
        self.counts: Counter[str] = Counter()
        self._listener, self._steps = listener, steps
        self._stop = threading.Event()
        works = (self._call_services, self._subscribe, self._join_and_leave)
        self._threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; what was paused goes on."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _call_services(self) -> None:
        for name in itertools.cycle(CALLS):
            if self._stop.wait(SERVICE_S):
                return
            try:
                self.counts[f"{name} {self._call(name)}"] += 1
            except IneusError as error:
                self.counts[f"{name} without answer"] += 1
                print(f"{name}: {error}", file=sys.stderr)

    def _call(self, name: str) -> str:
        call, node = self._listener.call, self._listener.node
        match name:
            case "pause":
                self._steps.pause(True)
                call("pause", SetBool, data=True)
                self._stop.wait(1.0)
                is_done = call("pause", SetBool, data=False).success
                self._steps.pause(False)
            case "get_parameters":
                is_done = bool(call(name, GetParameters, names=["device"]).values)
            case "query" | "render":
                kind = PointCloud2 if name == "query" else PoseStamped
                publisher = node.create_publisher(kind, f"/ineus/{name}", 5)
                is_done = wait_until(publisher.get_subscription_count, 60.0)  # type: ignore[arg-type]
                publisher.publish(self._request(name))
                self._stop.wait(1.0)
                node.destroy_publisher(publisher)
            case _:
                is_done = call(name).success
        return "done" if is_done else "refused"

    def _request(self, name: str) -> Any:
        if name == "render":
            request = PoseStamped()
            request.pose.orientation.w = 1.0
            request.header.frame_id = "odom"
            return request
        points = np.random.default_rng(0).uniform(-1, 1, (1000, 3)).astype(np.float32)
        records = points.view(np.dtype([(axis, "<f4") for axis in "xyz"])).ravel()
        return cloud_message(Header(frame_id="odom"), records)

    def _subscribe(self) -> None:
        """Listen to one output after the other, for a while each."""
        node = self._listener.node
        for topic, kind in itertools.cycle(OUTPUTS):
            heard = f"{topic} heard"
            subscription = node.create_subscription(
                kind, f"/ineus/{topic}", lambda _, heard=heard: self.counts.update([heard]), 1
            )
            ended = self._stop.wait(SUBSCRIBER_S)
            node.destroy_subscription(subscription)
            if ended:
                return

    def _join_and_leave(self) -> None:
        """Be a program that starts, takes the mesh and ends."""
        while not self._stop.wait(SUBSCRIBER_S):
            with Listener() as late:
                self._stop.wait(SUBSCRIBER_S)
                self.counts["programs that came and went"] += 1
                self.counts["messages of the mesh that they took"] += late.receiver.messages


def sample(process: int, at_s: float) -> Sample:
    """Look at a process from outside."""
    root = Path(f"/proc/{process}")
    status = dict(
        line.split(":", 1) for line in (root / "status").read_text().splitlines() if ":" in line
    )
    maps = (root / "maps").read_text().splitlines()
    shared = {line.split(maxsplit=5)[-1] for line in maps if "/dev/shm/" in line}
    descriptors = sum(1 for _ in (root / "fd").iterdir())
    rss_mb = int(status["VmRSS"].split()[0]) / 1024
    return Sample(at_s, rss_mb, int(status["Threads"]), descriptors, len(shared))


def growth(samples: list[Sample]) -> tuple[float, dict[str, float]]:
    """Return the growth of memory in MB over the samples, and of the counts from begin to end."""
    parts = [list(part) for part in np.array_split(np.arange(len(samples)), 8)]
    medians = {
        name: [statistics.median(getattr(samples[i], name) for i in part) for part in parts]
        for name in ("rss_mb", "threads", "descriptors", "segments")
    }
    slope = float(np.polyfit(range(len(parts)), medians["rss_mb"], 1)[0])
    more = {
        name: statistics.mean(values[-2:]) - statistics.mean(values[:2])
        for name, values in medians.items()
        if name != "rss_mb"
    }
    return slope * (len(parts) - 1), more


def soak(
    arguments: argparse.Namespace, environment: Mapping[str, str], folder: Path
) -> dict[str, Any]:
    """Run node, camera and company; return the figures."""
    given = {
        "device": arguments.device,
        "pose_source": "odom",
        "depth_input": "required",
        "output_dir": folder / "out",
        "diagnostics_rate_hz": 5.0,
        "pipeline.report_rate_hz": 5.0,
        "occupancy_rate_hz": 1.0,
        "esdf_rate_hz": 1.0,
        "meshing.voxel_size_m": 0.05,
        "render_width_px": 80,
        **dict(setting.split("=", 1) for setting in arguments.settings),
    }
    words = [sys.executable, "-m", "ineus_ros.node", "--ros-args"]
    words += [word for item in given.items() for word in ("-p", f"{item[0]}:={item[1]}")]
    samples: list[Sample] = []
    steps = Steps()
    seconds = 60.0 * arguments.minutes
    with Listener() as listener, ChildProcess(words, environment, folder / "node.log") as node:
        wait_until(lambda: bool(listener.status) or not node.is_running, START_S)
        options = ["--case", "depth", "--seconds", str(seconds)]
        options += ["--rate-hz", str(arguments.rate_hz)]
        words = [sys.executable, str(CAMERA), *options]
        with ChildProcess(words, environment, folder / "camera.log") as camera:
            # The first step compiles, which is no stand-still.
            wait_until(lambda: listener.number("training", "step") > 0, START_S)
            company = Company(listener, steps)
            begin_s = time.monotonic()
            for now_s in ticks(begin_s):
                if not (camera.is_running and node.is_running):
                    break
                steps.see(listener.number("training", "step"))
                samples.append(sample(node.process.pid, now_s - begin_s))
                if len(samples) % round(60 / SAMPLE_S) == 0:
                    print_line(samples[-1], steps, listener)
            company.stop()
            camera.stop()
            sent = json.loads((folder / "camera.log").read_text().strip().splitlines()[-1])
        statuses = listener.statuses
        seen = listener.statuses + 10
        wait_until(lambda: listener.statuses >= seen and settled(listener), SETTLE_S)
        counts = counted(listener)
        is_alive = node.is_running
        exit_code = node.stop(60.0)
    measured = samples[len(samples) // 2 :]
    grown_mb, more = growth(measured)
    hours = (measured[-1].at_s - measured[0].at_s) / 3600
    return {
        **sent,
        **counts,
        "uncounted": sent["images_sent"] - counts["received"] - counts["lost"],
        "unaccounted": counts["received"] - counts["frames"] - counts["dropped"],
        "node_lives": is_alive,
        "statuses": statuses,
        "exit_code": exit_code,
        "minutes": round(samples[-1].at_s / 60, 1),
        "rss_mb": round(samples[-1].rss_mb),
        "rss_growth_mb": round(grown_mb, 1),
        "rss_slope_mb_per_h": round(grown_mb / hours, 1),
        "more_threads": round(more["threads"], 1),
        "more_descriptors": round(more["descriptors"], 1),
        "more_segments": round(more["segments"], 1),
        "longest_standstill_s": round(steps.longest_s, 1),
        "steps": steps.total,
        "company": dict(sorted(company.counts.items())),
    }


def ticks(begin_s: float) -> Iterator[float]:
    """Yield the time at each sample, without end."""
    for number in itertools.count(1):
        time.sleep(max(0.0, begin_s + number * SAMPLE_S / 5 - time.monotonic()))
        if number % 5 == 0:
            yield time.monotonic()


def print_line(now: Sample, steps: Steps, listener: Listener) -> None:
    """Say how it is after each minute."""
    print(
        f"{now.at_s / 60:5.1f} min: RSS {now.rss_mb:.0f} MB, {now.threads} threads, "
        f"{now.descriptors} descriptors, {now.segments} segments, {steps.total} steps, longest "
        f"stand-still {steps.longest_s:.1f} s, {listener.number('input', 'frames')} frames, "
        f"{listener.receiver.triangles} triangles",
        flush=True,
    )


def shortfalls(report: Mapping[str, Any]) -> list[str]:
    """Return what is beyond its bound."""
    found = []
    if not report["node_lives"] or report["exit_code"]:
        found.append(f"the node ended with code {report['exit_code']}")
    if report["uncounted"] or report["unaccounted"]:
        found.append("an image is in no count")
    if report["minutes"] >= FILLED_MIN and report["rss_growth_mb"] > GROWTH_MB:
        found.append(f"memory grew by more than {GROWTH_MB:g} MB")
    found += [
        f"{report[name]} {name}, allowed {MORE}"
        for name in ("more_threads", "more_descriptors", "more_segments")
        if report[name] > MORE
    ]
    if report["longest_standstill_s"] > STANDSTILL_S:
        found.append(f"no step for more than {STANDSTILL_S:g} s")
    if report["statuses"] < 30 * report["minutes"]:
        found.append("the listener heard too few statuses to judge by")
    found += [f"{what}: {n}" for what, n in report["company"].items() if "without answer" in what]
    return found


def main() -> int:
    """Run; 1 if anything is beyond its bound."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rate-hz", type=float, default=10.0)
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="A.B=V")
    arguments = parser.parse_args()
    with private_domain() as environment, tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment)
        report = soak(arguments, environment, Path(folder))
    print(json.dumps(report, indent=2))
    found = shortfalls(report)
    for shortfall in found:
        print(f"soak: {shortfall}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
