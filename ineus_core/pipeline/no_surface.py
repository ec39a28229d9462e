# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Why a run has ended without any surface, or any that was measured; which setting would help."""

from ineus_core.pipeline.loop import Pipeline
from ineus_core.reconstruction import Reconstructor

_FEW_STEPS = 500
_OUTSIDE_SHARE = 0.5
_FEWEST_VIEWS = 3


def few_steps(pipeline: Pipeline) -> str:
    """Return that a surface out of pictures alone has hardly been trained, else nothing."""
    reconstructor = pipeline.reconstructor
    steps, has_surface = reconstructor.steps, len(reconstructor.current_mesh().triangles) > 0
    if reconstructor.has_depth or steps >= _FEW_STEPS or not has_surface:
        return ""
    return (
        f"{steps} steps are few for pictures without depth: the surface may hardly differ from "
        "what it began with; --steps or --seconds gives it more, and a GPU takes more in the time"
    )


def why_no_surface(pipeline: Pipeline, contradiction: str = "") -> str:
    """Return the likeliest reason in a sentence, with the setting that helps.

    Args:
        pipeline: That has been run to its end.
        contradiction: What the check of the input has found, if it has.
    """
    reconstructor = pipeline.reconstructor
    blocks = reconstructor.reconstruction.surface.blocks
    used_frames = pipeline.counters["frames_used"]
    outside = reconstructor.counters["frames_out_of_bounds"]
    keyframes = len(reconstructor.keyframe_poses())
    steps, meshing = reconstructor.steps, reconstructor.config.meshing
    # The surest first: what is wrong with the input, then limits, then too little training.
    reasons = (
        pipeline.depth_range.sentence,
        contradiction,
        outside > _OUTSIDE_SHARE * used_frames
        and f"{outside} of {used_frames} frames lie outside of the box of the scene: bounds.aabb "
        "sets it, field.extent_m is the most that a stream may map",
        _all_masked(reconstructor)
        and "masks exclude all pixels of all keyframes (a node leaves out what is above 0, a data "
        "set what is 0)",
        not reconstructor.has_depth
        and keyframes < _FEWEST_VIEWS
        and f"keyframes without depth: {keyframes}, and surface is told by three or more that are "
        "from other places each; the camera or its poses may stand still",
        blocks
        and "all its parts have fewer triangles than meshing.min_component_triangles, "
        f"{meshing.min_component_triangles}, and are left out; smaller voxels than "
        f"meshing.voxel_size_m={meshing.voxel_size_m:g} have more",
        steps < _FEW_STEPS and f"{steps} steps are few: --steps or --seconds gives it more",
        not reconstructor.has_depth
        and "colour alone has not settled on one: more views from around or a longer run "
        "(--seconds) help, and training.background where the background is of one colour; "
        "`ineus check` tells whether poses are right",
    )
    found = next((reason for reason in reasons if reason), "`ineus check` looks at the input")
    if len(reconstructor.current_mesh().triangles):
        return f"what came out is not what depth shows: {found}"
    return f"no surface came out: {found}"


def _all_masked(reconstructor: Reconstructor) -> bool:
    """Tell whether no pixel of any keyframe may be used."""
    buffer = reconstructor.reconstruction.buffer
    frames = [buffer.frame_of(keyframe) for keyframe in buffer.ids]
    masks = [frame.mask for frame in frames if frame is not None]
    return len(masks) > 0 and not any(mask is None or mask.any() for mask in masks)
