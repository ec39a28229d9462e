# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Private domains are held by locks that harm nobody's files; programs leave nothing behind."""

import os
import sys
import time
from pathlib import Path

import pytest

from ineus_core.errors import CapacityError
from ineus_ros import shared_memory
from ineus_ros.demo.processes import ChildProcess, private_domain, runtime_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a runtime folder of the user's."""
    made = tmp_path / "runtime"
    made.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(made))
    return made


def test_two_domains_that_are_held_differ(folder: Path) -> None:
    with private_domain() as first, private_domain() as second:
        assert first["ROS_DOMAIN_ID"] != second["ROS_DOMAIN_ID"]
        assert first["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_a_link_in_the_place_of_a_lock_is_not_followed(folder: Path, tmp_path: Path) -> None:
    with private_domain() as environment:
        domain = environment["ROS_DOMAIN_ID"]
    (lock,) = folder.iterdir()
    lock.unlink()
    letter = tmp_path / "letter"
    letter.write_text("dear")
    lock.symlink_to(letter)
    with private_domain() as environment:
        assert environment["ROS_DOMAIN_ID"] != domain
    assert letter.read_text() == "dear"


def test_a_folder_that_others_may_write_to_is_not_used(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder.chmod(0o777)
    own = tmp_path / f"ineus-{os.getuid()}"
    assert runtime_folder() == own and own.stat().st_mode & 0o777 == 0o700
    own.rmdir()
    own.symlink_to(folder)
    with pytest.raises(CapacityError, match="0700"):
        runtime_folder()


@pytest.mark.parametrize("is_killed", [True, False])
def test_a_program_that_ends_abruptly_leaves_no_shared_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_killed: bool
) -> None:
    shared, ready = tmp_path / "shm", tmp_path / "ready"
    shared.mkdir()
    monkeypatch.setattr(shared_memory, "FOLDER", shared)
    for name in ("fastrtps_its", "fastrtps_its_el", "fastrtps_other", "fastrtps_other_el"):
        (shared / name).touch()
    # It does not clean up, whatever it is told.
    program = (
        "import pathlib, signal, sys, time; signal.signal(signal.SIGINT, lambda *_: sys.exit()); "
        f"lock = open({str(shared / 'fastrtps_its_el')!r}); "
        f"pathlib.Path({str(ready)!r}).touch(); time.sleep(600)"
    )
    with ChildProcess([sys.executable, "-c", program], {}) as child:
        while not ready.exists():
            assert child.is_running
            time.sleep(0.01)
        if is_killed:
            child.kill()
    assert {path.name for path in shared.iterdir()} == {"fastrtps_other", "fastrtps_other_el"}
