# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The hash grid alone on a GPU: value and Jacobian of random points, and the table's gradient.

Random points are the hardest case: neighbours share no cells. The gradient is that of a loss on
values and on one combination of the Jacobians, as the gradient of a distance is.

Run: python benchmarks/hash_grid.py [--points N]
"""

import argparse
import json

import torch

from ineus_core.bench.measure import machine
from ineus_core.bench.timing import captured_ms
from ineus_core.kernels.hash_grid import HashGridLayout
from ineus_core.kernels.hash_grid.gpu import (
    channel_buffer,
    hash_grid_backward_outer,
    hash_grid_forward,
    jacobian_buffer,
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1 << 18)
    n = parser.parse_args().points
    device, layout = torch.device("cuda"), HashGridLayout()
    torch.manual_seed(0)
    points = channel_buffer(n, 3, torch.empty(0, device=device)).copy_(torch.rand(n, 3))
    table = torch.empty(layout.entries, 2, device=device).uniform_(-1e-4, 1e-4)
    half, d_table = table.half(), torch.zeros_like(table)
    features = channel_buffer(n, layout.channels, table)
    jacobian = jacobian_buffer(n, layout.channels, table)
    d_features, slope = (torch.randn_like(features) for _ in range(2))
    d_direction = torch.randn_like(points)

    def forward() -> None:
        hash_grid_forward(points, half, layout, features, jacobian)

    def backward() -> None:
        hash_grid_backward_outer(points, d_features, slope, d_direction, layout, d_table)

    def both() -> None:
        forward()
        backward()

    result = {"machine": machine(device), "points": n}
    result |= {f"{f.__name__}_ms": captured_ms(f) for f in (forward, backward, both)}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
