# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Decide which frames become keyframes by a policy of one's own: one each half second."""

from ineus_core import Frame, Reconstructor, load_config, open_source, resolve_device


class TwoASecond:
    """Keeps a frame when half a second has passed since the last that was kept."""

    def __init__(self) -> None:
        self._next_ns = 0

    def is_keyframe(self, frame: Frame) -> bool:
        """Decide on a frame."""
        if frame.stamp_ns < self._next_ns:
            return False
        self._next_ns = frame.stamp_ns + 500_000_000
        return True


small = [f"source.synthetic.{key}" for key in ("frames=30", "width_px=80", "height_px=60")]
config = load_config(overrides=[*small, "meshing.voxel_size_m=0.08"])
device = resolve_device(config.device)
reconstructor = Reconstructor(config, device, make_policy=TwoASecond)
for frame in open_source("synthetic:room", config=config.source):
    reconstructor.add_frame(frame)
    reconstructor.step()
print(f"{len(reconstructor.keyframe_poses())} keyframes, {reconstructor.steps} steps")
