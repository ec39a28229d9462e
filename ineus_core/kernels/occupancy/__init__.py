# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Log odds of the cells of a grid from the rays of a depth image (Moravec & Elfes 1985).

Versions: plain torch, numba (only the cells on the rays are touched), Triton.
"""

from jaxtyping import Float, Int8, Int16, UInt8
from torch import Tensor

from ineus_core.kernels.dispatch import fastest
from ineus_core.kernels.occupancy.block_flags import BlockFlags

__all__ = ["BlockFlags", "integrate_depth", "rays_of_depth"]


def integrate_depth(
    log_odds: Int8[Tensor, "gx gy gz"],
    scratch: UInt8[Tensor, "gx gy gz"],
    origin_cells: Float[Tensor, " 3"],
    directions: Float[Tensor, "rays 3"],
    range_cells: Float[Tensor, " rays"],
    truncation_cells: float,
    band_cells: float,
    gains: tuple[int, int, int],
) -> None:
    """Update the log odds in place: cells around returns gain, cells that rays pass through lose.

    A cell gains or loses once an image, however many rays touch it, and a return beats a pass.
    A cell that was touched is never 0 again, which stands for unseen.

    Args:
        log_odds: Of the cells.
        scratch: Zeros, and zeros again afterwards; room that some versions need.
        origin_cells: Camera in units of cells from the lowest corner.
        directions: Unit length.
        range_cells: Of the returns; far below 0, or -inf, where there is none.
        truncation_cells: A ray says nothing of this stretch before its return.
        band_cells: Half length of the stretch around the return that gains.
        gains: Of a return, of a pass, and the bound of the log odds.
    """
    fastest("occupancy", log_odds.device).integrate_depth(
        log_odds, scratch, origin_cells, directions, range_cells, truncation_cells, band_cells,
        gains,
    )  # fmt: skip


def rays_of_depth(
    depth: Int16[Tensor, " pixels"],
    camera_rays: Float[Tensor, "pixels 3"],
    world_from_camera: Float[Tensor, "3 4"],
    depth_step_m: float,
    width_px: int,
    stride_px: int,
    blocks: BlockFlags,
    number: int,
) -> tuple[Float[Tensor, "rays 3"], Float[Tensor, " rays"]]:
    """Return directions and ranges in m of a stored depth image; flag the blocks of its returns.

    Args:
        depth: Along the axis of the camera, in steps; 0 where there is no return, and below 0
            where the pixel may not be used.
        camera_rays: Unit rays of the pixels, camera.
        world_from_camera: Pose.
        depth_step_m: Metres of a step.
        width_px: Of the image.
        stride_px: Every so many pixels of a row, and every so many rows, give a ray.
        blocks: Whose flags are set.
        number: What is written where a flag is 0.

    Returns:
        World directions, and ranges, which without a return are far below 0, and of pixels that
        may not be used -inf.
    """
    return fastest("occupancy", depth.device).rays_of_depth(
        depth, camera_rays, world_from_camera, depth_step_m, width_px, stride_px, blocks, number
    )
