# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The occupancy grid: what the sensor saw of each cell, and whether the field has surface there.

It decides where rays are sampled (`marching` goes through it) and where a mesh may be; it is not a
map for planners.
"""

import math
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int8
from pydantic import Field
from torch import Tensor

from ineus_core.config_model import ConfigModel
from ineus_core.errors import CapacityError
from ineus_core.kernels.cell_lookup import cells_at
from ineus_core.kernels.host_copy import write_to
from ineus_core.kernels.occupancy import integrate_depth
from ineus_core.rendering.cell_storage import CellStorage
from ineus_core.rendering.observed_mask import ObservedMask

# A hit on top of the bound still fits into 8 bits with a sign.
_HIT, _MISS, _LIMIT = 6, -1, 120
"""Log odds that a keyframe adds to a cell, and their bound.

Six keyframes that see through a cell undo one return from it.
"""
_UNEVALUATED = 2.0
"""Opacity of a cell that the field has not been asked about, which so counts as occupied."""
_NEW_CELLS = {
    "log_odds": torch.tensor(0, dtype=torch.int8),
    "opacity": torch.tensor(_UNEVALUATED, dtype=torch.float16),
    "occupied": torch.tensor(True),
    "scratch": torch.tensor(0, dtype=torch.uint8),
}
_COMBINED = ("opacity", "log_odds", "occupied")


class OccupancyConfig(ConfigModel):
    """Cells and how they are kept up to date."""

    renamed: ClassVar = {"seen_rays": "visibility_rays"}

    cell_m: float = Field(
        0.0,
        ge=0,
        description="Side of a cell in m; 0 = two voxels, or 1/128 of the side for init object "
        "and room.",
    )
    max_cells: int = Field(
        1 << 27,
        ge=1,
        description="Cells that the grid may grow to; frames outside are refused and counted.",
    )
    update_every: int = Field(16, ge=1, description="Steps between updates from the field.")
    decay: float = Field(
        0.95, ge=0, le=1, description="Share of a cell's old opacity that survives an update."
    )
    threshold: float = Field(
        0.001,
        gt=0,
        lt=1,
        description="Opacity of a step through a cell above which the cell is occupied.",
    )
    max_steps: int = Field(
        1024, ge=8, description="Steps tried along a ray that is marched through the grid."
    )
    visibility_rays: int = Field(
        0,
        ge=-1,
        description="Rays of the views that look for the surface before all of it is meshed "
        "without depth: what none of them meets is left out. 0 = by device, -1 = nothing is.",
    )


class OccupancyGrid:
    """A dense grid over a box of the world that can grow.

    Args:
        config: Cells.
        cell_m: Resolved side of a cell.
        aabb: First box; rounded outwards to whole cells.
        device: Where the cells lie.
        may_be_captured: Whether what is done with the grid may be captured and replayed when it
            has grown; if not given, on a GPU.
    """

    def __init__(
        self,
        config: OccupancyConfig,
        cell_m: float,
        aabb: Float[Tensor, "2 3"],
        device: torch.device,
        may_be_captured: bool | None = None,
    ) -> None:
        """Allocate unseen cells, all of them occupied until the field says otherwise."""
        self._config, self.cell_m, self._device = config, cell_m, device
        on_gpu = device.type == "cuda"
        self._may_be_captured = on_gpu if may_be_captured is None else may_be_captured
        # A box on the borders of cells stays there: a quotient just beside a whole number would
        # add a layer of cells.
        self._low_cell = torch.floor(aabb[0].cpu() / cell_m + 1e-4).long()
        high_cell = torch.ceil(aabb[1].cpu() / cell_m - 1e-4).long()
        shape = (high_cell - self._low_cell).clamp(min=1)
        self._check(shape)
        self._storage = CellStorage(
            _NEW_CELLS, shape.tolist(), config.max_cells, self._may_be_captured, device
        )
        # In their places for good, as what is captured reads them: box, first cell.
        self._aabb = torch.zeros((2, 3), device=device)
        self._low_cell_there = torch.zeros(3, dtype=torch.int64, device=device)
        self._lie_in_storage()
        self.observed = ObservedMask(shape.tolist(), self._low_cell.tolist(), cell_m, device)
        """Where, finer than the log odds, depth images have looked."""
        # What is fused, which is done on a CPU, has its gaps behind what returns nothing.
        self.returned = None if on_gpu else self.observed.empty()
        """Where they have had returns; None: nobody asks."""
        self.has_sensor = False
        self.visible: Bool[Tensor, "gx gy gz"] | None = None
        """Where views met the surface, for whom there is no depth; None if nobody looked."""

    def _lie_in_storage(self) -> None:
        """Take the cells from the storage, and tell the device where in the world they lie."""
        self.log_odds = self._storage.cells("log_odds")
        """Above 0 where returns came from, below 0 where rays went through, 0 where unseen."""
        self.opacity = self._storage.cells("opacity")
        self.occupied = self._storage.cells("occupied")
        self._scratch = self._storage.cells("scratch")
        low = self._low_cell.numpy()
        write_to(self._low_cell_there, low)
        # In single precision, as the device would.
        high = low.astype(np.float32) + np.array(self.log_odds.shape, dtype=np.float32)
        box = np.stack((low.astype(np.float32), high)) * np.float32(self.cell_m)
        write_to(self._aabb, box)

    @property
    def aabb(self) -> Float[Tensor, "2 3"]:
        """Box of the grid, world; on the device, always in the same place."""
        return self._aabb

    @property
    def sizes(self) -> Int[Tensor, " 3"]:
        """Cells along each axis; on the device, always in the same place."""
        return self._storage.sizes

    @property
    def captured_key(self) -> object:
        """What a captured step has baked in of the grid."""
        # Without depth the step follows the diagonal, and is a number of the launch.
        return self._storage.place, self.has_sensor, self.step_m

    @property
    def host_aabb(self) -> Float[np.ndarray, "2 3"]:
        """`aabb` without a look at the device."""
        low = self._low_cell.numpy()
        return np.stack((low, low + np.array(self.log_odds.shape))) * self.cell_m

    @property
    def max_steps(self) -> int:
        """Steps tried along a ray."""
        return self._config.max_steps

    @property
    def step_m(self) -> float:
        """Length of a marching step: no occupied cell is jumped over.

        Without depth the steps alone resolve the surface, so they are as fine as the number that
        may be tried on the diagonal allows.
        """
        if self.has_sensor:
            return 0.5 * self.cell_m
        diagonal_m = self.cell_m * sum(n * n for n in self.log_odds.shape) ** 0.5
        return min(0.5 * self.cell_m, diagonal_m / self._config.max_steps)

    def grow(self, aabb: Float[Tensor, "2 3"], spare_m: float = 0.0) -> bool:
        """Enlarge the grid to hold a box; True if it had to, `CapacityError` if it may not.

        Args:
            spare_m: Added on the sides that have to move.
        """
        low = torch.minimum(self._low_cell, torch.floor(aabb[0].cpu() / self.cell_m).long())
        old_shape = torch.tensor(self.log_odds.shape)
        high = torch.maximum(
            self._low_cell + old_shape, torch.ceil(aabb[1].cpu() / self.cell_m).long()
        )
        # The usual case, which copies nothing.
        if torch.equal(low, self._low_cell) and torch.equal(high, self._low_cell + old_shape):
            return False
        spare = round(spare_m / self.cell_m)
        # Only on sides that move: a camera that goes on would have the grid copied with every
        # keyframe.
        low = torch.where(low < self._low_cell, low - spare, low)
        high = torch.where(high > self._low_cell + old_shape, high + spare, high)
        shape, shift = high - low, self._low_cell - low
        self._check(shape)
        self._storage.grow(shape.tolist(), shift.tolist())
        for mask in filter(None, (self.observed, self.returned)):
            mask.grow(shape.tolist(), low.tolist())
        # What views met is of the old cells; they are asked anew.
        self.visible = None
        self._low_cell = low
        self._lie_in_storage()
        return True

    def _check(self, shape: Int[Tensor, " 3"]) -> None:
        cells = int(shape.prod())
        if cells > self._config.max_cells:
            raise CapacityError(
                f"occupancy grid of {' x '.join(map(str, shape.tolist()))} cells of "
                f"{self.cell_m} m: expected at most occupancy.max_cells {self._config.max_cells}; "
                "raise it or occupancy.cell_m"
            )

    def state(self) -> tuple[dict[str, Tensor], dict[str, object]]:
        """Return what a checkpoint needs."""
        # Which cells are occupied follows from these two.
        tensors = {"log_odds": self.log_odds, "opacity": self.opacity}
        if self.has_sensor:
            tensors["observed"] = self.observed.packed()
            if self.returned is not None:
                tensors["returned"] = self.returned.packed()
        meta: dict[str, object] = {
            "low_cell": self._low_cell.tolist(),
            "cell_m": self.cell_m,
            "has_sensor": self.has_sensor,
        }
        return tensors, meta

    @classmethod
    def from_state(
        cls, config: OccupancyConfig, tensors: dict[str, Tensor], meta: dict, device: torch.device
    ) -> "OccupancyGrid":
        """Return the grid of a checkpoint."""
        # By cell numbers, as a box in metres may be rounded into the next cell.
        low = torch.tensor(meta["low_cell"], dtype=torch.float32)
        shape = torch.tensor(tensors["log_odds"].shape)
        grid = cls(
            config, meta["cell_m"], torch.stack((low, low + shape)) * meta["cell_m"], device
        )
        grid.log_odds.copy_(tensors["log_odds"])
        grid.opacity.copy_(tensors["opacity"])
        grid.has_sensor = meta["has_sensor"]
        if "observed" in tensors:
            grid.observed.unpack(tensors["observed"])
        else:
            # A checkpoint from before anyone noted it.
            grid.observed.cells.fill_(True)
        if grid.returned is not None:
            # One of a GPU does not tell of returns, nor did older ones.
            known = tensors["returned"] if "returned" in tensors else grid.observed.packed()
            grid.returned.unpack(known)
        grid._combine()
        return grid

    def observe(
        self,
        origin: Float[Tensor, " 3"],
        directions: Float[Tensor, "rays 3"],
        range_m: Float[Tensor, " rays"],
        truncation_m: float,
    ) -> None:
        """Add the log odds of one depth image: free up to the band, surface within it."""
        cells = 1.0 / self.cell_m
        integrate_depth(
            self.log_odds,
            self._scratch,
            origin * cells - self._low_cell_there,
            directions,
            range_m * cells,
            truncation_m * cells,
            # A return marks its own cell and the next ones, however wide the truncation is.
            min(truncation_m * cells, 1.5),
            (_HIT, _MISS, _LIMIT),
        )
        self.has_sensor = True
        self._combine()

    def _cell_index(
        self, points: Float[Tensor, "n 3"]
    ) -> tuple[Int[Tensor, " n"], Bool[Tensor, " n"]]:
        shape = torch.tensor(self.log_odds.shape, device=self._device)
        cell = torch.floor(points / self.cell_m).long() - self._low_cell_there
        inside = ((cell >= 0) & (cell < shape)).all(dim=1)
        # What is outside gets some cell, so that the index is one; the caller leaves it out.
        cell = cell.clamp(min=0).minimum(shape - 1)
        return (cell[:, 0] * shape[1] + cell[:, 1]) * shape[2] + cell[:, 2], inside

    @property
    def cells_of_view(self) -> Bool[Tensor, "gx gy gz"]:
        """Where a surface was seen: by returns, or by the field if there are none."""
        return self.log_odds > 0 if self.has_sensor else self.occupied

    @property
    def cells_of_mesh(self) -> Bool[Tensor, "gx gy gz"]:
        """Where a mesh may be: as `cells_of_view`, less what no view met if views have looked."""
        if self.has_sensor or self.visible is None:
            return self.cells_of_view
        return self.occupied & self.visible

    def set_cells(self, cells: Bool[Tensor, "gx gy gz"], points: Float[Tensor, "n 3"]) -> None:
        """Set the cells that points lie in; points outside of the grid are left out."""
        index, inside = self._cell_index(points)
        cells.view(-1)[index[inside]] = True

    def forget_returns(self, points: Float[Tensor, "n 3"]) -> None:
        """Count the cells of points as seen through: what had been there has gone."""
        index, inside = self._cell_index(points)
        cells = self.log_odds.view(-1)
        index = index[inside]
        # Cells that are surer to be free stay so.
        cells[index] = cells[index].clamp(max=_MISS)

    def may_hold_mesh(
        self, points: Float[Tensor, "n 3"], voxel_m: float = 0.0
    ) -> Bool[Tensor, " n"]:
        """Tell where a surface was seen: by returns, or by the field if there are none.

        Args:
            points: Centres of voxels.
            voxel_m: Side of the voxels; one that is larger than the cells in which that is known
                may hold a mesh if the middle of any of its parts, which are no larger, may.
        """
        known_m = self.observed.cell_m if self.has_sensor else self.cell_m
        return _any_part(self._is_seen, points, voxel_m, known_m)

    def has_returned(self, points: Float[Tensor, "n 3"], voxel_m: float) -> Bool[Tensor, " n"]:
        """Tell in which voxels depth images have had returns, or anywhere near.

        Args:
            points: Their centres.
            voxel_m: Their side.
        """
        mask = self.observed if self.returned is None else self.returned
        return _any_part(mask.at, points, voxel_m, mask.cell_m)

    def _is_seen(self, points: Float[Tensor, "n 3"]) -> Bool[Tensor, " n"]:
        x, y, z = self._low_cell.tolist()
        may = cells_at(points, self.cells_of_mesh, (x, y, z), self.cell_m)
        return may & self.observed.at(points) if self.has_sensor else may

    def occupied_centres(self) -> Float[Tensor, "n 3"]:
        """Return the centres of the cells that may hold a mesh."""
        return self._centres(self.cells_of_mesh.nonzero())

    def _centres(self, cells: Int[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        return (cells + self._low_cell_there + 0.5) * self.cell_m

    def update(
        self,
        sdf_fn: Callable[[Tensor], Tensor],
        inv_s: Float[Tensor, ""],
        cells: int,
        generator: torch.Generator,
    ) -> None:
        """Renew the opacity of random unseen or uncertain cells from the field.

        The opacity is that of a step head-on through the point of the cell that the surface can
        be nearest to (NeuS, eq. 13, with |sdf| lowered by half the cell's diagonal), so a cell is
        never lost between samples.
        """

        def opacity(points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
            half_diagonal_m = 0.5 * 3**0.5 * self.cell_m
            # The largest that it can be anywhere in the cell, if the distance changes by no more
            # than the way.
            nearest = (sdf_fn(points).abs() - half_diagonal_m).clamp(min=0.0)
            near_cdf = torch.sigmoid((nearest + 0.5 * self.step_m) * inv_s)
            far_cdf = torch.sigmoid((nearest - 0.5 * self.step_m) * inv_s)
            return ((near_cdf - far_cdf + 1e-5) / (near_cdf + 1e-5)).clamp(0, 1)

        self._renew(opacity, cells, generator)

    def update_density(
        self, density_fn: Callable[[Tensor], Tensor], cells: int, generator: torch.Generator
    ) -> None:
        """Renew the opacity of random cells from a density, at a random point of each."""

        def opacity(centres: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
            # A density may lie in a corner of the cell; a distance tells of it from the middle.
            shift = torch.rand(centres.shape, generator=generator, device=self._device) - 0.5
            density = density_fn(centres + shift * self.cell_m)
            return -torch.expm1(-density * self.step_m)

        self._renew(opacity, cells, generator)

    def _renew(
        self,
        opacity_fn: Callable[[Tensor], Tensor],
        cells: int,
        generator: torch.Generator,
    ) -> None:
        index = self._places_to_renew(cells, generator)
        _, gy, gz = self._sizes_to_index_by()
        grid = torch.stack((index // (gy * gz), index // gz % gy, index % gz), dim=1)
        alpha = opacity_fn(self._centres(grid))
        # A field that is about to be rolled back must leave no NaN, which no maximum removes.
        alpha = alpha.nan_to_num(1.0)
        flat = self._storage.flat("opacity")
        old = flat[index]
        # The first evaluation counts alone: fading from 1 would take more than a hundred updates.
        old = torch.where(old == _UNEVALUATED, 0.0, old * self._config.decay)
        # Up at once, down by the decay (instant-ngp): a single low value does not close a cell.
        flat[index] = torch.maximum(alpha.half(), old)
        # With the room behind the cells, so that this holds when they have grown.
        self._combine(*(self._storage.flat(name) for name in _COMBINED))

    def _places_to_renew(self, cells: int, generator: torch.Generator) -> Int[Tensor, " renewed"]:
        """Return random cells by their place; to be captured always as many, of any grid."""
        if not self._may_be_captured:
            total = self.opacity.numel()
            if cells >= total:
                # All of them in turn, where that costs no more.
                return torch.arange(total, device=self._device)
            return torch.randint(total, (cells,), generator=generator, device=self._device)
        # The range of a draw is a number of the launch, but how many cells there are is known on
        # the device: so a far larger number is drawn, of which the rest is even enough.
        total_there = self.sizes.long().prod()
        in_turn = torch.arange(cells, device=self._device)
        drawn = torch.randint(1 << 62, (cells,), generator=generator, device=self._device)
        # Cells that come up twice are renewed to the same value twice.
        return torch.where(total_there > cells, drawn, in_turn) % total_there

    def _sizes_to_index_by(self) -> tuple[Tensor | int, Tensor | int, Tensor | int]:
        """Return the cells along each axis, as they will be when a graph is replayed."""
        if self._may_be_captured:
            gx, gy, gz = self.sizes.long().unbind()
            return gx, gy, gz
        return tuple(self.log_odds.shape)  # type: ignore[return-value]

    def _combine(
        self,
        opacity: Float[Tensor, "*cells"] | None = None,
        log_odds: Int8[Tensor, "*cells"] | None = None,
        occupied: Bool[Tensor, "*cells"] | None = None,
    ) -> None:
        """Decide anew which cells are occupied: of the grid, or of what is given."""
        opacity = self.opacity if opacity is None else opacity
        log_odds = self.log_odds if log_odds is None else log_odds
        occupied = self.occupied if occupied is None else occupied
        # One pass each over bytes: on a CPU this runs for every keyframe, over the whole grid.
        torch.gt(opacity, self._config.threshold, out=occupied)
        occupied &= log_odds == 0
        occupied |= log_odds > 0


def _any_part(
    test: Callable[[Tensor], Tensor], points: Float[Tensor, "n 3"], voxel_m: float, cell_m: float
) -> Bool[Tensor, " n"]:
    """Ask about the middle of each part of voxels, which are no larger than cells."""
    # Cells are made as large as voxels: what is left of a quotient is rounding.
    parts = max(1, math.ceil(voxel_m / cell_m - 1e-3))
    if parts == 1:
        return test(points)
    places = ((torch.arange(parts, device=points.device) + 0.5) / parts - 0.5) * voxel_m
    found = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    for offset in torch.cartesian_prod(places, places, places):
        found |= test(points + offset)
    return found
