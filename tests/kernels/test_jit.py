# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Work of a kernel divided over threads, and arrays as kernels take them."""

import numpy as np
import pytest

from ineus_core.kernels import jit


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 7, 1000])
@pytest.mark.parametrize("least", [1, 64])
def test_every_place_is_in_one_part(
    count: int, threads: int, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numba.config.NUMBA_NUM_THREADS", threads)
    times = np.zeros(count, np.int64)
    parts: list[tuple[int, int]] = []

    def kernel(begin: int, end: int, places: np.ndarray) -> None:
        places[begin:end] += 1
        parts.append((begin, end))

    jit.in_parallel(kernel, count, times, least=least)
    assert (times == 1).all()
    assert all(end - begin >= least or end == count for begin, end in parts)
    assert threads > 1 or len(parts) == 1


def test_what_a_thread_raises_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.config.NUMBA_NUM_THREADS", 2)

    def kernel(begin: int, end: int) -> None:
        raise ValueError(f"begin {begin}")

    with pytest.raises(ValueError, match=r"^begin \d+$"):
        jit.in_parallel(kernel, 100)


def test_a_plain_array_is_the_same_one_and_any_other_a_copy() -> None:
    ours = np.zeros((3, 2), np.float32)
    assert jit.plain(ours, np.float32) is ours
    read_only = np.frombuffer(bytes(8), np.uint32)
    for array in (read_only, ours.T, ours.astype(np.float64)):
        made = jit.plain(array, np.float32)
        assert made.flags.c_contiguous and made.flags.writeable and made.dtype == np.float32
        np.testing.assert_array_equal(made, array)
