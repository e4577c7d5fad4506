"""Numba kernels of linear layers whose weights are codes in blocks; see `pgen.backends.autoregressive.coded`.

A product holds `LANES` outputs of up to `MOST_ROWS` rows in vector registers, goes through the inputs
once, and decodes each weight in a register right before it is used: memory is read at the width of the
codes, and every row adds up in the same order, whatever rows come with it. Numba's own
vectorising does not find this form, so the inner loops are written as vectors of LLVM's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

LANES = 16
"""Outputs computed together."""

BLOCK = 32
"""Neighbouring inputs whose weights share a scale and an offset."""

MOST_ROWS = 16
"""Rows computed together: with the weights they fill the registers of AVX-512."""

WIDTHS = (1, 2, 4, 4, 6, 6, 8, 8, 12, 12, 12, 12, 16, 16, 16, 16)
"""As how many rows 1, 2, … `MOST_ROWS` of them are computed; each width is code of its own."""

LARGEST = 15
"""The largest code of four bits."""

Floats = NDArray[np.float32]
Codes = NDArray[np.uint8] | NDArray[np.int8]

_INT = ir.IntType(64)
_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_OCTETS = ir.VectorType(ir.IntType(8), LANES)
_WIDE = ir.VectorType(ir.IntType(32), LANES)


def _loaded(builder: Any, start: Any, index: Any, kind: Any) -> Any:
    """The `LANES` values from `index` on."""
    pointer = builder.bitcast(builder.gep(start, [index]), kind.as_pointer())
    return builder.load(pointer, align=1 if kind is _OCTETS else 4)


def _everywhere(builder: Any, value: Any) -> Any:
    """A vector of one value."""
    none = ir.Constant(_FLOATS, ir.Undefined)
    first = builder.insert_element(none, value, ir.IntType(32)(0))
    return builder.shuffle_vector(first, none, ir.Constant(_WIDE, [0] * LANES))


def _multiply_add(builder: Any, left: Any, right: Any, plus: Any) -> Any:
    signature = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
    fused = cgutils.get_or_insert_function(builder.module, signature, f"llvm.fma.v{LANES}f32")
    return builder.call(fused, [left, right, plus])


def _pair(builder: Any, codes: Any, at: Any, in_halves: bool) -> tuple[Any, Any]:
    """The codes of two neighbouring inputs, the pair `at`, as floats: the halves of each octet, or an octet each."""
    if in_halves:
        octets = _loaded(builder, codes, builder.mul(at, _INT(LANES)), _OCTETS)
        low = builder.and_(octets, ir.Constant(_OCTETS, [LARGEST] * LANES))
        parts = [builder.zext(part, _WIDE) for part in (low, builder.lshr(octets, ir.Constant(_OCTETS, [4] * LANES)))]
    else:
        starts = [builder.mul(builder.add(builder.mul(at, _INT(2)), _INT(i)), _INT(LANES)) for i in (0, 1)]
        parts = [builder.sext(_loaded(builder, codes, start, _OCTETS), _WIDE) for start in starts]
    first, second = (builder.sitofp(part, _FLOATS) for part in parts)
    return first, second


@intrinsic(prefer_literal=True)
def _multiply(typing: Any, codes: Any, scales: Any, offsets: Any, rows: Any, product: Any, n_rows: Any) -> Any:
    """Add to `product (n_rows * LANES,)` one group of outputs of `rows`, flat, the values of an input side by side.

    Each block is summed up on its own, which keeps rounding errors small.
    """

    def generated(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = [context.make_array(signature.args[i])(context, builder, arguments[i]) for i in range(5)]
        code_data, scale_data, offset_data, row_data, product_data = (array.data for array in arrays)
        n_blocks = builder.udiv(builder.extract_value(arrays[1].shape, 0), _INT(LANES))
        zero = ir.Constant(_FLOATS, [0.0] * LANES)
        sums = [cgutils.alloca_once(builder, _FLOATS) for _ in range(n_rows.literal_value)]
        with cgutils.for_range(builder, n_blocks) as block:
            for total in sums:
                builder.store(zero, total)
            scale, offset = (
                _loaded(builder, data, builder.mul(block.index, _INT(LANES)), _FLOATS)
                for data in (scale_data, offset_data)
            )
            with cgutils.for_range(builder, _INT(BLOCK // 2)) as inner:
                at = builder.add(builder.mul(block.index, _INT(BLOCK // 2)), inner.index)
                pair = _pair(builder, code_data, at, codes.dtype == types.uint8)
                values = builder.gep(row_data, [builder.mul(at, _INT(2 * len(sums)))])
                for second, code in enumerate(pair):
                    weights = _multiply_add(builder, code, scale, offset)
                    for i, total in enumerate(sums):
                        value = builder.load(builder.gep(values, [_INT(second * len(sums) + i)]))
                        added = _multiply_add(builder, _everywhere(builder, value), weights, builder.load(total))
                        builder.store(added, total)
            for i, total in enumerate(sums):
                place = builder.bitcast(builder.gep(product_data, [_INT(i * LANES)]), _FLOATS.as_pointer())
                grown = builder.fadd(builder.load(place, align=4), builder.load(total))
                builder.store(grown, place, align=4)
        return context.get_dummy_value()

    return types.void(codes, scales, offsets, rows, product, n_rows), generated


@njit(inline="always")
def _multiply_some(codes: Codes, scales: Floats, offsets: Floats, rows: Floats, product: Floats, n_rows: int) -> None:
    """`_multiply` for each of the `WIDTHS`, which are constants to the compiler."""
    if n_rows == 1:
        _multiply(codes, scales, offsets, rows, product, 1)
    elif n_rows == 2:
        _multiply(codes, scales, offsets, rows, product, 2)
    elif n_rows == 4:
        _multiply(codes, scales, offsets, rows, product, 4)
    elif n_rows == 6:
        _multiply(codes, scales, offsets, rows, product, 6)
    elif n_rows == 8:
        _multiply(codes, scales, offsets, rows, product, 8)
    elif n_rows == 12:
        _multiply(codes, scales, offsets, rows, product, 12)
    else:
        _multiply(codes, scales, offsets, rows, product, MOST_ROWS)


@njit(cache=True, nogil=True)
def linear(codes: Codes, scales: Floats, offsets: Floats, bias: Floats, rows: Floats, product: Floats) -> None:
    """`product (R, O)` of `rows (R, I)`, plus `bias (O,)`; the other arrays are those of `Coded`, a group a row."""
    n_rows, n_inputs = rows.shape
    for first in range(0, n_rows, MOST_ROWS):
        here = min(MOST_ROWS, n_rows - first)
        width = WIDTHS[here - 1]
        turned, found = np.zeros((n_inputs, width), np.float32), np.empty(width * LANES, np.float32)
        for i in range(here):
            for k in range(n_inputs):
                turned[k, i] = rows[first + i, k]
        values = turned.reshape(-1)
        for group in range(codes.shape[0]):
            found[:] = 0.0
            _multiply_some(codes[group], scales[group], offsets[group], values, found, width)
            for i in range(here):
                for lane in range(LANES):
                    place = group * LANES + lane
                    product[first + i, place] = found[i * LANES + lane] + bias[place]


@njit(cache=True, nogil=True)
def encode(weight: Floats, scales: Floats, offsets: Floats, codes: Codes, lowest: int, highest: int) -> bool:
    """Fill `codes` from `weight (O, I)`, given `scales` and `offsets (O, I / BLOCK)`; `False` if some weight has none.

    Codes from 0 to 15 share octets by two, as `linear` reads them; others have one each.
    """
    for output in range(weight.shape[0]):
        group, lane = output // LANES, output % LANES
        for block in range(scales.shape[1]):
            scale, offset = scales[output, block], offsets[output, block]
            per_scale = np.float32(1.0) / scale if scale != 0.0 else np.float32(0.0)
            for k in range(block * BLOCK, (block + 1) * BLOCK):
                code = int(np.floor((weight[output, k] - offset) * per_scale + np.float32(0.5)))
                if code < lowest or code > highest or np.float32(code) * scale + offset != weight[output, k]:
                    return False
                if highest > LARGEST:
                    codes[group, k, lane] = code
                elif k % 2:
                    codes[group, k // 2, lane] |= code << 4
                else:
                    codes[group, k // 2, lane] = code
    return True
