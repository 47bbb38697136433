"""HuggingFaceTB/SmolLM2-135M-Instruct, from the 4-bit GGUF file that a package carries.

transformers reads GGUF itself, but slowly, and what it then holds cannot be saved. Here every tensor is expanded once
and written as safetensors. The weights were rounded to 4 bits by the package's author; the rounding cannot be undone,
and answers differ a little from those of the original.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import GenerationConfig, LlamaConfig, PreTrainedTokenizerFast

from autograder.offline.archive import Archive

if TYPE_CHECKING:
    import numpy.typing as npt

_CONTROL = 3  # GGUF's token type of special tokens

# GGUF's names, in the order of the file format's documentation, and those of LlamaForCausalLM.
_OUTER = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
_INNER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def weight_name(name: str) -> str:
    """`blk.3.attn_q.weight` → `model.layers.3.self_attn.q_proj.weight`."""
    match name.split("."):
        case ["blk", layer, part, "weight"]:
            return f"model.layers.{layer}.{_INNER[part]}.weight"
        case [part, "weight"]:
            return f"{_OUTER[part]}.weight"
    raise KeyError(name)


def split_halves(weight: npt.NDArray[np.float32], heads: int) -> npt.NDArray[np.float32]:
    """Reorder the rows of a query or key matrix from GGUF's rotary layout, where the two numbers that turn together are
    neighbours, to transformers', where they are half a head apart."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


class _Header:
    """The typed header fields of a GGUF file."""

    def __init__(self, reader: gguf.GGUFReader) -> None:
        self._reader = reader

    def __getitem__(self, key: str) -> object:
        field = self._reader.get_field(key)
        if field is None:
            raise ValueError(f"the GGUF file has no field {key}")
        return field.contents()

    def integer(self, key: str) -> int:
        return int(str(self[key]))

    def real(self, key: str) -> float:
        # float32 in the file: 9.99999975e-06 was 1e-05 once.
        return float(f"{float(str(self[key])):.6g}")

    def strings(self, key: str) -> list[str]:
        values = self[key]
        assert isinstance(values, list)
        return [str(value) for value in values]


def _config(header: _Header) -> LlamaConfig:
    return LlamaConfig(
        architectures=["LlamaForCausalLM"],
        vocab_size=header.integer("llama.vocab_size"),
        hidden_size=header.integer("llama.embedding_length"),
        intermediate_size=header.integer("llama.feed_forward_length"),
        num_hidden_layers=header.integer("llama.block_count"),
        num_attention_heads=header.integer("llama.attention.head_count"),
        num_key_value_heads=header.integer("llama.attention.head_count_kv"),
        max_position_embeddings=header.integer("llama.context_length"),
        rms_norm_eps=header.real("llama.attention.layer_norm_rms_epsilon"),
        rope_parameters={"rope_type": "default", "rope_theta": header.real("llama.rope.freq_base")},
        bos_token_id=header.integer("tokenizer.ggml.bos_token_id"),
        eos_token_id=header.integer("tokenizer.ggml.eos_token_id"),
        pad_token_id=header.integer("tokenizer.ggml.padding_token_id"),
        tie_word_embeddings=True,  # the file holds no output matrix
        # What from_pretrained loads into unless told otherwise: most CPUs compute in float32 fastest. The file has the
        # same type, so that weights stay where they are mapped, once for all who use them on a machine.
        dtype="float32",
    )


def _weights(reader: gguf.GGUFReader, header: _Header) -> dict[str, torch.Tensor]:
    heads = {
        "attn_q": header.integer("llama.attention.head_count"),
        "attn_k": header.integer("llama.attention.head_count_kv"),
    }
    weights = {}
    for tensor in reader.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type)
        part = tensor.name.split(".")[-2]
        if part in heads:
            values = split_halves(values, heads[part])
        exact = torch.from_numpy(np.require(values, requirements=["C", "W"]))
        weights[weight_name(tensor.name)] = exact.to(torch.bfloat16).to(torch.float32)  # the model's own numbers
    return weights


def _tokenizer(header: _Header) -> PreTrainedTokenizerFast:
    tokens = header.strings("tokenizer.ggml.tokens")
    types = header["tokenizer.ggml.token_type"]
    assert isinstance(types, list)
    merges = [(left, right) for left, _, right in (m.partition(" ") for m in header.strings("tokenizer.ggml.merges"))]
    tokenizer = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(  # GGUF names this pair `smollm`
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [token for token, kind in zip(tokens, types, strict=True) if kind == _CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])

    def named(key: str) -> str:
        return tokens[header.integer(f"tokenizer.ggml.{key}_token_id")]

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=named("bos"),
        eos_token=named("eos"),
        pad_token=named("padding"),
        unk_token=named("unknown"),
        clean_up_tokenization_spaces=False,
        model_max_length=header.integer("llama.context_length"),
        chat_template=str(header["tokenizer.chat_template"]),
    )


def build(sources: Mapping[str, Archive], folder: Path) -> None:
    """Write config, weights (float32), tokenizer with its chat template and generation config into `folder`."""
    (archive,) = sources.values()
    with tempfile.TemporaryDirectory() as scratch:
        unpacked = Path(scratch, "model.gguf")
        archive.copy(archive.match("*.gguf")[0], unpacked)
        reader = gguf.GGUFReader(unpacked)
        header = _Header(reader)
        config = _config(header)
        config.save_pretrained(folder)
        GenerationConfig(
            bos_token_id=config.bos_token_id, eos_token_id=config.eos_token_id, pad_token_id=config.pad_token_id
        ).save_pretrained(folder)
        _tokenizer(header).save_pretrained(folder)
        save_file(_weights(reader, header), folder / "model.safetensors", metadata={"format": "pt"})
        del reader  # it maps the file, which some systems then refuse to delete


def card(sources: Mapping[str, Archive]) -> str:
    """The model card's text."""
    return (
        "SmolLM2-135M-Instruct by HuggingFaceTB: a small English chat model (Llama architecture, 30 layers, 135 "
        "million parameters, 8,192 positions). The weights went through 4 bits (GGUF Q4_1) on their way here and are "
        "bfloat16 numbers stored in float32 (538 MB), which most CPUs compute fastest. Loaded without `dtype`, they "
        "stay in the file, and programs that run at the same time share them; `dtype=torch.bfloat16` makes a copy of "
        "half the size.\n"
    )
