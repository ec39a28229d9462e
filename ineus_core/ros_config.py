# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The settings that only the ROS node reads, in the one tree that serves both sides."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic.config import JsonDict

from ineus_core.config_model import ConfigModel

PoseSource = Literal["auto", "tf", "pose", "pose_with_covariance", "transform", "odom"]
"""TF, or a topic of this name."""
CHANGEABLE = JsonDict(changeable=True)
"""Marks a field that the node lets a user change while it runs."""


def with_unit_quaternions(value: tuple[float, ...]) -> tuple[float, ...]:
    """Return transforms of seven numbers each, x y z and a quaternion x y z w, as they are.

    Raises:
        ValueError: Some numbers are no such transform.
    """
    if len(value) % 7:
        raise ValueError(f"{len(value)} numbers; expected 7 for each transform")
    for first in range(0, len(value), 7):
        norm = sum(part * part for part in value[first + 3 : first + 7]) ** 0.5
        if abs(norm - 1.0) > 1e-3:
            raise ValueError(f"quaternion of length {norm:.4g}; expected 1")
    return value


class SaveConfig(ConfigModel):
    """Where the services write; paths are relative to `output_dir` and stay inside it."""

    mesh_path: str = Field(
        "mesh.ply",
        description="File that ~/save_mesh writes: .ply, .obj or .glb.",
        min_length=1,
        json_schema_extra=CHANGEABLE,
    )
    checkpoint_path: str = Field(
        "checkpoint",
        description="Folder that ~/save_checkpoint writes and ~/load_checkpoint reads.",
        min_length=1,
        json_schema_extra=CHANGEABLE,
    )


