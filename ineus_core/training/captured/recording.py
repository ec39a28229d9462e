# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The eager step as one graph: what autograd launches is recorded once and replayed.

A step in torch launches some hundred kernels that take a GPU a millisecond or two, and the host
five times as long.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache

import torch

from ineus_core.training.captured.capturing import capturing

_LOG = logging.getLogger(__name__)
_WARM_UP = 3
"""Calls before it is recorded: they compile kernels, and libraries take their memory."""


class Recording:
    """Does some work of a GPU, at first as it is, then by a recorded graph.

    Work that waits for the device cannot be recorded: it is done as it is, always.

    Args:
        work: Allocates and launches the same each time, as long as the key is the same.
        key: What the host decides about the work: shapes, addresses, choices.
        clean_up: Called when work broke off.
        generator: Source of randomness of the work.
    """

    def __init__(
        self,
        work: Callable[[], object],
        key: Callable[[], object],
        clean_up: Callable[[], None],
        generator: torch.Generator,
    ) -> None:
        """Record nothing yet."""
        self._work, self._key, self._clean_up = work, key, clean_up
        self._generator = generator
        self._stream = _stream_of_recordings(generator.device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._recorded_for: object = None
        self._calls = 0
        self._may_record = True

    def __call__(self) -> None:
        """Do the work once."""
        key = self._key()
        if key != self._recorded_for:
            # The old graph goes first: two of them would hold twice the memory of a step.
            self._graph, self._recorded_for, self._calls = None, key, 0
        if self._graph is not None:
            self._graph.replay()
        elif not self._may_record:
            self._work()
        elif self._calls < _WARM_UP:
            self._calls += 1
            self._warm_up()
        else:
            self._record()

    def _warm_up(self) -> None:
        """Do the work on the stream that records it, where a wait for the device is an error.

        The first call may wait, for tables that are sent once.
        """
        self._stream.wait_stream(torch.cuda.current_stream())
        # A wait is found before the capture, which it would break off half way.
        watch = nullcontext() if self._calls == 1 else _waits_are_errors()
        try:
            with torch.cuda.stream(self._stream), watch:
                self._work()
        except RuntimeError as error:
            # The work's own errors are the caller's.
            if "synchroniz" not in str(error):
                raise
            _LOG.info("training step is not recorded, as it waits for the device: %s", error)
            self._may_record = False
        torch.cuda.current_stream().wait_stream(self._stream)
        if not self._may_record:
            self._clean_up()
            self._work()

    def _record(self) -> None:
        try:
            self._graph = self._recorded()
        except RuntimeError as error:
            # What cannot be recorded, for whatever reason, can still be done.
            _LOG.warning("training step could not be recorded: %s", error)
            self._may_record = False
            self._clean_up()
            self._work()
        else:
            self._graph.replay()

    def _recorded(self) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._generator)
        with capturing(graph, self._stream):
            self._work()
        _LOG.info("training step by autograd recorded: Python of its losses is not run again")
        return graph


@cache
def _stream_of_recordings(device: torch.device) -> torch.cuda.Stream:
    """Return the stream on which all record: cuBLAS keeps 64 MB of workspace for each stream."""
    return torch.cuda.Stream(device)


@contextmanager
def _waits_are_errors() -> Iterator[None]:
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)
