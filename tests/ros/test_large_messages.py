# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Fast DDS gets our profile where nobody has named another one and the memory for it is there."""

import shutil
from types import SimpleNamespace

import pytest

from ineus_ros import large_messages
from ineus_ros.large_messages import VARIABLES, make_room_for_images


def free_bytes(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=number))


def test_our_profile_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    free_bytes(monkeypatch, 1 << 30)
    environment: dict[str, str] = {}
    profile = make_room_for_images(environment)
    assert profile is not None and profile.name == "dds_large_messages.xml" and profile.is_file()
    assert environment == dict.fromkeys(VARIABLES, str(profile))


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("value", ["mine.xml", ""])
def test_the_user_s_choice_stays(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    free_bytes(monkeypatch, 1 << 30)
    environment = {variable: value}
    assert make_room_for_images(environment) is None
    assert environment == {variable: value}


def test_a_container_with_little_shared_memory_keeps_the_settings_of_dds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment: dict[str, str] = {}
    free_bytes(monkeypatch, 64 << 20)
    assert make_room_for_images(environment) is None

    def absent(_: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(shutil, "disk_usage", absent)
    assert make_room_for_images(environment) is None
    monkeypatch.setattr(large_messages, "_find", lambda: None)
    assert make_room_for_images(environment) is None
    assert not environment
