# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The node `ineus`: wires inputs, worker, outputs and services together."""

import contextlib
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import (
    LifecycleNode,
    LifecyclePublisher,
    LifecycleState,
    TransitionCallbackReturn,
)
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import try_shutdown

from ineus_core.config import Config, resolve_device
from ineus_core.errors import IneusError
from ineus_core.meshing import write_mesh
from ineus_core.reconstruction import Reconstructor, compile_cpu_kernels_ahead, warm_up_gpu
from ineus_core.viewer import LivePage
from ineus_ros.engine import Engine
from ineus_ros.health import Health
from ineus_ros.inputs import Inputs
from ineus_ros.large_messages import make_room_for_images
from ineus_ros.live_page import offer_live_page
from ineus_ros.namesakes import Namesakes
from ineus_ros.outputs import (
    ImagePublisher,
    KeyframePublisher,
    MeshPublisher,
    OriginFrame,
    PlanningPublisher,
    StatusPublisher,
    ViewRequests,
    offer_nvblox,
)
from ineus_ros.parameters import ParameterChanges, declare_parameters
from ineus_ros.services import Services, confined_path
from ineus_ros.shared_memory import remove_abandoned_segments, remove_own_segments
from ineus_ros.timers import wall_timer

_log = logging.getLogger("ineus_ros.node")  # not __main__, whose log nobody forwards

