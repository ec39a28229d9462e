# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A camera at 30 Hz with odometry at 200 Hz into the node, over DDS: every image is counted.

Run: python benchmarks/over_dds.py [--seconds S] [--case raw|compressed|burst] [--device D]
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ineus_ros.demo.listener import Listener, wait_until
from ineus_ros.demo.processes import ChildProcess, private_domain

CAMERA = Path(__file__).with_name("dds_camera.py")
START_S, SETTLE_S = 120.0, 60.0


def drive(
    arguments: argparse.Namespace, environment: Mapping[str, str], folder: Path
) -> dict[str, Any]:
    """Start both, wait for the end, and set what was sent beside what was counted."""
    with Listener() as listener:
        given = {
            "device": arguments.device,
            "pose_source": "odom",
            "depth_input": "none",
            "image_transport": "compressed" if arguments.case == "compressed" else "raw",
            "output_dir": folder,
            **dict(setting.split("=", 1) for setting in arguments.settings),
        }
        words = [sys.executable, "-m", "ineus_ros.node", "--ros-args"]
        words += [word for item in given.items() for word in ("-p", f"{item[0]}:={item[1]}")]
        with ChildProcess(words, environment, folder / "node.log") as node:
            wait_until(lambda: bool(listener.status) or not node.is_running, START_S)
            before_s = node.cpu_s()
            options = ["--case", arguments.case, "--seconds", str(arguments.seconds)]
            words = [sys.executable, str(CAMERA), *options]
            camera = ChildProcess(words, environment, folder / "camera.log")
            begin_s = time.monotonic()
            while camera.is_running and node.is_running:
                time.sleep(0.2)
            took_s = time.monotonic() - begin_s
            cpu_s = node.cpu_s() - before_s
            camera.stop()
            sent = json.loads((folder / "camera.log").read_text().strip().splitlines()[-1])
            seen = listener.statuses + 2
            wait_until(lambda: listener.statuses >= seen and settled(listener), SETTLE_S)
            is_alive = node.is_running
            report = {**sent, **counted(listener), "node_lives": is_alive}
        return report | {
            "case": arguments.case,
            "seconds": arguments.seconds,
            "node_cpu_share": round(cpu_s / took_s, 2),
            "uncounted": report["images_sent"] - report["received"] - report["lost"],
            "unaccounted": report["received"] - report["frames"] - report["dropped"],
        }


def settled(listener: Listener) -> bool:
    """Whether no image waits any more."""
    return listener.number("input", "frames_waiting") == 0


def counted(listener: Listener) -> dict[str, Any]:
    """Return what the node says of its images."""
    number = listener.number
    values = listener.status["input"]
    return {
        "received": number("input", "color_received"),
        "lost": number("input", "color_lost"),
        "frames": number("input", "frames"),
        "dropped": number("input", "frames_dropped"),
        "reasons": {k: int(v) for k, v in values.items() if k.startswith("dropped.")},
        "used": number("training", "pipeline.frames_used"),
        "overtaken": number("training", "pipeline.frames_dropped"),
        "steps": number("training", "step"),
    }


def main() -> int:
    """Run; 1 if an image was lost without being counted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--case", choices=("raw", "compressed", "burst"), default="raw")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="A.B=V")
    arguments = parser.parse_args()
    with private_domain() as environment, tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment)
        report = drive(arguments, environment, Path(folder))
    print(json.dumps(report, indent=None if arguments.json else 2))
    return 1 if report["uncounted"] or report["unaccounted"] or not report["node_lives"] else 0


if __name__ == "__main__":
    sys.exit(main())
