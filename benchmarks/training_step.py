# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A training step on raw kernels at the settings of instant-nsr-pl's neus-blender, on a ball.

The ball is seen by cameras 4 m away. The occupancy grid holds a shell around its surface, as after
the first hundreds of steps, or all the space that a first step samples.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ineus_core.kernels.adam.gpu import adam_step
from ineus_core.kernels.compositing.gpu import composite_backward, composite_forward
from ineus_core.kernels.fused_field.gpu import (
    FieldWeights,
    field_backward,
    field_buffers,
    field_forward,
)
from ineus_core.kernels.hash_grid import HashGridLayout
from ineus_core.kernels.hash_grid.gpu import hash_grid_backward_outer, hash_grid_forward
from ineus_core.kernels.mlp import ColourHeadWeights, SdfHeadWeights
from ineus_core.kernels.mlp.gpu import (
    colour_head_backward,
    colour_head_forward,
    sdf_head_backward,
    sdf_head_forward,
)
from ineus_core.kernels.ray_marching.gpu import march_packed_into, sample_buffers
from ineus_core.types import FieldOutput

HALF_SIDE_M, BALL_M, _SHELL_M, _START_M, _CAMERA_M = 1.5, 0.8, 0.03, 1.2, 4.0
_STEP_M = 2 * 3**0.5 * HALF_SIDE_M / 1024
_SHAPES = {
    "w1": (64, 35), "b1": (64,), "w2": (13, 64), "b2": (13,),
    "c1": (64, 32), "d1": (64,), "c2": (64, 64), "d2": (64,), "c3": (3, 64), "d3": (3,),
}  # fmt: skip


