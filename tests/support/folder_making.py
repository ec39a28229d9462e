# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Tiny data set folders, of pictures whose values tell the frame."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SIZE = (6, 8)
INTRINSICS = {"width": 8, "height": 6, "fx": 7.0, "fy": 7.5, "cx": 3.5, "cy": 2.5}


def colour(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return a picture, red 10 times the index, green 20, blue 200."""
    return np.full((*size, 3), (10 * index, 20, 200), dtype=np.uint8)


def write_colour(path: Path, index: int, size: tuple[int, int] = SIZE) -> None:
    cv2.imwrite(str(path), colour(index, size)[..., ::-1])


def write_depth(path: Path, values: Any, size: tuple[int, int] = SIZE) -> None:
    picture = np.zeros(size, dtype=np.uint16)
    picture[0, : len(values)] = values
    cv2.imwrite(str(path), picture)


def pose(index: int) -> np.ndarray:
    """Return a pose one metre on in x for each index, turned a quarter about z."""
    matrix = np.array([[0.0, -1, 0, index], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]])
    return matrix


def make_posed_images(folder: Path, frames: int = 3, depth: bool = True, **fields: Any) -> Path:
    for name in ("images", "depth") if depth else ("images",):
        (folder / name).mkdir(parents=True)
    lines = ["# frame timestamp_s r00 ..."]
    for i in range(frames):
        write_colour(folder / "images" / f"{i:06}.png", i)
        if depth:
            write_depth(folder / "depth" / f"{i:06}.png", (1000, 2500, 50, 60000))
        numbers = " ".join(str(x) for x in pose(i)[:3].reshape(-1))
        lines.append(f"{i:06} {0.1 * i:.6f} {numbers}")
    (folder / "poses.txt").write_text("\n".join(lines) + "\n")
    (folder / "intrinsics.json").write_text(json.dumps({**INTRINSICS, **fields}))
    return folder


def make_seven_scenes(folder: Path, frames: int = 3) -> Path:
    folder.mkdir(parents=True)
    for i in range(frames):
        stem = folder / f"frame-{i:06}"
        write_colour(stem.with_suffix(".color.png"), i)
        write_depth(stem.with_suffix(".depth.png"), (1000, 2500, 65535, 50))
        np.savetxt(stem.with_suffix(".pose.txt"), pose(i), fmt="%.7e")
    return folder


def make_tum(folder: Path, frames: int = 3) -> Path:
    """Colour at 0.0, 0.1, ...; depth 4 ms later; poses at -0.05, 0.05, ...: half-way."""
    for name in ("rgb", "depth"):
        (folder / name).mkdir(parents=True)
    start = 1305031102
    rgb, depth, poses = ["# color images"], ["# depth maps"], ["# timestamp tx ty tz qx qy qz qw"]
    for i in range(frames):
        stamp = f"{start}.{100000 * i:06}"
        later = f"{start}.{100000 * i + 4000:06}"
        write_colour(folder / "rgb" / f"{stamp}.png", i)
        write_depth(folder / "depth" / f"{later}.png", (5000, 12500, 100))
        rgb.append(f"{stamp} rgb/{stamp}.png")
        depth.append(f"{later} depth/{later}.png")
    for i in range(frames + 1):
        poses.append(f"{start + 0.1 * i - 0.05:.6f} {i} 2 3 0 0 0.70710678 0.70710678")
    for name, lines in (("rgb", rgb), ("depth", depth), ("groundtruth", poses)):
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder


def replace_line(path: Path, number: int, line: str) -> None:
    """Replace a line, counted from 1."""
    lines = path.read_text().splitlines()
    lines[number - 1] = line
    path.write_text("\n".join(lines) + "\n")
