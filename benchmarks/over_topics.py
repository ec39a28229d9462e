# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A bag of `ineus bag make`, played on topics into the node: its mesh and its checkpoint.

Run: python benchmarks/over_topics.py BAG --out DIR [--rate R] [--train-seconds S] [--set A.B=V]
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ineus_core.errors import SourceError
from ineus_core.geometry import rotation_to_quaternion
from ineus_core.meshing import remove_small_components, write_mesh
from ineus_core.sources.bags.writer import BODY_FROM_CAMERA
from ineus_ros.demo.job import REMAPS
from ineus_ros.demo.listener import Listener, wait_until
from ineus_ros.demo.processes import ChildProcess, private_domain

START_S, INTAKE_S, SAVE_S = 120.0, 300.0, 300.0


def node_words(out: Path, settings: list[str]) -> list[str]:
    """How the node is started."""
    mount = [0.0, 0.0, 0.0, *map(float, rotation_to_quaternion(BODY_FROM_CAMERA[:3, :3]))]
    words = [sys.executable, "-m", "ineus_ros.node", "--ros-args"]
    words += [word for pair in REMAPS.items() for word in ("-r", f"{pair[0]}:={pair[1]}")]
    given = ["pose_source=odom", f"body_from_camera={mount}", "reliable=true"]
    for setting in [*given, f"output_dir={out}", *settings]:
        name, _, value = setting.partition("=")
        words += ["-p", f"{name}:={value}"]
    return words


def drive(arguments: argparse.Namespace, environment: Mapping[str, str]) -> dict[str, Any]:
    """Play, let the node train on, and keep what it has made."""
    out: Path = arguments.out
    with ExitStack() as stack:
        listener = stack.enter_context(Listener())
        words = node_words(out.resolve(), arguments.settings)
        node = ChildProcess(words, environment, out / "node.log")
        stack.callback(node.stop)
        wait_until(lambda: bool(listener.status) or not node.is_running, START_S)
        if not node.is_running:
            raise SourceError(f"the node ended with code {node.stop()}: see {out / 'node.log'}")
        begin_s = time.monotonic()
        words = [sys.executable, "-m", "ineus_ros.player", str(arguments.bag)]
        words += ["--rate", str(arguments.rate), "--wait-subscribers", "30"]
        player = ChildProcess(words, environment, out / "player.log")
        stack.callback(player.stop)
        wait_until(lambda: not (player.is_running and node.is_running), 3600.0)
        played_s = time.monotonic() - begin_s
        time.sleep(2.0)
        wait_until(lambda: waiting(listener) == 0, INTAKE_S)
        time.sleep(arguments.train_seconds)
        answers = [
            listener.call(name, timeout_s=SAVE_S) for name in ("save_mesh", "save_checkpoint")
        ]
        enough = listener.statuses + 2
        wait_until(lambda: listener.statuses >= enough and has_all(listener), 60.0)
        # Crumbs are left out as the node leaves them out of the file that it saves.
        mesh = remove_small_components(listener.receiver.mesh(), 64)
        write_mesh(mesh, out / "mesh_from_topic.ply")
        return {
            "played_s": round(played_s, 1),
            "answers": [answer.message for answer in answers],
            "triangles": len(mesh.triangles),
            "not_accounted_for": waiting(listener),
            "node_exit_code": node.stop(),
            "status": listener.status,
        }


def waiting(listener: Listener) -> int:
    """Images that are neither used nor dropped."""
    number = listener.number
    decided = number("training", "pipeline.frames_used")
    decided += number("training", "pipeline.frames_dropped") + number("input", "frames_dropped")
    return number("input", "color_received") - decided


def has_all(listener: Listener) -> bool:
    """Whether the mesh that the node tells of has arrived."""
    return 0 < listener.receiver.triangles == listener.number("mesh", "triangles")


def main() -> None:
    """Read the command line, do it, print a record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bag", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--train-seconds", type=float, default=60.0)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="A.B=V")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with private_domain() as environment:
        os.environ.update(environment)
        print(json.dumps(drive(arguments, environment), indent=1))


if __name__ == "__main__":
    main()
