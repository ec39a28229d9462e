# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus render`: colour, depth and normals of a checkpoint as a camera would see them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ineus_core.errors import ConfigError, IneusError

if TYPE_CHECKING:
    import numpy as np

    from ineus_core.cli.restore import Restored
    from ineus_core.types import Camera, RenderedImage

# So many tell where the scene lies as well as the millions that a map keeps.
_RAYS_TO_ORBIT = 2000
_UP = ("x", "y", "z", "-x", "-y", "-z")


def command(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CKPT", help="Checkpoint, or the folder of a run.")
    ],
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the pictures.")],
    poses: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Poses: lines `name stamp_s`, 3 x 4 numbers."),
    ] = None,
    orbit: Annotated[bool, typer.Option("--orbit", help="Orbit around the scene.")] = False,
    spiral: Annotated[
        bool, typer.Option("--spiral", help="Spiral, for forward-facing captures.")
    ] = False,
    spheric: Annotated[
        bool, typer.Option("--spheric", help="Arc about the origin, for scans such as DTU's.")
    ] = False,
    frames: Annotated[int, typer.Option(min=1, help="Number of views on such a path.")] = 60,
    up: Annotated[str, typer.Option(help="World axis that is up on such a path.")] = "z",
    video: Annotated[bool, typer.Option("--video", help="Write video.mp4 as well.")] = False,
    fps: Annotated[float, typer.Option(min=1, help="Frame rate of the video, Hz.")] = 15.0,
    width: Annotated[int | None, typer.Option(min=1, help="Width in pixels.")] = None,
    height: Annotated[int | None, typer.Option(min=1, help="Height in pixels.")] = None,
    intrinsics: Annotated[
        Path | None, typer.Option(metavar="FILE", help="intrinsics.json of another camera.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.", metavar="D")] = "auto",
) -> None:
    """Render NAME_rgb.png, NAME_depth_mm.png (16 bit) and NAME_normal.png for each view."""
    if (poses is not None) + orbit + spiral + spheric != 1:
        raise ConfigError("expected one of --poses FILE, --orbit, --spiral and --spheric")
    if up not in _UP:
        raise ConfigError(f"--up {up!r}: expected one of {', '.join(_UP)}")
    from ineus_core.cli.restore import restore
    from ineus_core.files import check_writable
    from ineus_core.sources import read_camera, read_poses

    check_writable(out)
    listed = read_poses(poses) if poses is not None else []
    camera = read_camera(intrinsics) if intrinsics is not None else None
    restored = restore(checkpoint, device)
    views = [(pose.name, pose.world_from_camera) for pose in listed]
    if poses is None:
        views = _orbit(restored, frames, up) if orbit else _swing(restored, frames, up, spiral)
    camera = camera or restored.reconstructor.reconstruction.buffer.camera
    _write(out, _rendered(restored, _resized(camera, width, height), views), fps if video else 0.0)
    typer.echo(f"{out}: {len(views)} views")


def _resized(camera: "Camera", width_px: int | None, height_px: int | None) -> "Camera":
    """Return the same view at another size; one side given keeps the shape of a pixel."""
    x = width_px / camera.width_px if width_px else None
    y = height_px / camera.height_px if height_px else None
    x, y = x or y or 1.0, y or x or 1.0
    return camera.resized(
        width_px or max(1, round(camera.width_px * x)),
        height_px or max(1, round(camera.height_px * y)),
    )


def _axis(up: str) -> "np.ndarray":
    import numpy as np

    axis = np.zeros(3)
    axis["xyz".index(up[-1])] = -1.0 if up.startswith("-") else 1.0
    return axis


def _swing(
    restored: "Restored", frames: int, up: str, spiral: bool
) -> list[tuple[str, "np.ndarray"]]:
    """Place views near those taken, whose poses are found from the rays that are kept."""
    import numpy as np

    from ineus_core.geometry import look_at
    from ineus_core.sources import arc_poses, spiral_poses

    origins, index = np.unique(restored.ray_origins.double().numpy(), axis=0, return_inverse=True)
    # Rays of one view have one origin, and add up to its axis.
    axes = np.zeros_like(origins)
    np.add.at(axes, index.reshape(-1), restored.ray_directions.double().numpy())
    axis = _axis(up)
    # A camera that looks along the axis has no top of its own to be found.
    slanted = np.linalg.norm(np.cross(axes, axis), axis=1) > 1e-3 * np.linalg.norm(axes, axis=1)
    taken = [look_at(o, o + a, axis) for o, a in zip(origins[slanted], axes[slanted], strict=True)]
    if len(taken) < 3:
        raise ConfigError(
            f"--spiral and --spheric go between views: {len(taken)} are known, expected 3"
        )
    poses = spiral_poses(taken, frames) if spiral else arc_poses(taken, frames)
    return [(f"{number:04d}", pose) for number, pose in enumerate(poses)]


def _orbit(restored: "Restored", frames: int, up: str) -> list[tuple[str, "np.ndarray"]]:
    from ineus_core.sources import round_poses

    axis = _axis(up)
    step = max(1, len(restored.ray_origins) // _RAYS_TO_ORBIT)
    origins = restored.ray_origins[::step].double().numpy()
    directions = restored.ray_directions[::step].double().numpy()
    poses = round_poses(origins, directions, frames, axis)
    return [(f"{index:04d}", pose) for index, pose in enumerate(poses)]


def _rendered(
    restored: "Restored", camera: "Camera", views: list[tuple[str, "np.ndarray"]]
) -> Iterator[tuple[str, "RenderedImage"]]:
    from rich.console import Console
    from rich.progress import track

    for name, pose in track(views, "rendering", console=Console(stderr=True)):
        yield name, restored.reconstructor.render(camera, pose)


def _write(out: Path, images: Iterator[tuple[str, "RenderedImage"]], fps: float) -> None:
    from ineus_core.files import replacing
    from ineus_core.pipeline import save_renders

    if not fps:
        save_renders(out, images)
        return
    with replacing(out / "video.mp4") as beside:
        writer: Any = None
        try:
            for name, image in images:
                save_renders(out, [(name, image)])
                picture = _side_by_side(image)
                writer = writer or _video_writer(beside, picture.shape, fps)
                writer.write(picture)
        finally:
            if writer is not None:
                writer.release()


def _video_writer(path: Path, shape: tuple[int, ...], fps: float) -> Any:
    import cv2

    fourcc = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(path), fourcc, fps, (shape[1], shape[0]))
    if not writer.isOpened():
        raise IneusError(f"{path}: this build of OpenCV writes no mp4; leave --video out")
    return writer


def _side_by_side(image: "RenderedImage") -> "np.ndarray":
    """Put colour, depth (near is red) and normals into one BGR picture with even sides."""
    import numpy as np

    from ineus_core.evaluation import depth_colours, depth_limits_m, normal_colours

    depth = depth_colours(image.depth_m, *depth_limits_m(image.depth_m))
    normals = normal_colours(image.normal)
    picture = np.concatenate((image.rgb, depth, normals), axis=1)[..., ::-1]
    height, width = picture.shape[:2]
    # mp4v stores colour at half the size, and so takes no odd sides.
    return np.ascontiguousarray(picture[: max(height // 2 * 2, 2), : max(width // 2 * 2, 2)])
