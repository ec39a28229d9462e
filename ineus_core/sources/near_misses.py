# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What a folder that no kind of source recognises nearly is, and what it lacks."""

from pathlib import Path

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
_FEWEST_PICTURES = 2
_TUM_LISTS = ("rgb.txt", "depth.txt")


def missing_part(path: Path) -> str:
    """Return what a folder lacks to be a source, with what to do; "" if nothing is known."""
    if path.suffix == ".r3d":
        return f"it is a packed recording of Record3D: `unzip {path} -d DIR`, then `ineus run DIR`"
    if not path.is_dir():
        return ""
    if any((path / name).is_file() for name in _TUM_LISTS):
        return _missing_list(path)
    for folder in (path, path / "images"):
        count = _picture_count(folder)
        if count >= _FEWEST_PICTURES:
            return (
                f"{folder} has {count} pictures without poses, which `ineus colmap {folder} "
                f"--out DIR` finds if they are photographs; then `ineus run DIR`"
            )
    return ""


def _missing_list(path: Path) -> str:
    lacking = [name for name in ("rgb.txt", "groundtruth.txt") if not (path / name).is_file()]
    return (
        f"it looks like a sequence of the TUM layout without {' and '.join(lacking)}; expected "
        f"colour pictures as lines 'stamp file' of rgb.txt, and poses of the camera as lines "
        f"'stamp tx ty tz qx qy qz qw' of groundtruth.txt"
    )


def _picture_count(folder: Path) -> int:
    if not folder.is_dir():
        return 0
    return sum(file.suffix.lower() in PICTURE_SUFFIXES for file in folder.iterdir())
