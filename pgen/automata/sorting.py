"""Numba kernels that sort in place: merge sort over short runs sorted by insertion, O(n log n).

States are found in runs that ascend, which merging passes over; and numba's own sort takes long to compile.
"""

from __future__ import annotations

from numba import njit

from pgen.automata.layout import Ints

RUN = 24
"""So many numbers are sorted by insertion."""


@njit(cache=True)
def arrange(found: Ints, spare: Ints, count: int) -> None:
    """Sort `found[:count]`: short runs by insertion, then merged by way of `spare`."""
    for begin in range(0, count, RUN):
        for i in range(begin + 1, min(begin + RUN, count)):
            value, j = found[i], i
            while j > begin and found[j - 1] > value:
                found[j] = found[j - 1]
                j -= 1
            found[j] = value
    width = RUN
    while width < count:
        for begin in range(0, count - width, 2 * width):
            united(found, spare, begin, begin + width, min(begin + 2 * width, count))
        width *= 2


@njit(inline="always")
def united(found: Ints, spare: Ints, begin: int, middle: int, stop: int) -> None:
    """Merge two sorted runs that lie one behind the other."""
    if found[middle - 1] <= found[middle]:
        return
    left, n_left, at, right = 0, middle - begin, begin, middle
    for k in range(n_left):
        spare[k] = found[begin + k]
    while left < n_left:
        if right < stop and found[right] < spare[left]:
            found[at] = found[right]
            right += 1
        else:
            found[at] = spare[left]
            left += 1
        at += 1
