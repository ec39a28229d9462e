# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Segments of processes that are gone are removed, those of others never."""

import fcntl
import os
import time
from pathlib import Path

import pytest

from ineus_ros import shared_memory


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(shared_memory, "FOLDER", tmp_path)
    return tmp_path


def segment(folder: Path, name: str, age_s: float = 3600.0) -> Path:
    made, lock = folder / name, folder / f"{name}_el"
    made.write_bytes(b"data")
    lock.touch()
    os.utime(lock, (time.time() - age_s,) * 2)
    return made


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_nobody_holds_is_removed_with_its_lock(folder: Path) -> None:
    segment(folder, "fastrtps_0123")
    segment(folder, "fastdds_4567")
    shared_memory.remove_abandoned_segments()
    assert names(folder) == set()


def test_what_somebody_holds_has_just_been_made_or_is_no_segment_stays(folder: Path) -> None:
    segment(folder, "fastrtps_new", age_s=1.0)
    segment(folder, "fastrtps_port7660")
    segment(folder, "letters_0123")
    held = segment(folder, "fastrtps_held")
    with held.with_name("fastrtps_held_el").open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        shared_memory.remove_abandoned_segments()
    assert {name for name in names(folder) if not name.endswith("_el")} == {
        "fastrtps_new",
        "fastrtps_port7660",
        "letters_0123",
        "fastrtps_held",
    }
    assert len(names(folder)) == 8


def test_the_segments_of_a_process_are_those_whose_locks_it_has_open(folder: Path) -> None:
    made = segment(folder, "fastrtps_own")
    segment(folder, "fastrtps_other")
    with made.with_name("fastrtps_own_el").open():
        assert {path.name for path in shared_memory.own_segments()} == {
            "fastrtps_own",
            "fastrtps_own_el",
        }
