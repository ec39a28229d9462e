# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Room for images in Fast DDS, whose own settings lose or delay what is larger than 512 KB."""

import os
import shutil
from collections.abc import MutableMapping
from pathlib import Path

from ineus_ros.shared_memory import FOLDER

VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
"""Of Jazzy and older, and of Kilted and newer."""
_PROFILE = "config/dds_large_messages.xml"
# Each process has a segment of 64 MB of its own; containers often have no more in all.
_LEAST_FREE_BYTES = 256 << 20


def make_room_for_images(environment: MutableMapping[str, str] = os.environ) -> Path | None:
    """Have Fast DDS take our profile; to be called before `rclpy.init`.

    A profile that the user has named stays, and an empty name keeps the settings of Fast DDS.

    Returns:
        The profile, or None where it is not used: another one is named, or there is little
        shared memory, as in a container.
    """
    profile = _find()
    if profile is None or any(name in environment for name in VARIABLES):
        return None
    try:
        if shutil.disk_usage(FOLDER).free < _LEAST_FREE_BYTES:
            return None
    except OSError:
        return None
    for name in VARIABLES:
        # Both, as which one is read depends on the release, and no release minds the other.
        environment[name] = str(profile)
    return profile


def _find() -> Path | None:
    """Find the profile in the source tree, in an installation by colcon, or in one by pip."""
    here = Path(__file__).resolve()
    places = [here.parents[1] / _PROFILE]
    places += [folder / "share" / "ineus_ros" / _PROFILE for folder in here.parents]
    return next((place for place in places if place.is_file()), None)
