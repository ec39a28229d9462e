# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus colmap`: poses for photographs or a video, by structure from motion."""

from pathlib import Path
from typing import Annotated

import typer

from ineus_core.errors import ConfigError

CAMERAS = ("single", "per_folder", "per_image")
MATCHERS = ("auto", "exhaustive", "sequential")


def command(
    images: Annotated[Path, typer.Argument(help="Folder of pictures, or a video.")],
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for pictures and model.")],
    every: Annotated[
        int, typer.Option(min=1, metavar="N", help="Use every N-th picture or frame.")
    ] = 1,
    max_images: Annotated[int, typer.Option(min=0, help="Most pictures; 0: all.")] = 0,
    max_image_size: Annotated[
        int, typer.Option(min=64, metavar="PX", help="Seek features at this size.")
    ] = 1600,
    camera_model: Annotated[
        str, typer.Option(help="COLMAP's name of the lens.")
    ] = "SIMPLE_RADIAL",
    camera: Annotated[str, typer.Option(help="single, per_folder or per_image.")] = "single",
    matcher: Annotated[str, typer.Option(help="auto, exhaustive or sequential.")] = "auto",
    overlap: Annotated[
        int, typer.Option(min=1, help="Neighbours that sequential matching compares.")
    ] = 10,
    min_inlier_ratio: Annotated[
        float,
        typer.Option(min=0, max=1, metavar="SHARE", help="Matches that one motion must explain."),
    ] = 0.7,
    threads: Annotated[int, typer.Option(min=0, help="Threads; 0: one for each core.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random samples.")] = 0,
    overwrite: Annotated[bool, typer.Option(help="Replace DIR if it exists.")] = False,
) -> None:
    """Find the poses of photographs or of a video, so that `ineus run DIR` can use them."""
    from ineus_core.sources import StructureFromMotionConfig, reconstruct_poses

    for option, value, known in (("camera", camera, CAMERAS), ("matcher", matcher, MATCHERS)):
        if value not in known:
            raise ConfigError(f"--{option} {value!r}: expected one of {', '.join(known)}")
    if out.exists() and not overwrite and (out.is_file() or any(out.iterdir())):
        raise ConfigError(f"--out {out}: exists; expected a free name, or --overwrite")
    config = StructureFromMotionConfig.model_validate(
        {
            "every": every,
            "max_images": max_images,
            "max_image_size_px": max_image_size,
            "camera_model": camera_model,
            "camera": camera,
            "matcher": matcher,
            "overlap": overlap,
            "min_inlier_ratio": min_inlier_ratio,
            "threads": threads,
            "seed": seed,
        }
    )
    found = reconstruct_poses(images, out, config, lambda stage: typer.echo(stage, err=True))
    typer.echo(
        f"{out}: {found.registered} of {found.pictures} pictures registered, {found.points} "
        f"points, mean reprojection error {found.reprojection_error_px:.2f} px"
    )
