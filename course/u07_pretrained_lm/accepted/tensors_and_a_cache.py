# Uses cross entropy, a KV cache, results as tensors, and the binomial distribution of scipy.
# %% exercise="tokens.score"
from torch.nn import functional


@torch.no_grad()
def token_logprobs(model, ids):
    ids = torch.as_tensor(ids)
    logits = model(ids[None], use_cache=False).logits[0]
    return -functional.cross_entropy(logits[:-1], ids[1:], reduction="none")


# %% exercise="windows.plan"
def windows(length, window, stride):
    if stride not in range(1, window):
        raise ValueError("0 < stride < window")
    plan = []
    for begin in range(0, max(length - 1, 0), stride):
        first = begin + window - stride if begin else 1
        plan.append([begin, min(begin + window, length), first])
        if begin + window >= length:
            break
    return plan


# %% exercise="perplexity.measure"
def text_logprobs(ids, plan, score):
    pieces = [torch.tensor(score(ids[begin:end]))[first - end :] for begin, end, first in plan]
    return torch.cat(pieces)


def perplexity(logprobs):
    together = torch.cat([torch.as_tensor(text, dtype=torch.float64) for text in logprobs] or [torch.zeros(0)])
    if len(together) == 0:
        raise ValueError("no tokens")
    return together.mean().neg().exp()


# %% exercise="batch.left"
def left_batch(sequences, pad):
    rows = [torch.tensor(sequence).flip(0) for sequence in sequences]
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad).flip(1)
    places = torch.arange(ids.shape[1])[None] - (ids.shape[1] - lengths)[:, None]
    return {"input_ids": ids, "attention_mask": (places >= 0).int(), "position_ids": places.clamp_min(0)}


# %% exercise="greedy.write"
@torch.no_grad()
def greedy(model, prompts, new_tokens, end, make_batch):
    batch, cache, written = dict(make_batch(prompts)), None, []
    for _ in range(new_tokens):
        output = model(**batch, past_key_values=cache, use_cache=True)
        cache, token = output.past_key_values, output.logits[:, -1:].argmax(-1)
        written.append(token)
        mask = torch.cat([batch["attention_mask"], torch.ones_like(token)], dim=1)
        positions = batch["position_ids"][:, -1:] + 1
        batch = {"input_ids": token, "attention_mask": mask, "position_ids": positions}
        if all(end in row for row in torch.cat(written, dim=1).tolist()):
            break
    answers = torch.cat(written, dim=1).tolist()
    return [row[: row.index(end) + 1] if end in row else row for row in answers]


# %% exercise="chat.template"
def render_chat(messages, reply):
    parts = []
    if messages[0]["role"] != "system":
        parts += ["<|im_start|>system", f"{DEFAULT_SYSTEM}<|im_end|>"]
    for message in messages:
        parts += ["<|im_start|>" + message["role"], message["content"] + "<|im_end|>"]
    if reply:
        parts.append("<|im_start|>assistant")
    return "\n".join(parts) + "\n"


def chat_ids(tokenizer, messages):
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]


# %% exercise="choice.score"
import numpy as np


def choice_scores(prompt, choices, encode, score, per):
    encoded = [encode(choice) for choice in choices]
    sums = np.array([sum(score(prompt + tokens)[-len(tokens) :]) for tokens in encoded])
    sizes = {"sum": np.ones(len(choices)), "token": [len(tokens) for tokens in encoded]}
    sizes["byte"] = [len(choice.encode("utf-8")) for choice in choices]
    return sums / np.array(sizes[per])


# %% exercise="luck.judge"
from scipy.stats import binom


def luck(right, questions, options):
    return binom.sf(right - 1, questions, 1 / options)
