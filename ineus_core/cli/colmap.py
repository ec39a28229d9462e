# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus colmap`: poses for photographs or a video, by structure from motion."""

from pathlib import Path
from typing import Annotated, get_args

import typer

from ineus_core.errors import ConfigError


def command(
    images: Annotated[Path, typer.Argument(help="Folder of pictures, or a video.")],
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for pictures and model.")],
    every: Annotated[
        int, typer.Option(min=1, metavar="N", help="Use every N-th picture or frame.")
    ] = 1,
    max_images: Annotated[
        int, typer.Option(min=0, help="Maximum number of pictures; 0: all.")
    ] = 0,
    max_image_size: Annotated[
        int, typer.Option(min=64, metavar="PX", help="Reduce pictures to this size for features.")
    ] = 1600,
    camera_model: Annotated[
        str, typer.Option(help="Camera model by its name in COLMAP.")
    ] = "SIMPLE_RADIAL",
    camera: Annotated[
        str, typer.Option(help="Shared camera: single, per_folder or per_image.")
    ] = "single",
    matcher: Annotated[
        str, typer.Option(help="Matching: auto, exhaustive or sequential.")
    ] = "auto",
    overlap: Annotated[
        int, typer.Option(min=1, help="Neighbours compared by sequential matching.")
    ] = 10,
    min_inlier_ratio: Annotated[
        float,
        typer.Option(min=0, max=1, metavar="SHARE", help="Minimum inlier ratio of two pictures."),
    ] = 0.7,
    threads: Annotated[
        int, typer.Option(min=0, help="Number of threads; 0: one for each core.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Random seed.")] = 0,
    overwrite: Annotated[bool, typer.Option(help="Replace DIR if it exists.")] = False,
) -> None:
    """Find the poses of photographs or of a video, so that `ineus run DIR` can use them."""
    from ineus_core.files import check_source_exists

    check_source_exists(images, "pictures or a video")
    from ineus_core.sources import StructureFromMotionConfig, reconstruct_poses

    for option, value in (("camera", camera), ("matcher", matcher)):
        known = get_args(StructureFromMotionConfig.model_fields[option].annotation)
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
