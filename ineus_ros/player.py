# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Play a ROS 2 bag on topics: `python -m ineus_ros.player FILE`; the bytes go out as recorded."""

import argparse
import importlib
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions

from ineus_core.errors import IneusError, SourceError
from ineus_core.sources import BagFile, BagTopic, find_images
from ineus_ros.carried_poses import TF_TYPE, CarriedPoses
from ineus_ros.large_messages import make_room_for_images

POSES_TOPIC = "/transform"
"""What a node without a namespace listens on for TransformStamped."""
_DEPTH = 20
_CLOCK_PERIOD_S = 0.01
# How long no further subscriber may come for all to count as there.
_SETTLE_S = 0.3
_ACKNOWLEDGE_S = 20.0
"""For subscribers on a busy machine; one that is gone is waited for as long."""
_LOOK_S = 0.1
_FOR_EVER_S = 1e9  # a lock cannot wait for as long as the smallest rates ask


class Player:
    """Publishes the messages of a bag in its own time.

    Args:
        stop: Ends all waiting and playing when it is set.
        only: Topics to play; all if empty.
        with_clock: Publish the time of the bag on /clock.
        poses_topic: Where the camera's poses go if transforms cannot be played.
    """

    def __init__(
        self,
        node: Node,
        bag: BagFile,
        stop: threading.Event,
        *,
        only: Sequence[str] = (),
        with_clock: bool = False,
        poses_topic: str = POSES_TOPIC,
    ) -> None:
        """Make a publisher for each topic whose message type is installed."""
        self.stop = stop
        self.played: Counter[str] = Counter()
        self.played_bytes = 0
        self.worst_s = 0.0
        self._late_s = 0.0
        self._node = node
        self._bag = bag
        self._publishers: dict[str, Any] = {}
        for topic in _topics(bag, only):
            message_type = _message_type(topic.type_name)
            if message_type is None:
                print(f"skipping {topic.name}: no Python type for {topic.type_name}", flush=True)
                continue
            self._publishers[topic.name] = node.create_publisher(
                message_type, topic.name, _profile(topic)
            )
        self._clock = _ClockPublisher(node) if with_clock else None
        self._carried = self._carry_poses(poses_topic, only)

    @property
    def mean_late_s(self) -> float:
        """Mean time by which messages went out late."""
        return self._late_s / max(1, sum(self.played.values()))

    def wait_for_subscribers(self, timeout_s: float) -> None:
        """Wait until the colour topic has a subscriber and the number of all of them settles."""
        # The colour, which makes the frames: a tool that records all else would end the wait too
        # soon.
        topics = [self._colour_topic()] if self._colour_topic() else list(self._publishers)
        end = time.monotonic() + timeout_s
        settled_at = float("inf")
        count = 0
        while time.monotonic() < min(end, settled_at) and not self.stop.wait(0.05):
            matched = any(self._publishers[name].get_subscription_count() for name in topics)
            now_count = sum(p.get_subscription_count() for p in self._publishers.values())
            # Topics are matched one by one: where one is, the others are about to be.
            if matched and now_count != count:
                settled_at = time.monotonic() + _SETTLE_S
                count = now_count
        if settled_at == float("inf") and not self.stop.is_set():
            print(f"no subscriber within {timeout_s:g} s; playing anyway", flush=True)

    def play(self, rate: float) -> None:
        """Publish all messages once; at rate 0 as fast as possible."""
        begin = time.monotonic()
        for topic, log_ns, raw in self._bag.messages(list(self._publishers)):
            wait_s = (log_ns - self._bag.start_ns) * 1e-9 / rate if rate > 0 else 0.0
            due = begin + min(wait_s, _FOR_EVER_S)
            self._sleep_until(due, log_ns, rate)
            if self.stop.is_set():
                return
            # Without a rate no message is due at any time.
            if rate > 0:
                late_s = max(0.0, time.monotonic() - due)
                self._late_s += late_s
                self.worst_s = max(self.worst_s, late_s)
            if self._carried is not None and topic == self._carried.colour_topic:
                # Before its image, so that the pose is there when it is asked for.
                self._carried.publish(raw)
            # As bytes they go out as they were recorded, without a message object in between.
            self._publishers[topic].publish(bytes(raw))
            self.played[topic] += 1
            self.played_bytes += len(raw)

    def finish(self) -> None:
        """Give reliable messages the time to arrive."""
        end = time.monotonic() + _ACKNOWLEDGE_S
        for publisher in self._publishers.values():
            while publisher.get_subscription_count() and time.monotonic() < end:
                # In short waits, as a signal does not end one.
                if self.stop.is_set() or publisher.wait_for_all_acked(Duration(seconds=_LOOK_S)):
                    break

    def _sleep_until(self, due: float, log_ns: int, rate: float) -> None:
        if self._clock is None:
            self.stop.wait(max(0.0, due - time.monotonic()))
            return
        # Also between messages, as timers of those that listen go by it.
        while (left_s := due - time.monotonic()) > _CLOCK_PERIOD_S and not self.stop.is_set():
            self._clock.publish(log_ns - round(left_s * rate * 1e9))
            self.stop.wait(_CLOCK_PERIOD_S)
        # An event and no sleep, so that a signal ends it at once.
        self.stop.wait(max(0.0, due - time.monotonic()))
        self._clock.publish(log_ns)

    def _carry_poses(self, topic: str, only: Sequence[str]) -> CarriedPoses | None:
        """Begin to publish the camera's poses where its transforms were skipped."""
        skipped = [t for t in _topics(self._bag, only) if t.name not in self._publishers]
        if not any(topic.type_name == TF_TYPE for topic in skipped):
            return None
        try:
            carried = CarriedPoses(self._node, self._bag, topic)
        except IneusError as error:
            print(f"no poses in place of the transforms: {error}", flush=True)
            return None
        print(f"in place of the transforms: {carried.description}", flush=True)
        return carried

    def _colour_topic(self) -> str:
        """Return the topic of colour, or "" if it is not played."""
        try:
            name = find_images(self._bag, "", "")[0].name
        except SourceError:
            return ""
        return name if name in self._publishers else ""