class Step:
    """A training step on raw kernels: every buffer is allocated here, once."""

    def __init__(
        self, rays: int, budget: int, sparse: bool, run_levels: int, at_start: bool = False
    ) -> None:
        """Allocate and initialise, with the first sphere of geometric initialisation."""
        device = self.device = torch.device("cuda")
        torch.manual_seed(0)
        self.layout, self.sparse, self.run_levels = HashGridLayout(), sparse, run_levels
        self.at_start = at_start
        sizes = [2 * self.layout.entries, *(math.prod(shape) for shape in _SHAPES.values())]
        padded = [-(-size // 16) * 16 for size in sizes]
        self.flat, self.grad, self.mean, self.square = (
            torch.zeros(sum(padded), device=device) for _ in range(4)
        )
        self.half = torch.zeros(sum(padded), dtype=torch.float16, device=device)
        self.weights, self.d_weights = (
            self._views(self.flat, padded),
            self._views(self.grad, padded),
        )
        self._initialise()
        table = self.half[: sizes[0]].view(-1, 2)
        self.weights = FieldWeights(table, self.weights.sdf, self.weights.colour)
        self.half.copy_(self.flat)
        self.sharpness = torch.full((1,), 0.3, device=device)
        self.d_sharpness, self.sharpness_mean, self.sharpness_square = (
            torch.zeros(1, device=device) for _ in range(3)
        )
        self.inv_s, self.anneal = torch.empty((), device=device), torch.ones((), device=device)
        self.lr, self.lr_sharpness = (
            torch.tensor(0.01, device=device),
            torch.tensor(0.001, device=device),
        )
        self.count = torch.zeros((), device=device)
        self.losses = torch.zeros(2, device=device)
        self._allocate(rays, budget)

    def _views(self, flat: Tensor, padded: list[int]) -> FieldWeights:
        table, *rest = flat.split(padded)
        w = [
            part[: math.prod(shape)].view(shape)
            for part, shape in zip(rest, _SHAPES.values(), strict=True)
        ]
        table = table[: 2 * self.layout.entries].view(-1, 2)
        return FieldWeights(table, SdfHeadWeights(*w[:4]), ColourHeadWeights(*w[4:]))

    def _initialise(self) -> None:
        w, c = self.weights.sdf, self.weights.colour
        self.weights.table.uniform_(-1e-4, 1e-4)
        w.w1[:, :3].normal_(0.0, math.sqrt(2 / 64))
        w.w2.normal_(math.sqrt(math.pi / 64), 1e-4)
        w.b2.fill_(-0.5)
        for weight in (c.w1, c.w2, c.w3):
            torch.nn.init.kaiming_uniform_(weight, nonlinearity="relu")

    def _allocate(self, rays: int, budget: int) -> None:
        device = self.device
        self.pool = _ray_pool(1 << 20, device)
        self.origins, self.directions, self.target = (
            torch.empty((rays, 3), device=device) for _ in range(3)
        )
        self.jitter = torch.empty(rays, device=device)
        self.aabb = torch.tensor([[-HALF_SIDE_M] * 3, [HALF_SIDE_M] * 3], device=device)
        self.cube = torch.tensor([-HALF_SIDE_M] * 3 + [2 * HALF_SIDE_M], device=device)
        centres = (torch.arange(128, device=device) + 0.5) / 128 * 2 * HALF_SIDE_M - HALF_SIDE_M
        distance = torch.stack(torch.meshgrid(centres, centres, centres, indexing="ij")).norm(
            dim=0
        )
        shell = (distance - BALL_M).abs() < _SHELL_M
        self.occupied = distance < _START_M if self.at_start else shell
        self.samples, self.total = (
            sample_buffers(rays, budget, device),
            torch.zeros((), dtype=torch.int32, device=device),
        )
        self.points = torch.zeros((3, budget), device=device).t()
        self.buffers = field_buffers(budget, self.layout, 13, device)
        self.output, self.d_output = _output(budget, device), _output(budget, device)
        self.rendered, self.d_rendered = (torch.zeros((rays, 8), device=device) for _ in range(2))
        self.eikonal_scale = torch.zeros((), device=device)
        self.scales = (HALF_SIDE_M, 0.5)

    def __call__(self) -> None:
        """One step."""
        self.draw()
        self.march()
        self.forward()
        self.composite()
        self.loss()
        self.composite_back()
        self.backward()
        self.optimise()

    def draw(self) -> None:
        """Rays and the scalars of the step."""
        index = torch.randint(len(self.pool[0]), (len(self.origins),), device=self.device)
        for source, target in zip(
            self.pool, (self.origins, self.directions, self.target), strict=True
        ):
            torch.index_select(source, 0, index, out=target)
        self.jitter.uniform_()
        torch.exp(10.0 * self.sharpness[0], out=self.inv_s)

    def march(self) -> None:
        """Samples and their points."""
        march_packed_into(
            self.origins, self.directions, self.occupied, self.aabb, _STEP_M, 1024, self.jitter,
            self.samples, self.total, None, self.points, self.cube,
        )  # fmt: skip

    @property
    def _field_call(self):  # type: ignore[no-untyped-def]
        index = self.samples.ray_index
        return (
            self.points,
            self.directions,
            index,
            self.weights,
            self.layout,
            self.scales,
            self.buffers,
        )

    def forward(self) -> None:
        """The field at the samples."""
        field_forward(*self._field_call, self.output, self.total)

    def composite(self) -> None:
        """Rendered rays."""
        composite_forward(
            self.directions, self.samples, self.output, self.inv_s, self.anneal, self.rendered
        )

    def loss(self) -> None:
        """Mean squared colour error; weight 0.1 for the eikonal term."""
        # Rays that found no room in the budget have no colour to compare.
        has_samples = (self.samples.count > 0)[:, None]
        error = (self.rendered[:, :3] - self.target) * has_samples
        torch.mul(error, 2.0 / error.numel(), out=self.d_rendered[:, :3])
        self.losses.zero_()
        torch.mean(error * error, dim=(0, 1), out=self.losses[0])
        torch.div(0.1, self.total.clamp(min=1), out=self.eikonal_scale)

    def composite_back(self) -> None:
        """Cotangents of the samples."""
        self.d_sharpness.zero_()
        composite_backward(
            self.directions, self.samples, self.output, self.inv_s, self.anneal, self.rendered,
            self.d_rendered,
            self.d_output, self.d_sharpness, self.eikonal_scale, self.losses[1],
        )  # fmt: skip
        self.d_sharpness.mul_(10.0 * self.inv_s)

    def backward(self) -> None:
        """Gradients of table and weights."""
        field_backward(
            *self._field_call, self.output, self.d_output, self.d_weights, self.run_levels
        )

    def optimise(self) -> None:
        """One Adam update of everything."""
        self.count += 1
        adam_step(
            self.flat,
            self.grad,
            self.mean,
            self.square,
            self.lr,
            self.count,
            self.half,
            sparse=self.sparse,
        )
        adam_step(
            self.sharpness,
            self.d_sharpness,
            self.sharpness_mean,
            self.sharpness_square,
            self.lr_sharpness,
            self.count,
        )

    def pieces(self) -> dict[str, Callable[[], None]]:
        """Parts of the step, by name."""
        b, w, d = self.buffers, self.weights, self.d_weights
        index, maps = self.samples.ray_index, ((2.0, -1.0), self.scales)
        return {
            "draw": self.draw,
            "march": self.march,

            "encode": lambda: hash_grid_forward(
                self.points, w.table, self.layout, b.features, b.jacobian, self.total
            ),
            "sdf head": lambda: sdf_head_forward(
                self.points, b.features, b.jacobian, w.sdf, b.outputs, self.output.gradient,
                b.slopes, self.output.sdf, *maps,
            ),
            "colour head": lambda: colour_head_forward(
                b.outputs, self.output.gradient, self.directions, w.colour, self.output.rgb, index
            ),
            "composite": self.composite,
            "loss": self.loss,
            "composite backward": self.composite_back,
            "colour head backward": lambda: colour_head_backward(
                b.outputs, self.output.gradient, self.directions, w.colour, self.d_output.rgb,
                self.d_output.gradient, b.d_outputs, b.d_gradient, d.colour, index,
            ),
            "sdf head backward": lambda: sdf_head_backward(
                self.points, b.features, b.jacobian, w.sdf, b.d_outputs, b.d_gradient,
                b.d_features,
                d.sdf, self.d_output.sdf, *maps,
            ),
            "encode backward": lambda: hash_grid_backward_outer(
                self.points, b.d_features, b.slopes, b.d_gradient, self.layout, d.table,
                self.run_levels, self.scales[1],
            ),
            "optimiser": self.optimise,
        }  # fmt: skip


def _output(n: int, device: torch.device) -> FieldOutput:
    vectors = torch.zeros((7, n), device=device)
    return FieldOutput(vectors[6], vectors[:3].t(), vectors[3:6].t())


def _ray_pool(n: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Rays to points around the ball, with the colour of what they hit."""
    origins = torch.nn.functional.normalize(torch.randn((n, 3), device=device), dim=1) * _CAMERA_M
    aim = torch.nn.functional.normalize(torch.randn((n, 3), device=device), dim=1)
    aim *= BALL_M * 1.1 * torch.rand((n, 1), device=device) ** (1 / 3)
    directions = torch.nn.functional.normalize(aim - origins, dim=1)
    along = -(origins * directions).sum(dim=1)
    root = BALL_M**2 - (origins + along[:, None] * directions).square().sum(dim=1)
    hit = origins + (along - root.clamp(min=0).sqrt())[:, None] * directions
    colour = 0.5 + 0.5 * torch.sin(
        torch.stack((11 * hit[:, 0], 7 * hit[:, 1], 9 * hit[:, 2]), dim=1)
    )
    return origins, directions, torch.where((root > 0)[:, None], colour, 0.0)
