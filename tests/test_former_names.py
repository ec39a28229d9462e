# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Scripts that import modules by the names of 0.1.0 get the present ones, and a warning."""

import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import pytest

from ineus_core.former_names import FORMER_NAMES


@pytest.mark.parametrize(("former", "present"), sorted(FORMER_NAMES.items()))
def test_a_former_name_is_the_present_module(former: str, present: str) -> None:
    sys.modules.pop(former, None)
    with pytest.warns(DeprecationWarning, match=f"{former} is now {present}"):
        module = import_module(former)
    assert module is import_module(present)


def test_the_module_keeps_its_own_spec() -> None:
    """A second import of the present name must find what is there."""
    present = "ineus_core.reconstruction.checkpoint_files"
    sys.modules.pop("ineus_core.training.checkpoint", None)
    with pytest.warns(DeprecationWarning):
        module = import_module("ineus_core.training.checkpoint")
    assert module.__name__ == present and module.__spec__.name == present
    assert find_spec(present) is not None


def test_the_warning_names_the_script() -> None:
    code = "import ineus_core\nfrom ineus_core.sources.matcher import NearestStampMatcher\n"
    command = [sys.executable, "-W", "error::DeprecationWarning", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ineus_core.sources.matcher is now ineus_core.sources.bags.matcher" in done.stderr
