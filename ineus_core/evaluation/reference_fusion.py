# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Classic TSDF fusion by Open3D, to set beside ours what a user would take instead."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.errors import MissingDependencyError, SourceError
from ineus_core.geometry import as_precise, opencv_matrix, origin_near, rigid_inverse
from ineus_core.types import Frame, Mesh


class ReferenceFusionConfig(ConfigModel):
    """Settings of the TSDF."""

    voxel_size_m: float = Field(default=0.025, gt=0, description="Side of a voxel, m")
    truncation_vox: float = Field(
        default=4.0, gt=1, description="Half width of the band around the surface, voxels"
    )
    max_depth_m: float = Field(default=10.0, gt=0, description="Returns beyond are left out, m")


class ReferenceFusion:
    """Fuses frames with depth; frames without are counted in `skipped`."""

    def __init__(self, config: ReferenceFusionConfig = ReferenceFusionConfig()) -> None:  # noqa: B008
        """Make an empty volume."""
        try:
            import open3d
        except ImportError as error:
            raise MissingDependencyError("open3d", extra="eval") from error
        self._open3d = open3d
        self._max_depth_m = config.max_depth_m
        self._volume = open3d.pipelines.integration.ScalableTSDFVolume(
            voxel_length=config.voxel_size_m,
            sdf_trunc=config.truncation_vox * config.voxel_size_m,
            color_type=open3d.pipelines.integration.TSDFVolumeColorType.RGB8,
        )
        self._origin_m: Float[np.ndarray, " 3"] | None = None
        self.frames = 0
        self.skipped = 0

    def integrate(self, frame: Frame) -> None:
        """Add a frame."""
        if frame.depth_m is None:
            self.skipped += 1
            return
        rgb, depth_m = _undistorted(frame)
        if frame.mask is not None:
            depth_m = np.where(frame.mask, depth_m, 0)
        image = self._open3d.geometry.Image
        rgbd = self._open3d.geometry.RGBDImage.create_from_color_and_depth(
            image(np.ascontiguousarray(rgb)),
            image(np.ascontiguousarray(depth_m, dtype=np.float32)),
            depth_scale=1.0,
            depth_trunc=self._max_depth_m,
            convert_rgb_to_intensity=False,
        )
        camera = frame.camera
        # Open3D puts pixel centres at integers.
        intrinsics = self._open3d.camera.PinholeCameraIntrinsic(
            camera.width_px,
            camera.height_px,
            camera.fx,
            camera.fy,
            camera.cx - 0.5,
            camera.cy - 0.5,
        )
        if self._origin_m is None:
            self._origin_m = origin_near([frame.world_from_camera[:3, 3]])
        # Open3D computes in single precision.
        from_camera = frame.world_from_camera.astype(np.float64)
        from_camera[:3, 3] -= self._origin_m
        self._volume.integrate(rgbd, intrinsics, rigid_inverse(from_camera))
        self.frames += 1

    def mesh(self) -> Mesh:
        """Return the fused surface, facing free space.

        Raises:
            SourceError: Nothing came out, as with no depth or with Open3D 0.20.
        """
        fused = self._volume.extract_triangle_mesh()
        triangles = np.asarray(fused.triangles, dtype=np.int32)
        if len(triangles) == 0:
            raise SourceError(
                f"reference fusion: Open3D {self._open3d.__version__} made no triangle of "
                f"{self.frames} frames with depth ({self.skipped} without); "
                "Open3D 0.19 is known to work"
            )
        fused.compute_vertex_normals()
        colours = np.asarray(fused.vertex_colors)
        return Mesh(
            as_precise(np.asarray(fused.vertices) + self._origin_m),
            triangles,
            np.asarray(fused.vertex_normals, dtype=np.float32),
            (colours.clip(0, 1) * 255).round().astype(np.uint8),
        )


def _undistorted(
    frame: Frame,
) -> tuple[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "h w"]]:
    """Colour and depth of a pinhole camera with the same focal lengths and centre."""
    camera = frame.camera
    assert frame.depth_m is not None
    if camera.distortion_model == "none" or not np.any(camera.distortion):
        return frame.rgb, frame.depth_m
    matrix, coefficients = opencv_matrix(camera), np.array(camera.distortion)
    size = (camera.width_px, camera.height_px)
    if camera.distortion_model == "equidistant":
        maps = cv2.fisheye.initUndistortRectifyMap(
            matrix, coefficients[:4], np.eye(3), matrix, size, cv2.CV_32FC1
        )
    else:
        maps = cv2.initUndistortRectifyMap(
            matrix, coefficients, np.eye(3), matrix, size, cv2.CV_32FC1
        )
    rgb = cv2.remap(frame.rgb, *maps, cv2.INTER_LINEAR)
    # Means of depths across an edge would be points in the air.
    return rgb, cv2.remap(frame.depth_m, *maps, cv2.INTER_NEAREST)
