# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The loop that drives a reconstruction: online in a thread, offline by a virtual clock."""

from ineus_core.pipeline.beside import Beside, Onlooker
from ineus_core.pipeline.config import PipelineConfig
from ineus_core.pipeline.held_out import (
    FULL_WIDTH_PX,
    ComparedView,
    compare_view,
    figures_text,
    mean_figures,
)
from ineus_core.pipeline.kind_settings import KindSettings, settings_of_kind, with_settings
from ineus_core.pipeline.loop import Pipeline
from ineus_core.pipeline.offline import OfflineRun, RunLimits, RunResult
from ineus_core.pipeline.renders import save_renders
from ineus_core.pipeline.sink import NullSink, Sink
from ineus_core.pipeline.trajectory import save_trajectory
from ineus_core.pipeline.worker import Worker

__all__ = [
    "FULL_WIDTH_PX",
    "Beside",
    "ComparedView",
    "KindSettings",
    "NullSink",
    "OfflineRun",
    "Onlooker",
    "Pipeline",
    "PipelineConfig",
    "RunLimits",
    "RunResult",
    "Sink",
    "Worker",
    "compare_view",
    "figures_text",
    "mean_figures",
    "save_renders",
    "save_trajectory",
    "settings_of_kind",
    "with_settings",
]