class RosConfig(ConfigModel):
    """Topics, poses, rates and paths of the node."""

    renamed: ClassVar = {
        "sync_queue_size": "input_queue_size",
        "awaiting_pose_size": "input_queue_size",
    }
    # Where both were given, all that they let wait has room.
    merged: ClassVar = {"input_queue_size": max}

    cameras: Annotated[tuple[str, ...], Field(max_length=4)] = Field(
        (),
        description="Names of the cameras of a rig, up to 4, whose topics then are "
        "NAME/color/image and so on; empty: one camera, without a name.",
    )
    pose_source: PoseSource = Field(
        "auto",
        description="Where poses come from; auto: a topic that is remapped, else TF if the camera "
        "moves by it, else the first topic to deliver.",
    )
    global_frame: str = Field(
        "odom",
        description="Frame id of the world, in which the mesh is built and published.",
        min_length=1,
    )
    pose_frame: str = Field(
        "",
        description="Frame id that poses refer to; empty: the camera, or child_frame_id of odom.",
    )
    body_from_camera: Annotated[tuple[float, ...], Field(min_length=7, max_length=7)] = Field(
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
        description="Camera (optical axes) in the frame of the poses, where TF cannot tell: "
        "x y z in m, then quaternion x y z w.",
    )
    body_from_cameras: tuple[float, ...] = Field(
        (),
        description="body_from_camera of each camera of a rig, 7 numbers for each in the order of "
        "cameras; empty: TF tells.",
    )
    image_transport: Literal["raw", "compressed"] = Field(
        "raw",
        description="raw: color/image, depth/image; compressed: color/image/compressed and "
        "depth/image/compressedDepth.",
    )
    depth_transport: Literal["same", "raw", "compressed"] = Field(
        "same", description="Transport of the depth image where it differs from image_transport."
    )
    camera_frame: str = Field(
        "",
        description="Frame id of the colour images of one camera; empty: as their headers say, "
        "or camera_info if they leave it out.",
    )
    stamps: Literal["header", "receipt"] = Field(
        "header",
        description="Times of images, poses and transforms: those of their headers, or when they "
        "were received, for clocks that do not agree.",
    )
    image_bits: Literal[0, 8, 10, 12, 14, 16] = Field(
        0,
        description="Bits that raw images of 16 bits use; 0: by the first ones, 10, 12 or 16.",
    )
    rectified: bool = Field(
        False,
        description="The images are rectified: P of camera_info is their camera, not K and D.",
    )
    depth_input: Literal["auto", "required", "none"] = Field(
        "auto",
        description="auto: depth is used if it is offered within depth_wait_s of the first colour "
        "image; required: colour without depth is not used; none: colour only.",
    )
    depth_camera: Literal["auto", "color", "own"] = Field(
        "auto",
        description="color: depth is registered to colour; own: it has its own depth/camera_info "
        "and is registered here; auto: own if that camera is published and differs.",
    )
    color_from_depth: Annotated[tuple[float, ...], Field(max_length=7)] = Field(
        (),
        description="Depth camera in the frame of the colour camera (optical axes), where TF "
        "cannot tell: x y z in m, then quaternion x y z w; empty: TF tells.",
    )
    mask_input: Literal["auto", "required", "none"] = Field(
        "auto",
        description="Images of mask/image, whose pixels above 0 (people, the robot itself) are "
        "not used; auto: from when they are offered; required: colour without mask is not used.",
    )
    depth_wait_s: float = Field(
        1.0, description="How long auto waits for a publisher of depth, in s.", ge=0, le=60
    )
    reliable: bool = Field(
        False,
        description="Ask for reliable delivery; a best-effort publisher then delivers nothing.",
    )
    on_time_jump: Literal["continue", "reset"] = Field(
        "continue",
        description="When stamps of images jump back by more than 1 s, as in a bag that loops: "
        "continue with the map, or reset and begin a new one.",
    )
    image_queue_size: int = Field(
        10,
        description="Images that the middleware holds, by topic, while the node takes others.",
        ge=1,
        le=1000,
    )
    pose_queue_size: int = Field(
        200, description="Poses that the middleware holds for the node.", ge=1, le=10000
    )
    input_queue_size: int = Field(
        60,
        description="Colour images of each camera that wait for depth, mask, pose or decoding; "
        "the oldest is dropped and counted. As many of depth and mask wait for their colour.",
        ge=2,
        le=1000,
    )
    sync_tolerance_s: float = Field(
        0.02, description="Largest difference of the stamps of colour and depth, in s.", ge=0, le=1
    )
    pose_tolerance_s: float = Field(
        0.1,
        description="Longest time between an image and the nearest pose, in s; poses that come "
        "more slowly are interpolated as long as the gap is a usual one.",
        gt=0,
        le=10,
    )
    tf_timeout_s: float = Field(
        1.0,
        description="How long images wait for their pose before they are dropped, in s.",
        gt=0,
        le=60,
    )
    render_rate_hz: float = Field(
        1.0,
        description="Rate of rendered images, in Hz; 0: none. Only if someone subscribes.",
        ge=0,
        le=60,
        json_schema_extra=CHANGEABLE,
    )
    render_width_px: int = Field(
        320,
        description="Largest width of rendered images, in pixels; 0: that of the camera.",
        ge=0,
        le=8192,
        json_schema_extra=CHANGEABLE,
    )
    mesh_queue_size: int = Field(
        10,
        description="Mesh updates that the middleware keeps for slow and late subscribers.",
        ge=1,
        le=1000,
    )
    mesh_colors: Literal["color", "shaded", "normal"] = Field(
        "color",
        description="Colours of ~/mesh: the scene's, the same with light and shade, which RViz "
        "does not give to coloured triangles, or normals.",
        json_schema_extra=CHANGEABLE,
    )
    triangles_per_message: int = Field(
        500_000,
        description="Triangles in one message of ~/mesh before another one is begun.",
        ge=1000,
    )
    mesh_refresh_s: float = Field(
        10.0,
        description="Time without a frame after which the whole mesh is extracted anew, and then "
        "again while training goes on, in s; 0: never.",
        ge=0,
        le=3600,
        json_schema_extra=CHANGEABLE,
    )
    occupancy_rate_hz: float = Field(
        1.0,
        description="Rate of ~/occupancy, in Hz; 0: none. Only if someone subscribes.",
        ge=0,
        le=60,
        json_schema_extra=CHANGEABLE,
    )
    slice_min_z_m: float = Field(
        0.15,
        description="Lower height of the slice of ~/occupancy, in m of the world's z; at "
        "least a cell (occupancy.cell_m) above the floor, which else is all occupied.",
        json_schema_extra=CHANGEABLE,
    )
    slice_max_z_m: float = Field(
        1.0,
        description="Upper height of the slice of ~/occupancy, in m of the world's z.",
        json_schema_extra=CHANGEABLE,
    )
    esdf_rate_hz: float = Field(
        1.0,
        description="Rate of ~/esdf_slice, in Hz; 0: none. Only if someone subscribes.",
        ge=0,
        le=60,
        json_schema_extra=CHANGEABLE,
    )
    voxels_rate_hz: float = Field(
        1.0,
        description="Rate of ~/voxels, the occupied cells of the map, in Hz; 0: none. Only if "
        "someone subscribes.",
        ge=0,
        le=60,
        json_schema_extra=CHANGEABLE,
    )
    dynamic_rate_hz: float = Field(
        5.0,
        description="Rate of ~/dynamic, what the newest keyframe shows where free space was seen "
        "before, in Hz; 0: none. Only if someone subscribes.",
        ge=0,
        le=60,
        json_schema_extra=CHANGEABLE,
    )
    esdf_slice_z_m: float = Field(
        0.5,
        description="Height of ~/esdf_slice, in m of the world's z.",
        json_schema_extra=CHANGEABLE,
    )
    query_queue_size: int = Field(
        5,
        description="Messages of ~/query that wait for their answer, and corrections that wait to "
        "be carried out; the oldest is dropped and counted.",
        ge=1,
        le=1000,
    )
    keyframes_rate_hz: float = Field(
        1.0,
        description="Rate of ~/keyframes and ~/path, in Hz; 0: none. Only if someone subscribes, "
        "and only what has changed.",
        ge=0,
        le=60,
        json_schema_extra=CHANGEABLE,
    )
    correction_of: Literal["camera", "body"] = Field(
        "camera",
        description="What the poses of path_correction and keyframes_correction are of: the "
        "camera (optical axes, as in ~/path), or the body that carries it by body_from_camera.",
    )
    diagnostics_rate_hz: float = Field(
        1.0, description="Rate of /diagnostics, in Hz.", gt=0, le=10
    )
    output_dir: str = Field(
        "ineus_out", description="Folder under which all files are written.", min_length=1
    )
    save: SaveConfig = SaveConfig()
    save_on_shutdown: bool = Field(
        False,
        description="Write the mesh to save.mesh_path when the node ends.",
        json_schema_extra=CHANGEABLE,
    )
    autostart: bool = Field(
        True, description="Configure and activate at start; false: wait for a lifecycle manager."
    )

    @field_validator("body_from_camera", "body_from_cameras", "color_from_depth")
    @classmethod
    def _has_rotations(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        return with_unit_quaternions(value)

    @field_validator("camera_frame")
    @classmethod
    def _is_of_one_camera(cls, value: str, info: ValidationInfo) -> str:
        if value and len(info.data.get("cameras", ())) > 1:
            raise ValueError(f"{value!r} with several cameras; expected frame ids in their images")
        return value

    @field_validator("cameras")
    @classmethod
    def _has_different_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value) or "" in value:
            raise ValueError("expected different names")
        return value

    @field_validator("body_from_cameras")
    @classmethod
    def _fits_the_cameras(
        cls, value: tuple[float, ...], info: ValidationInfo
    ) -> tuple[float, ...]:
        cameras = info.data.get("cameras", ())
        if value and len(value) != 7 * len(cameras):
            raise ValueError(
                f"{len(value)} numbers; expected 7 for each of {len(cameras)} cameras"
            )
        return value
