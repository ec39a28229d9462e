# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus compile`: everything that is compiled on a machine, compiled now and kept on disk."""

import time
from pathlib import Path
from typing import Annotated

import typer


def command(
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML configuration file.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=V", help="Set one key; repeatable.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or cuda:N.", metavar="D")
    ] = None,
) -> None:
    """Compile all kernels of a configuration, as for the image of a robot.

    They are kept where Triton (TRITON_CACHE_DIR) and numba keep them, for the kind of device that
    does this.
    """
    from ineus_core.config import load_config, resolve_device
    from ineus_core.cores import core_count
    from ineus_core.reconstruction import compile_cpu_kernels_ahead, warm_up

    words = list(overrides or ())
    words += [f"device={device}"] if device is not None else []
    given = load_config(config, words)
    on, begin_s = resolve_device(given.device), time.perf_counter()
    ahead = compile_cpu_kernels_ahead(given, on, processes=core_count())
    if ahead is not None:
        ahead.wait()
    warm_up(given, on)
    typer.echo(f"all kernels are compiled for {on} ({time.perf_counter() - begin_s:.1f} s)")
