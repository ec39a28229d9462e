# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Processor time that numba takes to compile the CPU kernels, by operator, with nothing on disk.

Run: python benchmarks/kernel_compilation.py
"""

import os
import tempfile
import time


def main() -> None:
    """Compile, measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        # Read when numba is imported.
        os.environ["NUMBA_CACHE_DIR"] = folder
        import numba

        from ineus_core.kernels.small_calls import SMALL_CALLS

        # Numba's own preparation, by the first compilation in a process.
        calls = {"numba itself": (lambda: numba.njit(lambda x: x)(1),), **SMALL_CALLS}
        total_s = 0.0
        for name, each in calls.items():
            begin_s = time.process_time()
            for call in each:
                call()
            taken_s = time.process_time() - begin_s
            total_s += taken_s
            print(f"{name:20}{taken_s:6.2f} s")
        print(f"{'total':20}{total_s:6.2f} s")


if __name__ == "__main__":
    main()
