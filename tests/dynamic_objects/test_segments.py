# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What hangs together in a small depth image."""

import numpy as np

from ineus_core.dynamic_objects.segments import segments_of, whole_segments

DEPTH_M = np.array(
    [
        [3.0, 3.0, 3.0, 3.0, 3.0, 3.0],
        [3.0, 3.0, 2.0, 2.0, 3.0, 3.0],
        [3.0, 3.0, 2.0, 2.0, 3.0, 0.0],
        [3.0, 3.0, 3.0, 3.0, 3.0, 1.0],
    ],
    np.float32,
)


def test_a_thing_before_a_wall_is_one_segment_with_its_edge() -> None:
    numbers = segments_of(DEPTH_M)
    thing = numbers == numbers[1, 2]
    assert thing.sum() == 4 and thing[1:3, 2:4].all() and numbers[1, 2] > 0
    # The pixels of the wall beside it, and the one without a return, belong to nothing.
    assert not numbers[1:3, 1].any() and not numbers[0, 2:4].any() and numbers[2, 5] == 0
    assert numbers[0, 0] == numbers[3, 0] > 0
    assert numbers[3, 5] not in (0, numbers[0, 0])


def test_a_slanted_floor_hangs_together() -> None:
    floor_m = np.repeat(4.0 * 1.025 ** -np.arange(12.0)[:, None], 3, axis=1).astype(np.float32)
    assert (segments_of(floor_m) == 1).all()


def test_a_segment_is_whole_from_half_of_it_on() -> None:
    numbers = np.array([[0, 0, 1, 1, 2, 2, 2]], np.int32)
    marked = np.array([[True, True, True, False, True, False, False]])
    assert whole_segments(numbers, marked).tolist() == [
        [False, False, True, True, False, False, False]
    ]
