"""In which order a program's calls run, and which run together, block by block."""

from __future__ import annotations

from .program import Node, Program

__all__ = ["schedule"]


def schedule(program: Program, block: int) -> list[list[Node]]:
    """Return the calls in their order: alone, or as runs of one shape that are cut into blocks.

    Large elementwise calls that follow each other are a run. Whatever stands between them and
    does not need them moves before them.

    Parameters
    ----------
    program : Program
    block : int
        More elements than that are large: with 0 all elementwise calls are in runs, though of one.

    Returns
    -------
    list of list of Node
        Views, concatenated parts and what does not vary are none of them.
    """
    done: list[list[Node]] = []
    run: list[Node] = []
    within: set[Node] = set()  # the run, and views of it
    for node in program.nodes:
        if node.fixed or node.name == "given":
            continue
        needs = any(i in within for i in node.inputs)
        if node.is_view:
            within |= {node} if needs else set()
            continue
        large = node.size > block and node.elementwise
        aligned = not any(i in within and i not in run for i in node.inputs)
        if large and aligned and (not run or run[0].shape == node.shape):
            run.append(node)
            within.add(node)
        elif large or needs:
            done += [run] if run else []
            run, within = ([node], {node}) if large else ([], set())
            done += [] if large else [[node]]
        else:
            done.append([node])
    return done + ([run] if run else [])
