"""Callbacks: what happens between the epochs of a fit."""

from ..fitting import Fit
from .base import Callback
from .checkpoint import Checkpoint
from .csv_logger import CSVLogger
from .early_stopping import EarlyStopping
from .progress import ProgressBar
from .rates import LearningRateSchedule
from .time_limit import TimeLimit

__all__ = [
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "Fit",
    "LearningRateSchedule",
    "ProgressBar",
    "TimeLimit",
]
