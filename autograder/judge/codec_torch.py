"""torch's dense tensors as data: dtype, shape, values and whether they ask for a gradient. Strides become the usual."""

from __future__ import annotations

import math
from typing import Any

import torch

from autograder.judge.codec import READERS, TORCH, WRITERS, CodecError, Reader, Writer

TENSOR, PARAMETER, SIZE, DTYPE, DEVICE = range(TORCH, TORCH + 5)
_NAMES = (
    "float64 float32 float16 bfloat16 complex64 complex128 uint8 int8 int16 int32 int64 uint16 uint32 uint64 bool"
    " float8_e4m3fn float8_e5m2"
)
DTYPES = {name: getattr(torch, name) for name in _NAMES.split() if hasattr(torch, name)}
NAME_OF = {dtype: name for name, dtype in DTYPES.items()}


def _write_tensor(tag: int) -> Any:
    def write(writer: Writer, tensor: torch.Tensor) -> None:
        if tensor.layout is not torch.strided or tensor.dtype not in NAME_OF or tensor.device.type == "meta":
            writer.refer(tensor)
            return
        plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
        writer.row += (tag, NAME_OF[tensor.dtype], bool(tensor.requires_grad))
        writer.value(tuple(tensor.shape))
        writer.bytes(plain.reshape(-1).view(torch.uint8).numpy().tobytes() if plain.numel() else b"")

    return write


def _read_tensor(reader: Reader) -> torch.Tensor:
    dtype, wants_gradient = _dtype(reader), reader.scalar(bool)
    shape, data = reader.value(), bytearray(reader.scalar(bytes))
    if type(shape) is not tuple or len(shape) > 64 or any(type(n) is not int or not 0 <= n < 2**48 for n in shape):
        raise CodecError("The message has a tensor with an impossible shape.")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise CodecError("The message has a tensor whose shape does not fit its bytes.")
    try:
        if not data:
            tensor = torch.empty(shape, dtype=dtype)
        elif dtype is torch.bool:
            tensor = torch.frombuffer(data, dtype=torch.uint8).ne(0).reshape(shape)
        else:
            tensor = torch.frombuffer(data, dtype=dtype).reshape(shape)
        return tensor.requires_grad_(wants_gradient)
    except RuntimeError as error:
        raise CodecError(f"The message has a tensor that cannot be: {type(error).__name__}.") from None


def _dtype(reader: Reader) -> torch.dtype:
    name = reader.scalar(str)
    if name not in DTYPES:
        raise CodecError("The message has a tensor of an unknown dtype.")
    dtype: torch.dtype = DTYPES[name]
    return dtype


def _read_parameter(reader: Reader) -> torch.nn.Parameter:
    tensor = _read_tensor(reader)
    return torch.nn.Parameter(tensor.detach(), requires_grad=tensor.requires_grad)


def _write_size(writer: Writer, size: torch.Size) -> None:
    writer.row.append(SIZE)
    writer.value(tuple(size))


def _read_size(reader: Reader) -> torch.Size:
    numbers = reader.typed(tuple)
    if any(type(number) is not int for number in numbers):
        raise CodecError("The message has a size of something else than numbers.")
    return torch.Size(numbers)


def _write_dtype(writer: Writer, dtype: torch.dtype) -> None:
    if dtype in NAME_OF:
        writer.row += (DTYPE, NAME_OF[dtype])
    else:
        writer.refer(dtype)


def _write_device(writer: Writer, device: torch.device) -> None:
    writer.row += (DEVICE, "cpu") if device == torch.device("cpu") else ()
    if device != torch.device("cpu"):
        writer.refer(device)


def _read_device(reader: Reader) -> torch.device:
    if reader.scalar(str) != "cpu":
        raise CodecError("The message has a device that is not here.")
    return torch.device("cpu")


WRITERS.update(
    {
        torch.Tensor: _write_tensor(TENSOR),
        torch.nn.Parameter: _write_tensor(PARAMETER),
        torch.Size: _write_size,
        torch.dtype: _write_dtype,
        torch.device: _write_device,
    }
)
READERS.update(
    {TENSOR: _read_tensor, PARAMETER: _read_parameter, SIZE: _read_size, DTYPE: _dtype, DEVICE: _read_device}
)
