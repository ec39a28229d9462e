# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What a folder that no kind of source recognises nearly is, and what it lacks."""

import itertools
from pathlib import Path

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".pgm")
_COLOUR_FOLDERS = ("color", "colour", "rgb", "image", "images")
_MODEL_FILES, _ENDS = ("cameras", "images"), (".bin", ".txt")
_TUM_LISTS = ("rgb.txt", "depth.txt")
_LONGEST_COMMENT = 20


def missing_part(path: Path) -> str:
    """Return what a folder lacks to be a source, with what to do; "" if nothing is known."""
    if path.suffix == ".r3d":
        return f"it is a packed recording of Record3D: `unzip {path} -d DIR`, then `ineus run DIR`"
    if not path.is_dir():
        return ""
    if any((path / name).is_file() for name in _TUM_LISTS):
        return _missing_list(path)
    # From the most to the least telling: nearly every layout also has plain pictures in it.
    note = _missing_model_file(path) or _missing_trajectory(path) or _of_llff(path)
    if note:
        return note
    return _plain_photographs(path) or _plain_photographs(path / "images")


def _missing_list(path: Path) -> str:
    lacking = [name for name in ("rgb.txt", "groundtruth.txt") if not (path / name).is_file()]
    others = [file.name for file in sorted(path.glob("*.txt")) if _has_stamped_poses(file)]
    found = f"; {others[0]} may be that" if others and "groundtruth.txt" in lacking else ""
    return (
        f"it looks like a sequence of the TUM layout without {' and '.join(lacking)}; expected "
        f"colour pictures as lines 'stamp file' of rgb.txt, and poses of the camera as lines "
        f"'stamp tx ty tz qx qy qz qw' of groundtruth.txt{found}"
    )


def _has_stamped_poses(file: Path) -> bool:
    """Decide whether the first line of a text has a stamp and the seven numbers of a pose."""
    with open(file, encoding="utf-8", errors="replace") as text:
        lines = (line.split("#")[0].split() for line in itertools.islice(text, _LONGEST_COMMENT))
        words = next(filter(None, lines), [])
    try:
        return len([float(word) for word in words]) == 8
    except ValueError:
        return False


def _missing_model_file(path: Path) -> str:
    for place in (path / "sparse" / "0", path / "sparse", path):
        present = [
            n for n in _MODEL_FILES if any((place / n).with_suffix(e).is_file() for e in _ENDS)
        ]
        if len(present) == 1:
            (lacking,) = set(_MODEL_FILES) - set(present)
            return (
                f"{place} has {present[0]} of a COLMAP model but no {lacking}.bin or "
                f"{lacking}.txt; expected both"
            )
    return ""


def _of_llff(path: Path) -> str:
    if not (path / "poses_bounds.npy").is_file():
        return ""
    others = sorted(folder.name for folder in path.glob("images*") if folder.is_dir())
    reads = "--source llff --set source.llff.images_folder"
    named = f" (`{reads}={others[0]}` reads {others[0]}/)" if others else ""
    return "it has poses_bounds.npy of LLFF without its pictures; expected them in images/" + named


def _missing_trajectory(path: Path) -> str:
    """Say that a folder has colour and depth, but not how the camera moved."""
    folders = {folder.name.lower(): folder for folder in path.iterdir() if folder.is_dir()}
    colour = next((folders[name] for name in _COLOUR_FOLDERS if name in folders), None)
    if colour is None or "depth" not in folders or not _picture_count(colour):
        return ""
    others = sorted(path.glob("*/*traj*.log")) or sorted(path.glob("*/*traj*.txt"))
    found = f"; {others[0].relative_to(path)} may be one" if others else ""
    return (
        f"it has colour in {colour.name}/ and depth in depth/ but no trajectory{found}; expected "
        f"poses world_from_camera as traj.txt, or `--source rgbd_folder --set "
        f"source.rgbd_folder.trajectory=FILE`"
    )


def _plain_photographs(folder: Path) -> str:
    count = _picture_count(folder)
    if count == 1:
        return (
            f"{folder} has one picture without a pose; a surface needs several from different "
            "places, whose poses `ineus colmap FOLDER --out DIR` finds"
        )
    if not count:
        return ""
    return (
        f"{folder} has {count} pictures without poses, which `ineus colmap {folder} --out DIR` "
        "finds if they are photographs; then `ineus run DIR`"
    )


def _picture_count(folder: Path) -> int:
    if not folder.is_dir():
        return 0
    pictures = [f for f in folder.iterdir() if f.suffix.lower() in PICTURE_SUFFIXES]
    # Depth is often PNG, too, and would be counted as photographs.
    return sum("depth" not in picture.name.lower() for picture in pictures)
