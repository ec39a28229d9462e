# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What all tests share: device, seeds, threads, a ROS domain of their own, the `ineus` command."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

# Set before rclpy is imported anywhere: nothing leaves the machine, and two test runs do not meet.
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
# As in `ineus_core`, which is imported after torch here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pytest
import torch
from command import CommandResult, run_command

GPU_ABSENT = "needs a CUDA device"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-gpu",
        action="store_true",
        help="fail unless at least one test marked gpu has run",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip(GPU_ABSENT)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests had no GPU, so that their absence is seen."""
    skipped = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and GPU_ABSENT in report.longrepr[2]
    ]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} GPU tests skipped: no CUDA device")


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not session.config.getoption("--require-gpu") or reporter is None:
        return
    ran = [r for r in reporter.stats.get("passed", []) if "gpu" in r.keywords]
    if not ran:
        reporter.write_line("no GPU test has passed, and --require-gpu was given", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> torch.device:
    """Offer each device that the machine has."""
    return torch.device(request.param)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    # Tensors here are small: two threads spend more time on waiting for each other.
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeds() -> None:
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  libraries under test may draw from the global generator
    torch.manual_seed(0)


@pytest.fixture
def ineus(capsys: pytest.CaptureFixture[str]) -> Callable[..., CommandResult]:
    """Run `ineus ARGUMENTS` in this process: `ineus("config", "--set", "seed=1").stdout`."""
    return lambda *arguments: run_command(capsys, *arguments)


@pytest.fixture
def hopper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Let Triton believe in a GPU of compute capability 9.0, and compile into an empty folder."""
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget
    from triton.runtime.driver import driver

    from ineus_core.kernels.ahead import _Elsewhere

    class Driver(_Elsewhere):
        def get_current_stream(self, device: int) -> int:
            return 0

    if triton.knobs.runtime.interpret:
        pytest.skip("nothing is compiled for the interpreter")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    before = driver._active
    driver.set_active(Driver(GPUTarget("cuda", 90, 32)))
    yield tmp_path
    driver._active = before
