"""The benchmark: every contestant on the same data, parameters and batches, in turn.

`race` runs the contestants, each in its own process; `report` tells what came of it. Nothing is
imported here: a contestant's process measures what its own imports take.
"""
