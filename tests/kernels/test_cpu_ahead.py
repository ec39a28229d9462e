# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""CPU kernels that other processes compile, seen from a process whose folder of them is empty."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ineus_core.kernels import cpu_ahead, jit
from ineus_core.kernels.small_calls import SMALL_CALLS

_AHEAD = """
from numba.core import event
from ineus_core.kernels import cpu_ahead

begun = []

class Note(event.Listener):
    def on_start(self, event):
        begun.append(event.data["dispatcher"].py_func.__name__)

    def on_end(self, event):
        pass

call = ("cell_lookup", 0)
ahead = cpu_ahead.start(["cell_lookup"], processes=2)
if ahead is not None:
    ahead.wait()
with event.install_listener("numba:compile", Note()):
    cpu_ahead._do(call)
print(ahead is not None, begun, cpu_ahead.start(["cell_lookup"], processes=2) is None)
"""


def _run(script: str, folder: Path | str) -> str:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_what_another_process_has_compiled_is_loaded(tmp_path: Path) -> None:
    # The process that asks compiles nothing, and when all is on disk it starts no other one.
    assert _run(_AHEAD, tmp_path) == "True [] True"
    assert _run(_AHEAD, tmp_path) == "False [] True"


def test_where_nothing_can_be_kept_nothing_is_started_and_kernels_run(tmp_path: Path) -> None:
    # As in an image that is read-only: numba finds no folder.
    no_folder = "import numba.core.caching as c; c.CacheImpl._locator_classes = []"
    found = _run(f"{no_folder}\n{_AHEAD}", tmp_path)
    assert not list(tmp_path.iterdir())
    assert found.startswith("False ['_look_up'") and found.endswith("True")


def test_without_a_core_to_spare_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    monkeypatch.setattr(cpu_ahead, "CompilingAhead", pytest.fail)
    assert cpu_ahead.start(SMALL_CALLS) is None


@pytest.mark.parametrize(("is_behind", "order"), [(False, "abcde"), (True, "acbed")])
def test_once_the_other_process_compiles_itself_the_rest_goes_from_the_far_end(
    is_behind: bool, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, sender = os.pipe()
    done: list[str] = []

    def call(name: str) -> None:
        done.append(name)
        if is_behind and name == "a":
            os.close(sender)

    calls = {name: (lambda name=name: call(name),) for name in "abcde"}
    monkeypatch.setattr(cpu_ahead, "LATER", {"d", "e"})
    monkeypatch.setattr(cpu_ahead, "SMALL_CALLS", calls)
    with os.fdopen(receiver) as other_process:
        cpu_ahead.compile_in_turn([(name, 0) for name in "abcde"], other_process)
    assert "".join(done) == order


def test_the_first_compilation_in_this_process_ends_the_others_standard_input(
    tmp_path: Path,
) -> None:
    script = """
import numba
from ineus_core.kernels import cpu_ahead
ahead = cpu_ahead.CompilingAhead([("adam", 0)], 1)
before = ahead._children[0].stdin.closed
numba.njit(lambda x: x)(1)
print(before, ahead._children[0].stdin.closed)
ahead.stop()
print(ahead._children[0].returncode)
"""
    assert _run(script, tmp_path).split("\n")[0] == "False True"


def test_each_operator_behind_which_numba_compiles_has_a_small_call() -> None:
    folders = {path.parent.name for path in Path(jit.__file__).parent.glob("*/cpu.py")}
    assert folders == set(SMALL_CALLS)


def test_small_calls_are_of_one_part_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.config.NUMBA_NUM_THREADS", 8)
    monkeypatch.setattr(jit, "_pool", pytest.fail)
    for calls in SMALL_CALLS.values():
        for call in calls:
            call()


def test_runs_of_all_kinds_compile_nothing_that_was_not_compiled_ahead() -> None:
    program = Path(__file__).parents[1] / "support" / "compiled_for.py"
    words = [sys.executable, str(program)]
    found = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    ahead = found.pop("ahead")
    assert sum(map(bool, ahead.values())) > 20
    for kind, kernels in found.items():
        new = {name: types for name, types in kernels.items() if types != ahead[name]}
        assert not new, kind
