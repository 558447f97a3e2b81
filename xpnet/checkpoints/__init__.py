"""Nets, and all that a run needs to go on, in a file: safetensors, written whole or not at all.

A file holds the parameters under their names, and a JSON text that says what the layers and the
loss are; of a run also its state, its curves, its optimizer and its penalty. Nothing in it is ever
run, and a checksum covers all of it.
"""

from .comparison import differences
from .contents import Saved, Training
from .descriptions import describe
from .files import FORMAT, load, save

__all__ = ["FORMAT", "Saved", "Training", "describe", "differences", "load", "save"]
