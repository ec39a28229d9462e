# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What is to be done so many times a second of some clock."""


class Period:
    """Tells when it is time again.

    Args:
        rate_hz: How often; 0 is never.
    """

    def __init__(self, rate_hz: float) -> None:
        """Be due at once."""
        self.rate_hz = rate_hz
        self._began_ns: int | None = None

    def is_due(self, now_ns: int) -> bool:
        """Whether a period has gone by since the last one began."""
        if self.rate_hz == 0:
            return False
        began_ns = self._began_ns
        # A clock that jumped back starts a new period.
        return began_ns is None or now_ns < began_ns or now_ns - began_ns >= 1e9 / self.rate_hz

    def begin(self, now_ns: int) -> None:
        """Begin the present period, whole periods after the last one.

        Counted from now instead, which always is a little late, the periods would be longer.
        """
        began_ns = self._began_ns
        if began_ns is None or now_ns < began_ns:
            self._began_ns = now_ns
            return
        period_ns = 1e9 / self.rate_hz
        self._began_ns = began_ns + int((now_ns - began_ns) // period_ns * period_ns)
