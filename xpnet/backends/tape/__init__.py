"""A step recorded once and replayed over buffers that stay: bit for bit what it does call by call.

`recorder` writes down what a step calls, a `program`. `schedule` says in which order the calls
run, and which go through their arrays block by block, `lifetimes` how long each result is needed,
`memory` where it is written. A `Tape` makes instructions of that, with the help of a library's
`Machine`, and replays them.
"""

from .memory import Arena
from .program import Node, is_elementwise, nodes_of
from .recorded import Recorded, TapeError, UnsupportedError
from .replay import Instruction, Machine, Tape

__all__ = [
    "Arena",
    "Instruction",
    "Machine",
    "Node",
    "Recorded",
    "Tape",
    "TapeError",
    "UnsupportedError",
    "is_elementwise",
    "nodes_of",
]
