# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Memory that is given back when a map is over, not when somebody happens to need some."""

import ctypes
import gc
import sys


def spare_from_collection() -> None:
    """Have what is there by now no more looked at by the collector of garbage.

    Modules and compiled kernels are 350,000 objects, for which a thread that happens to fill the
    last generation holds up all others, for 150 ms on an EPYC. What has become garbage since this
    was called before is collected first.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def give_back_memory() -> None:
    """Collect what only refers to itself, and let the system have the pages that are free.

    The stages of a step refer to the step that holds them: without a collection the hundreds of
    megabytes of its buffers would stay until some later one comes, and the memory of a GPU, of
    which the collector knows nothing, would run out before.
    """
    gc.collect()
    if sys.platform == "linux":
        # The C library keeps what was freed, in pieces between which the next map does not fit: a
        # node that is reset every half minute grew by 5 MB a minute. Only glibc has the function.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            # 0 keeps nothing back.
            trim(0)
