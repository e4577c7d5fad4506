"""Many arrays as one argument: their addresses, opened again inside a kernel.

Handing numba a tuple of forty arrays costs microseconds a call, and every use of one
counts references, more than a mask look-up takes. Kernels therefore take a
`Memory`, a row of (address, length, width) for each array, and open it as arrays that
own nothing. Whoever makes a `Memory` keeps the arrays alive as long as it is used.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir as llvm
from numba import carray, njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

Memory = NDArray[np.int64]
"""`(arrays, 3)`: address, length and, for two dimensions, width."""


def memory_of(arrays: Iterable[Any]) -> Memory:
    """Where arrays lie; nested tuples are flattened. All must be C-contiguous and stay alive."""
    return np.array([_place(array) for array in _flat(arrays)], np.int64)


class Plan(NamedTuple):
    """Where arrays lie in one block of memory: their shapes and types, and `rows` as those of a `Memory` from 0 on."""

    shapes: tuple[tuple[int, ...], ...]
    types: tuple[type, ...]
    rows: Memory
    n_bytes: int


@lru_cache(maxsize=256)
def plan(shapes: tuple[tuple[int, ...], ...], types: tuple[type, ...]) -> Plan:
    """Arrays of these shapes and types one after the other, each at a multiple of 8 bytes."""
    rows, at = [], 0
    for shape, kind in zip(shapes, types, strict=True):
        rows.append((at, shape[0], shape[1] if len(shape) > 1 else 1))
        at += -(-math.prod(shape) * np.dtype(kind).itemsize // 8) * 8
    return Plan(shapes, types, np.array(rows, np.int64), at)


@njit(cache=True)
def joined(before: Memory, rows: Memory, block: NDArray[np.uint8]) -> Memory:
    """A memory and, behind it, the arrays that lie in a block as `rows` of a `Plan` say."""
    n_before = before.shape[0]
    memory = np.empty((n_before + rows.shape[0], 3), np.int64)
    memory[:n_before], memory[n_before:] = before, rows
    memory[n_before:, 0] += np.int64(block.ctypes.data)
    return memory


def _flat(arrays: Iterable[Any]) -> Iterator[NDArray[Any]]:
    for array in arrays:
        if isinstance(array, tuple):
            yield from _flat(array)
        else:
            yield array


def _place(array: NDArray[Any]) -> tuple[int, int, int]:
    assert array.flags.c_contiguous, "an opened array is read as contiguous"
    return array.__array_interface__["data"][0], array.shape[0], array.shape[1] if array.ndim > 1 else 1


@intrinsic
def _pointer(typing_context: Any, address: Any) -> Any:
    """An integer as a pointer."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], llvm.IntType(8).as_pointer())

    return types.voidptr(types.int64), generate


@njit(inline="always")
def ints(memory: Memory, at: int) -> NDArray[np.int32]:
    """Array `at` as int32."""
    opened: NDArray[np.int32] = carray(_pointer(memory[at, 0]), (memory[at, 1],), np.int32)
    return opened


@njit(inline="always")
def longs(memory: Memory, at: int) -> NDArray[np.int64]:
    """Array `at` as int64."""
    opened: NDArray[np.int64] = carray(_pointer(memory[at, 0]), (memory[at, 1],), np.int64)
    return opened


@njit(inline="always")
def bits(memory: Memory, at: int) -> NDArray[np.uint64]:
    """Array `at` as uint64."""
    opened: NDArray[np.uint64] = carray(_pointer(memory[at, 0]), (memory[at, 1],), np.uint64)
    return opened


@njit(inline="always")
def octets(memory: Memory, at: int) -> NDArray[np.uint8]:
    """Array `at` as uint8."""
    opened: NDArray[np.uint8] = carray(_pointer(memory[at, 0]), (memory[at, 1],), np.uint8)
    return opened


@njit(inline="always")
def int_rows(memory: Memory, at: int) -> NDArray[np.int32]:
    """Array `at` as int32 of two dimensions."""
    opened: NDArray[np.int32] = carray(_pointer(memory[at, 0]), (memory[at, 1], memory[at, 2]), np.int32)
    return opened


@njit(inline="always")
def long_rows(memory: Memory, at: int) -> NDArray[np.int64]:
    """Array `at` as int64 of two dimensions."""
    opened: NDArray[np.int64] = carray(_pointer(memory[at, 0]), (memory[at, 1], memory[at, 2]), np.int64)
    return opened


@njit(inline="always")
def words(memory: Memory, at: int) -> NDArray[np.uint32]:
    """Array `at` as uint32."""
    opened: NDArray[np.uint32] = carray(_pointer(memory[at, 0]), (memory[at, 1],), np.uint32)
    return opened


@njit(inline="always")
def word_rows(memory: Memory, at: int) -> NDArray[np.uint32]:
    """Array `at` as uint32 of two dimensions."""
    opened: NDArray[np.uint32] = carray(_pointer(memory[at, 0]), (memory[at, 1], memory[at, 2]), np.uint32)
    return opened
