# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus bag`: make a ROS 2 bag from any source, play one on topics, say what is in one."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ineus_core.errors import ConfigError, MissingDependencyError, SourceError
from ineus_core.files import check_source_exists

app = typer.Typer(
    help="Make, play and inspect ROS 2 bags without a ROS installation.", no_args_is_help=True
)

BagPath = Annotated[Path, typer.Argument(help="A .mcap or .db3 file, or the folder of a bag.")]


@app.command()
def make(
    path: Annotated[str, typer.Argument(help="Data set folder, bag, or built-in scene.")],
    out: Annotated[Path, typer.Argument(help="OUT.mcap: one file; else the folder of a bag.")],
    *,
    source: Annotated[
        str, typer.Option(help="Kind of the source; auto: by its content.")
    ] = "auto",
    compressed: Annotated[bool, typer.Option(help="Write colour as JPEG.")] = False,
    depth_encoding: Annotated[str, typer.Option(help="16UC1 (mm) or 32FC1 (m).")] = "16UC1",
    odom_rate: Annotated[
        float, typer.Option(help="Minimum rate of odometry and TF, Hz; 0: once per frame.")
    ] = 0.0,
    max_frames: Annotated[int, typer.Option(min=0, help="Maximum number of frames; 0: all.")] = 0,
    hold_out: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="Leave out every N-th frame for evaluation."),
    ] = 0,
    overwrite: Annotated[bool, typer.Option(help="Replace OUT if it exists.")] = False,
) -> None:
    """Write the frames of a source as a ROS 2 bag with images, cameras, odometry and TF."""
    from ineus_core.cli.given_paths import look_for_source

    look_for_source(path, source)
    from ineus_core.sources import is_held_out, open_source
    from ineus_core.sources.bags.writer import BagWriterConfig, refuse_to_replace, write_bag

    if depth_encoding not in ("16UC1", "32FC1"):
        raise ConfigError(f"--depth-encoding {depth_encoding!r}: expected 16UC1 or 32FC1")
    if hold_out == 1:
        raise ConfigError("--hold-out 1 leaves no frame: expected 0 or at least 2")
    if odom_rate < 0:
        raise ConfigError(f"--odom-rate {odom_rate}: expected 0 or more")
    refuse_to_replace(out, overwrite)
    config = BagWriterConfig(
        compressed=compressed,
        depth_encoding=depth_encoding,
        odom_rate_hz=odom_rate,
    )
    frames = open_source(path, source)
    kept = (frame for index, frame in enumerate(frames) if not is_held_out(index, hold_out))
    count = write_bag(kept, out, config, max_frames=max_frames, overwrite=overwrite)
    typer.echo(f"{out}: {count} frames, {_size_mb(out):.1f} MB{_note(frames.dropped)}")


@app.command()
def info(file: BagPath) -> None:
    """Say what is in a bag and what ineus would use of it."""
    check_source_exists(file)
    from rich.console import Console
    from rich.table import Table

    from ineus_core.sources import BagFile

    console = Console()
    table = Table("topic", "type", "count", "Hz")
    with BagFile(file) as bag:
        for topic in sorted(bag.topics.values(), key=lambda topic: topic.name):
            rate_hz = (topic.count - 1) / bag.duration_s if bag.duration_s > 0 else 0.0
            rate = f"{rate_hz:.1f}" if topic.count > 1 else ""
            table.add_row(topic.name, topic.type_name, str(topic.count), rate)
        start_s, duration_s = bag.start_ns * 1e-9, bag.duration_s
        total = sum(topic.count for topic in bag.topics.values())
    console.print(f"{file}: {total} messages, {duration_s:.3f} s from {start_s:.3f}", style="bold")
    console.print(table)
    # Not through the table's console: it would break long names.
    typer.echo(_use_of(file))


@app.command()
def play(
    file: BagPath,
    *,
    rate: Annotated[
        float, typer.Option(min=0, help="Playback rate; 0: as fast as possible.")
    ] = 1.0,
    loop: Annotated[bool, typer.Option(help="Start over at the end.")] = False,
    delay: Annotated[float, typer.Option(min=0, help="Delay before the start, s.")] = 0.0,
    wait_subscribers: Annotated[
        float, typer.Option(min=0, help="Maximum wait for a subscriber to colour, s.")
    ] = 0.0,
    clock: Annotated[bool, typer.Option(help="Publish /clock as well.")] = False,
    topic: Annotated[
        list[str] | None, typer.Option(help="Play only this topic; repeatable.")
    ] = None,
    poses_topic: Annotated[
        str, typer.Option(help="Topic of the camera's poses where tf2_msgs is not installed.")
    ] = "/transform",
) -> None:
    """Play a bag on ROS 2 topics in its own time.

    Where tf2_msgs is not installed, as with rclpy from wheels, its transforms cannot be played.
    The poses of the camera that they tell then go out as TransformStamped.
    """
    check_source_exists(file)
    from ineus_core.sources import BagFile

    if importlib.util.find_spec("rclpy") is None:
        raise MissingDependencyError("rclpy", extra="ros")
    # Now, while an error still becomes a line and an exit code of this command.
    with BagFile(file):
        pass
    words = [str(file), "--rate", str(rate), "--delay", str(delay)]
    words += ["--wait-subscribers", str(wait_subscribers)]
    words += ["--loop"] * loop + ["--clock"] * clock + ["--poses-topic", poses_topic]
    words += [word for name in topic or [] for word in ("--topic", name)]
    # What is buffered would be lost with the process that the next line replaces.
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "ineus_ros.player", *words])


def _use_of(file: Path) -> str:
    """Say what ineus would take from a bag, or why it would not."""
    from ineus_core.sources import RosbagSource

    try:
        used = RosbagSource(file).describe()
    except SourceError as error:
        return f"ineus cannot use it: {error}"
    return "ineus would use\n" + "\n".join(f"  {what:7} {name}" for what, name in used.items())


def _size_mb(path: Path) -> float:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) * 1e-6


def _note(dropped: dict[str, int]) -> str:
    reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
    return f", dropped: {reasons}" if reasons else ""
