"""Data larger than memory: read block by block, in a random order, while a net is trained."""

from .plan import Plan
from .source import Block, ReadError, Source
from .stream import BUFFER_BYTES, Stream

__all__ = ["BUFFER_BYTES", "Block", "Plan", "ReadError", "Source", "Stream"]