STOP_TIMEOUT_S = 0.8
"""What the present step may still take at the end; the whole end shall stay under two seconds."""
CLEANUP_TIMEOUT_S = 30.0
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end the node in order."""
LOOK_PERIOD_S = 0.5
"""How often is looked whether the context is still there; an interrupt is noticed at once."""


class ReconstructionNode(LifecycleNode):
    """Reconstructs from topics; a managed node, started by `main` unless told otherwise."""

    def __init__(self, **options: Any) -> None:
        """Declare the parameters; the rest waits for configure."""
        super().__init__("ineus", automatically_declare_parameters_from_overrides=True, **options)
        # Parameters are the one thing that a node has while it is not configured.
        self._changes = ParameterChanges(self, declare_parameters(self, Config))
        self._engine: Engine | None = None
        self._inputs: Inputs | None = None
        self._page: LivePage | None = None
        self._parts: tuple[object, ...] = ()
        self._before = self._entities()
        self._has_ended = True
        self.failure: IneusError | None = None
        """Why configure failed."""

    @property
    def config(self) -> Config:
        """The newest values of the parameters."""
        return self._changes.config

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Build everything; the worker begins to wait for frames."""
        try:
            self._build()
        except IneusError as error:
            self.failure = error
            self.get_logger().fatal(str(error))
            # Back to where configure may be tried again; an error would end the node for good.
            return TransitionCallbackReturn.FAILURE
        except Exception as error:
            # rclpy would swallow it without a word.
            self.get_logger().fatal(f"configure failed: {type(error).__name__}: {error}")
            raise
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take frames and publish."""
        self._set_active(True)
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let frames go by, counted, and rest."""
        self._set_active(False)
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back."""
        self._tear_down()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Save, if asked for, and give everything back."""
        self._save_at_end()
        self._tear_down()
        return super().on_shutdown(state)

    def close(self) -> bool:
        """End, saving the mesh if asked for; False if a step still runs."""
        engine, begin_s = self._engine, time.monotonic()
        if engine is not None and self._inputs is not None:
            # Without new frames the present step is the last one.
            self._inputs.close()
            engine.stop(0.0)
        # The mesh as last published is saved while the worker ends its step.
        self._save_at_end()
        if engine is not None:
            left_s = STOP_TIMEOUT_S - (time.monotonic() - begin_s)
            self._has_ended &= engine.stop(max(0.0, left_s))
        if self._page is not None:
            self._page.close()
        self.destroy_node()
        return self._has_ended

    def _build(self) -> None:
        config = self.config
        device = resolve_device(config.device)
        # Cleanup destroys what is made from here on; the rest is the base class's.
        self._before = self._entities()
        compile_cpu_kernels_ahead(config, device)
        # Before images are taken: else they would wait for it.
        warm_up_gpu(config, device)
        reconstructor = Reconstructor(config, device)
        origin_frame = OriginFrame(self, self._world_frame)
        self._engine = engine = Engine(
            reconstructor,
            config.pipeline,
            self._now_ns,
            partial(self._make_mesh_publisher, origin_frame),
            config.source.adjustment.is_none,
        )
        self._inputs = inputs = Inputs(
            self,
            config,
            engine.submit,
            engine.reset,
            adjustment=config.source.adjustment,
        )
        # A managed node that is only configured takes nothing.
        inputs.hold("inactive")
        call = engine.worker.call
        planning = PlanningPublisher(
            self, lambda: self.config, self._world_frame, origin_frame, call
        )
        keyframes = KeyframePublisher(
            self, lambda: self.config, self._world_frame, call, inputs.first_from_camera
        )
        views = ViewRequests(self, lambda: self.config, inputs, engine.render)
        images = ImagePublisher(self, lambda: self.config, inputs, engine.render)
        others = (
            planning.status,
            keyframes.status,
            images.status,
            views.status,
            Namesakes(self).status,
        )
        health = Health(inputs, engine, str(device), others)
        # Held, or rclpy would collect their publishers and timers.
        self._parts = (
            planning,
            keyframes,
            views,
            offer_nvblox(self, lambda: self.config, self._world_frame, call, planning.drops),
            images,
            StatusPublisher(self, config, health.parts),
            Services(self, lambda: self.config, engine, inputs),
        )
        wall_timer(self, 1.0, lambda: engine.refresh_when_idle(self.config.mesh_refresh_s))
        self._page = offer_live_page(self, config, engine, inputs, device.type)
        # The worker answers requests from now on, but trains when the node is activated.
        engine.set_paused(True)
        engine.start()
        self.get_logger().info(f"device {device}, output_dir {Path(config.output_dir).resolve()}")

    def _make_mesh_publisher(
        self, origin_frame: OriginFrame, publish_all: Callable[[], None]
    ) -> MeshPublisher:
        return MeshPublisher(
            self, lambda: self.config, self._world_frame, origin_frame, self._now_ns, publish_all
        )

    def _world_frame(self) -> str:
        return self.config.global_frame if self._inputs is None else self._inputs.world_frame

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _set_active(self, is_active: bool) -> None:
        assert self._engine is not None and self._inputs is not None
        (self._inputs.release if is_active else self._inputs.hold)("inactive")
        # A node that was paused before stays so when it becomes active.
        self._engine.set_paused(not self._inputs.is_active)

    def _save_at_end(self) -> None:
        if self._engine is None or not self.config.save_on_shutdown:
            return
        mesh = self._engine.current_mesh()
        try:
            path = confined_path(self.config.output_dir, self.config.save.mesh_path)
            if not len(mesh.triangles):
                self.get_logger().warning(f"there is no mesh to save to {path}")
                return
            write_mesh(mesh, path)
        except (IneusError, OSError) as error:
            self.get_logger().error(f"the mesh was not saved: {error}")
            return
        self.get_logger().info(f"saved {len(mesh.triangles)} triangles to {path}")

    def _tear_down(self) -> None:
        """Give back what configure made."""
        if self._inputs is not None:
            self._inputs.close()
        if self._engine is not None:
            self._has_ended &= self._engine.stop(CLEANUP_TIMEOUT_S)
        if self._page is not None:
            self._page.close()
        # Configure may follow, and makes them anew.
        self._engine = self._inputs = self._page = None
        self._parts = ()
        # By what is there now and was not before, as parts hold publishers of their own that
        # nobody lists here.
        for kind, entities in self._entities().items():
            for entity in entities - self._before.get(kind, set()):
                self._destroy(kind, entity)
        self._before = self._entities()

    def _destroy(self, kind: str, entity: Any) -> None:
        if isinstance(entity, LifecyclePublisher):
            self.destroy_lifecycle_publisher(entity)
        elif kind == "publishers":
            self.destroy_publisher(entity)
        elif kind == "subscriptions":
            self.destroy_subscription(entity)
        elif kind == "services":
            self.destroy_service(entity)
        else:
            self.destroy_timer(entity)

    def _entities(self) -> dict[str, set[Any]]:
        kinds = ("subscriptions", "timers", "services", "publishers")
        return {kind: set(getattr(self, kind)) for kind in kinds}


