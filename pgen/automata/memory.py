"""Many arrays as one argument: their addresses, opened again inside a kernel.

Handing numba a tuple of forty arrays costs microseconds a call, and every use of one
counts references, more than a mask look-up takes. Kernels therefore take a
`Memory`, a row of (address, length, width) for each array, and open it as arrays that
own nothing. Whoever makes a `Memory` keeps the arrays alive as long as it is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir as llvm
from numba import njit, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array
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
    n_before, address = before.shape[0], np.int64(block.ctypes.data)
    memory = np.empty((n_before + rows.shape[0], 3), np.int64)
    for at in range(memory.shape[0]):
        row, start = (before[at], 0) if at < n_before else (rows[at - n_before], address)
        memory[at, 0], memory[at, 1], memory[at, 2] = row[0] + start, row[1], row[2]
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


def _opener(kind: Any, n_dims: int) -> Any:
    """What opens an array of a memory inside a kernel, given the memory and where the array is in it.

    Written in terms of LLVM: kernels open ten arrays each, and `carray` takes numba longer than all the rest of them.
    """
    opened = types.Array(kind, n_dims, "C")

    @intrinsic
    def opening(typing_context: Any, memory: Any, at: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            rows = make_array(signature.args[0])(context, builder, arguments[0])
            row = builder.gep(rows.data, [builder.mul(arguments[1], arguments[1].type(3))])
            address, *shape = (builder.load(builder.gep(row, [arguments[1].type(i)])) for i in range(1 + n_dims))
            array = make_array(opened)(context, builder)
            itemsize = shape[0].type(kind.bitwidth // 8)
            strides = [itemsize] if n_dims == 1 else [builder.mul(shape[1], itemsize), itemsize]
            data = builder.inttoptr(address, array.data.type)
            populate_array(array, data=data, shape=shape, strides=strides, itemsize=itemsize, meminfo=None)
            return array._getvalue()

        assert memory.layout == "C", "a memory is contiguous"
        return opened(memory, types.int64), generate

    return opening


ints: Callable[[Memory, int], NDArray[np.int32]] = _opener(types.int32, 1)
longs: Callable[[Memory, int], NDArray[np.int64]] = _opener(types.int64, 1)
bits: Callable[[Memory, int], NDArray[np.uint64]] = _opener(types.uint64, 1)
octets: Callable[[Memory, int], NDArray[np.uint8]] = _opener(types.uint8, 1)
words: Callable[[Memory, int], NDArray[np.uint32]] = _opener(types.uint32, 1)
int_rows: Callable[[Memory, int], NDArray[np.int32]] = _opener(types.int32, 2)
long_rows: Callable[[Memory, int], NDArray[np.int64]] = _opener(types.int64, 2)
word_rows: Callable[[Memory, int], NDArray[np.uint32]] = _opener(types.uint32, 2)


@njit(inline="always")
def copy(source: NDArray[Any], into: NDArray[Any]) -> None:
    """What `into[:] = source` does, without a check of shapes, whose message alone takes numba seconds to compile."""
    for at in range(source.shape[0]):
        into[at] = source[at]
