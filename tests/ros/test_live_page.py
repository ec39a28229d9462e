# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The live page of the node: served where a port asks for it, and gone with the node."""

import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")
pytest.importorskip("viser", reason="needs viser: pip install 'ineus_ros[view]'")

from ros_node import STARTED_S, Running

from ineus_ros.demo.listener import wait_until
from ineus_ros.demo.processes import ChildProcess

pytestmark = [pytest.mark.ros, pytest.mark.slow]


def test_a_port_serves_the_page_and_ends_with_the_node(
    domain: Mapping[str, str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = Running(tmp_path, domain, **{"viewer.port": port})
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=60) as answer:
            assert answer.status == 200
        assert f"live page: http://127.0.0.1:{port}" in running.log.read_text()
        assert running.stop() == 0, running.log.read_text()
    finally:
        running.close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=5)


def test_an_address_that_is_not_ours_ends_the_node_with_one_clear_line(
    domain: Mapping[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-m", "ineus_ros.node", "--ros-args"]
    command += ["-p", "viewer.port:=8080", "-p", "viewer.host:=203.0.113.7"]
    child = ChildProcess(command, domain, log)
    wait_until(lambda: not child.is_running, STARTED_S)
    assert child.stop() == 1
    errors = [line for line in log.read_text().splitlines() if line.startswith("ineus: error:")]
    assert len(errors) == 1 and "viewer.host and viewer.port name another" in errors[0]
    assert "Traceback" not in log.read_text()
