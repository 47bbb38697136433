"""Which files are large, in the clients' sense: sent by themselves, and named by their SHA-256."""

from __future__ import annotations

from pathlib import PurePosixPath

#: Bytes from which any file is large.
LARGE = 10 << 20
# fmt: off
_BINARY = frozenset((
    ".safetensors", ".gguf", ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".h5", ".keras", ".onnx",
    ".ot", ".msgpack", ".model", ".npy", ".npz", ".pb", ".tflite", ".mlmodel", ".parquet", ".arrow", ".feather",
    ".zip", ".gz", ".bz2", ".xz", ".zst", ".tar", ".tgz", ".7z", ".rar", ".wasm", ".png", ".jpg", ".jpeg", ".gif",
    ".webp", ".bmp", ".tiff", ".wav", ".mp3", ".flac", ".ogg", ".mp4", ".avi", ".mkv", ".webm", ".mov", ".pdf",
    ".ttf", ".db", ".sqlite",
))
# fmt: on


def is_large(name: str, size: int) -> bool:
    """Whether a file of that name and size is large."""
    return size > 0 and (size >= LARGE or PurePosixPath(name).suffix.lower() in _BINARY)
