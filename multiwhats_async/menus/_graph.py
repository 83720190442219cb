"""Which stages follow which: what is in reach, and which ways lead back."""

from collections.abc import Mapping, Sequence
from typing import Final

MOST_CYCLES: Final = 20
"""That are named: who has so many means them."""

Edges = Mapping[str, Sequence[str]]


def reachable(start: str, edges: Edges, *, avoiding: str | None = None) -> set[str]:
    """Return what can be reached from a stage, itself included, without passing another one."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in found and name in edges and name != avoiding:
            found.add(name)
            waiting += edges[name]
    return found


def cycles_of(start: str, edges: Edges) -> tuple[tuple[str, ...], ...]:
    """Return ways from a stage back to itself: one for each step that leads back."""
    cycles: list[tuple[str, ...]] = []
    done: set[str] = set()
    path: list[str] = []
    steps = [(start, iter(edges.get(start, ())))]
    path.append(start)
    while steps and len(cycles) < MOST_CYCLES:
        name, followers = steps[-1]
        following = next(followers, None)
        if following is None:
            steps.pop()
            path.pop()
            done.add(name)
        elif following in path:
            cycles.append((*path[path.index(following) :], following))
        elif following not in done and following in edges:
            path.append(following)
            steps.append((following, iter(edges[following])))
    return tuple(dict.fromkeys(cycles))
