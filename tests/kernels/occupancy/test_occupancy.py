# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Evidence of depth images: one ray by hand, an image counts once, and the CPU twin."""

import math

import pytest
import torch
from torch import Tensor

from ineus_core.kernels.occupancy import BlockFlags, rays_of_depth
from ineus_core.kernels.occupancy import cpu as carve_numba
from ineus_core.kernels.occupancy import reference as carve_torch

GAINS = (6, -1, 120)


@pytest.fixture(params=["torch", "numba"])
def integrate_depth(request: pytest.FixtureRequest):
    return {"torch": carve_torch, "numba": carve_numba}[request.param].integrate_depth


def empty(*shape: int) -> tuple[Tensor, Tensor]:
    return torch.zeros(shape, dtype=torch.int8), torch.zeros(shape, dtype=torch.uint8)


def look(
    integrate_depth, log_odds: Tensor, scratch: Tensor, ranges: list[float], **changes: Tensor
) -> None:
    directions = changes.get("directions", torch.tensor([[1.0, 0, 0]]).expand(len(ranges), 3))
    origin = changes.get("origin", torch.tensor([0.0, 0.5, 0.5]))
    integrate_depth(log_odds, scratch, origin, directions, torch.tensor(ranges), 2.0, 1.0, GAINS)


def test_one_ray_by_hand(integrate_depth) -> None:
    log_odds, scratch = empty(10, 1, 1)
    # Free up to 6.5 - 2 = 4.5, so steps 0.5, 1.5, ... 3.5; the return is 5.5 to 7.5.
    look(integrate_depth, log_odds, scratch, [6.5])
    assert log_odds[:, 0, 0].tolist() == [-1, -1, -1, -1, 0, 6, 6, 6, 0, 0]
    assert not scratch.any()


def test_an_image_counts_once_and_a_return_beats_a_pass(integrate_depth) -> None:
    log_odds, scratch = empty(10, 1, 1)
    look(integrate_depth, log_odds, scratch, [3.5, 9.5, 9.5])
    # 3.5: returns in 2.5 to 4.5. 9.5: free to 7.5, returns in 8.5 to 10.5.
    assert log_odds[:, 0, 0].tolist() == [-1, -1, 6, 6, 6, -1, -1, 0, 6, 6]


def test_evidence_is_bounded_and_never_forgets_that_it_has_seen(integrate_depth) -> None:
    log_odds, scratch = empty(10, 1, 1)
    for _ in range(25):
        look(integrate_depth, log_odds, scratch, [6.5])
    assert (log_odds[0, 0, 0].item(), log_odds[6, 0, 0].item()) == (-25, 120)
    for _ in range(200):
        look(integrate_depth, log_odds, scratch, [6.5])
    assert log_odds[0, 0, 0].item() == -120
    # One return and six looks through it would be 0, which stands for unseen.
    log_odds, scratch = empty(10, 1, 1)
    look(integrate_depth, log_odds, scratch, [2.5])
    for _ in range(6):
        look(integrate_depth, log_odds, scratch, [9.0])
    assert log_odds[2, 0, 0].item() == -1


def test_a_wall_right_before_the_camera(integrate_depth) -> None:
    log_odds, scratch = empty(4, 1, 1)
    look(integrate_depth, log_odds, scratch, [0.25])
    assert log_odds[:, 0, 0].tolist() == [6, 6, 0, 0]


def test_rays_out_of_the_grid_and_no_rays_at_all(integrate_depth) -> None:
    log_odds, scratch = empty(4, 1, 1)
    look(integrate_depth, log_odds, scratch, [3.0], origin=torch.tensor([0.0, 7.5, 0.5]))
    look(integrate_depth, log_odds, scratch, [])
    assert not log_odds.any()


def test_the_cpu_twin_gives_the_same_evidence() -> None:
    origin = torch.tensor([8.3, 7.1, 9.7])
    results = []
    for module in (carve_torch, carve_numba):
        torch.manual_seed(3)
        log_odds, scratch = empty(16, 14, 20)
        for _ in range(4):
            directions = torch.nn.functional.normalize(torch.randn(400, 3))
            ranges = 12 * torch.rand(400)
            module.integrate_depth(log_odds, scratch, origin, directions, ranges, 2.3, 1.5, GAINS)
        results.append(log_odds)
        assert not scratch.any()
    # A step that falls on the face between two cells may be rounded into either.
    assert (results[0] != results[1]).float().mean() < 1e-3
    assert (results[0] != 0).float().mean() > 0.2


def test_pixels_that_may_not_be_used_have_no_range(device: torch.device) -> None:
    depth = torch.tensor([200, -1, 0], dtype=torch.int16, device=device)
    rays = torch.tensor([[0.0, 0, 1]], device=device).expand(3, 3).contiguous()
    pose = torch.eye(4, device=device)[:3]
    blocks = BlockFlags(
        torch.zeros((4, 4, 4), dtype=torch.int32, device=device), (0, 0, 0), 1, 0.1
    )
    _, range_m = rays_of_depth(depth, rays, pose, 0.01, 3, 1, blocks, 7)
    assert range_m.tolist() == [pytest.approx(2.0), -math.inf, -1e9]


@pytest.mark.parametrize("backend", [carve_torch, carve_numba])
def test_a_ray_of_which_nothing_is_known_changes_nothing(backend) -> None:
    log_odds, scratch = empty(10, 1, 1)
    look(backend.integrate_depth, log_odds, scratch, [-math.inf, -math.inf])
    look(backend.integrate_depth, log_odds, scratch, [-math.inf, 3.5])
    assert log_odds[:, 0, 0].tolist() == [-1, 0, 6, 6, 6, 0, 0, 0, 0, 0]


def test_rays_of_depth_by_hand(device: torch.device) -> None:
    # Four columns by two rows, every second pixel: pixels 0 and 2.
    # The camera looks along world x from (1, 2, 3).
    depth = torch.tensor([200, 7, 0, 7, 7, 7, 7, 7], dtype=torch.int16, device=device)
    rays = torch.tensor([[0.0, 0, 1]], device=device).expand(8, 3).contiguous()
    pose = torch.tensor([[0.0, 0, 1, 1], [1, 0, 0, 2], [0, 1, 0, 3]], device=device)
    flags = torch.zeros((4, 4, 4), dtype=torch.int32, device=device)
    blocks = BlockFlags(flags, (0, 0, 2), 1.0, 0.1)
    directions, range_m = rays_of_depth(depth, rays, pose, 0.01, 4, 2, blocks, 7)
    assert torch.allclose(directions, torch.tensor([[1.0, 0, 0], [1.0, 0, 0]], device=device))
    assert range_m[0].item() == pytest.approx(2.0)
    assert range_m[1].item() < -1e6
    # The return lies at (3, 2, 3), a corner of blocks: those 10 cm to both sides are flagged.
    flagged = {(*i.tolist(), int(flags[tuple(i)])) for i in flags.nonzero()}
    assert flagged == {(2, 1, 0, 7), (3, 2, 1, 7)}
    rays_of_depth(depth, rays, pose, 0.01, 4, 2, blocks, 9)
    assert int(flags.max()) == 7