class _ClockPublisher:
    """Publishes the time of the bag, never backwards within one pass."""

    def __init__(self, node: Node) -> None:
        """Make the publisher."""
        from builtin_interfaces.msg import Time
        from rosgraph_msgs.msg import Clock

        self._make = lambda ns: Clock(clock=Time(sec=ns // 10**9, nanosec=ns % 10**9))
        self._publisher = node.create_publisher(Clock, "/clock", 10)

    def publish(self, time_ns: int) -> None:
        """Publish a time."""
        self._publisher.publish(self._make(max(0, time_ns)))


def _topics(bag: BagFile, only: Sequence[str]) -> list[BagTopic]:
    unknown = [name for name in only if name not in bag.topics]
    if unknown:
        known = ", ".join(bag.topics)
        raise SourceError(f"bag {bag.path}: no topic {unknown[0]}: expected one of {known}")
    return [
        topic
        for topic in bag.topics.values()
        if topic.count and topic.name in (only or bag.topics)
    ]


def _message_type(type_name: str) -> Any:
    """Import the Python class of a message type, or None if its package is not installed."""
    package, _, name = type_name.replace("/msg/", "/").partition("/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name, None)
    except ImportError:
        return None


def _profile(topic: BagTopic) -> QoSProfile:
    """Return the recorded profile, but for images, which go out reliably: loss helps nobody."""
    recorded = topic.qos[0] if topic.qos else None
    is_best_effort = recorded is not None and recorded.reliability.name == "BEST_EFFORT"
    is_latched = recorded is not None and recorded.durability.name == "TRANSIENT_LOCAL"
    is_latched |= topic.name.endswith("/tf_static")
    is_image = topic.type_name.endswith("Image")
    return QoSProfile(
        # A late subscriber of a latched topic wants all of it.
        depth=max(_DEPTH, min(topic.count, 1000)) if is_latched else _DEPTH,
        reliability=ReliabilityPolicy.BEST_EFFORT
        if is_best_effort and not is_image
        else ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if is_latched else DurabilityPolicy.VOLATILE,
    )


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("ineus_ros.player", description="Play a ROS 2 bag.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--rate", type=float, default=1.0, help="0: as fast as possible")
    parser.add_argument("--loop", action="store_true", help="start over at the end")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before the start")
    parser.add_argument("--topic", action="append", default=[], help="play only this; repeatable")
    parser.add_argument("--wait-subscribers", type=float, default=0.0, help="seconds at most")
    parser.add_argument("--poses-topic", default=POSES_TOPIC, help="poses where TF cannot be")
    parser.add_argument("--clock", action="store_true", help="publish /clock")
    return parser.parse_args(words)


def _stop_on_signals() -> threading.Event:
    """Make an event that SIGINT and SIGTERM set; it ends a pause at once."""
    stop = threading.Event()

    def set_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, set_stop)
    return stop


def _run(arguments: argparse.Namespace, node: Node, stop: threading.Event) -> None:
    with BagFile(arguments.file) as bag:
        player = Player(
            node,
            bag,
            stop,
            only=arguments.topic,
            with_clock=arguments.clock,
            poses_topic=arguments.poses_topic,
        )
        player.stop.wait(arguments.delay)
        if arguments.wait_subscribers > 0:
            player.wait_for_subscribers(arguments.wait_subscribers)
        begin = time.monotonic()
        while not player.stop.is_set():
            player.play(arguments.rate)
            if not arguments.loop:
                break
        player.finish()
        _print_summary(player, time.monotonic() - begin)


def _print_summary(player: Player, seconds: float) -> None:
    for topic, count in sorted(player.played.items()):
        print(f"  {count:6d}  {topic}")
    print(
        f"played {sum(player.played.values())} messages, {player.played_bytes * 1e-6:.1f} MB in "
        f"{seconds:.2f} s; late by {player.mean_late_s * 1e3:.1f} ms on average, "
        f"{player.worst_s * 1e3:.1f} ms at most",
        flush=True,
    )


def main(words: Sequence[str] | None = None) -> int:
    """Play the bag of the command line; return the exit code."""
    arguments = _arguments(sys.argv[1:] if words is None else words)
    stop = _stop_on_signals()
    make_room_for_images()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node("ineus_player")
    try:
        _run(arguments, node, stop)
    except IneusError as error:
        print(f"ineus: error: {error}", file=sys.stderr)
        return error.exit_code
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