class _RosHandler(logging.Handler):
    """Hands the messages of Python's loggers to the node's."""

    def __init__(self, logger: Any) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Log on a line of its own for each severity: ROS lets no line change it."""
        message = self.format(record)
        if record.levelno >= logging.ERROR:
            self._logger.error(message)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(message)
        elif record.levelno >= logging.INFO:
            self._logger.info(message)
        else:
            self._logger.debug(message)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until it is interrupted; return the exit code."""
    remove_abandoned_segments()
    make_room_for_images()
    # Our own handlers: with rclpy's, the context is gone before the end can be said and done. They
    # only take note, as an exception out of a callback of rclpy's would abort the process.
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    interrupted = threading.Event()
    for number in ENDING:
        # `nohup` has a terminal that closes ignored.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: interrupted.set())
    node: ReconstructionNode | None = None
    has_ended = True
    try:
        node = ReconstructionNode()
        _forward_logging(node)
        if node.config.autostart:
            _start(node)
        # Modules and compiled kernels stay to the end: left out of collections, they neither make
        # these slow nor so rare that garbage with images in it would pile up.
        gc.freeze()
        _spin(node, interrupted)
    except IneusError as error:
        print(f"ineus: error: {error}", file=sys.stderr)
        return error.exit_code
    finally:
        if node is not None:
            has_ended = node.close()
        try_shutdown()
    node = None
    _leave(has_ended)
    return 0


def _leave(has_ended: bool) -> None:
    """End the process at once: all is saved and said by now.

    The interpreter would take seconds on a busy machine to take torch down piece by piece, and it
    cannot end a thread within a step but would abort on it.
    """
    if has_ended:
        # What still refers to the node would keep others from learning that it has left.
        gc.collect()
    # A step that is cut short holds the node, and so do callbacks that did not come back.
    remove_own_segments()
    # The terminal may be gone.
    with contextlib.suppress(OSError):
        if not has_ended:
            print("ineus: the present step was cut short", file=sys.stderr)
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


def _spin(node: ReconstructionNode, interrupted: threading.Event) -> None:
    """Run callbacks on a thread of their own: the wait for messages would hold signals up."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    thread = threading.Thread(target=_run_callbacks, args=(executor, interrupted), daemon=True)
    thread.start()
    while thread.is_alive() and rclpy.ok() and not interrupted.wait(LOOK_PERIOD_S):
        pass
    interrupted.set()
    # Else it would sit in its wait set until the next message.
    executor.wake()
    # Half of the time to end: a callback that hangs leaves the worker some for its step.
    thread.join(0.5 * STOP_TIMEOUT_S)


def _run_callbacks(executor: SingleThreadedExecutor, interrupted: threading.Event) -> None:
    """Spin; log an error in a callback and live on for the others."""
    while not interrupted.is_set():
        try:
            executor.spin_once()
        except ExternalShutdownException:
            return
        except Exception:
            _log.exception("a callback failed")


def _start(node: ReconstructionNode) -> None:
    if node.trigger_configure() != TransitionCallbackReturn.SUCCESS:
        raise node.failure or IneusError("configure failed; the log says why")
    node.trigger_activate()


def _forward_logging(node: ReconstructionNode) -> None:
    for name in ("ineus_core", "ineus_ros"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)  # the node's own level decides
        # Else the root logger would print each line once more.
        logger.propagate = False
        logger.addHandler(_RosHandler(node.get_logger()))


if __name__ == "__main__":
    sys.exit(main())
