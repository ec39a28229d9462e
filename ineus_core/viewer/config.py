# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where the live page is served."""

from pydantic import Field

from ineus_core.config_model import ConfigModel


class ViewerConfig(ConfigModel):
    """The live page in a browser."""

    port: int = Field(
        0, ge=0, le=65535, description="TCP port of the live page in a browser; 0: no page."
    )
    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Address that the live page is bound to; 0.0.0.0: all of them, for anyone who "
        "reaches this machine, as the page asks for no password.",
    )
