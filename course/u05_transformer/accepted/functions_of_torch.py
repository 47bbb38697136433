# Takes as much as possible from torch.nn.functional, shares keys by an extra axis, and turns by a swapped copy.
# %% exercise="attention.mix"
import torch
from torch.nn import functional


def attend(queries, keys, values):
    mixed = functional.scaled_dot_product_attention(queries, keys, values)
    scores = queries @ keys.mT * queries.shape[-1] ** -0.5
    return mixed, torch.exp(scores - scores.logsumexp(-1, keepdim=True))


# %% exercise="mask.make"
def may_look(real):
    allowed = [[[bool(text[j]) and j <= i for j in range(len(text))] for i in range(len(text))] for text in real]
    return torch.tensor(allowed)


# %% exercise="attention.masked"
def attend_allowed(queries, keys, values, allowed):
    scores = queries @ keys.mT * queries.shape[-1] ** -0.5
    penalty = torch.zeros(allowed.shape).masked_fill(allowed.logical_not(), float("-inf"))
    weights = functional.softmax(scores + penalty, dim=-1)
    weights[weights.isnan()] = 0
    return weights @ values, weights


# %% exercise="rope.rotate"
def rotate(x, positions, theta):
    size = x.shape[-1]
    speeds = 1.0 / (theta ** (torch.arange(0, size, 2, dtype=torch.float32) / size))
    angles = torch.einsum("t,s->ts", positions.float(), speeds)
    angles = torch.cat([angles, angles], dim=-1)
    swapped = torch.cat([-x[..., size // 2 :], x[..., : size // 2]], dim=-1)
    return x * torch.cos(angles) + swapped * torch.sin(angles)


# %% exercise="heads.split"
def split_heads(x, heads):
    batch, tokens, width = x.shape
    return x.reshape(batch, tokens, heads, width // heads).permute(0, 2, 1, 3)


def join_heads(x):
    batch, heads, tokens, size = x.shape
    return x.permute(0, 2, 1, 3).reshape(batch, tokens, heads * size)


# %% exercise="attention.layer"
def self_attention(x, weights, allowed, heads, turn, attend, split, join):
    size = weights["q_proj.weight"].shape[0] // heads
    groups = weights["k_proj.weight"].shape[0] // size
    queries = turn(split(functional.linear(x, weights["q_proj.weight"]), heads))
    keys = turn(split(functional.linear(x, weights["k_proj.weight"]), groups))
    values = split(functional.linear(x, weights["v_proj.weight"]), groups)
    grouped = queries.unflatten(1, (groups, heads // groups))
    mixed, _ = attend(grouped, keys[:, :, None], values[:, :, None], allowed[:, None, None])
    return functional.linear(join(mixed.flatten(1, 2)), weights["o_proj.weight"])


# %% exercise="block.build"
def rms_norm(x, weight, eps):
    return functional.rms_norm(x, weight.shape, weight, eps)


def feed_forward(x, weights):
    gate = functional.linear(x, weights["gate_proj.weight"])
    up = functional.linear(x, weights["up_proj.weight"])
    return functional.linear(functional.silu(gate) * up, weights["down_proj.weight"])


def block(x, weights, attention, norm, mlp):
    residual = x
    x = norm(x, weights["input_layernorm.weight"])
    x = residual + attention(x, part(weights, "self_attn"))
    residual = x
    x = norm(x, weights["post_attention_layernorm.weight"])
    return residual + mlp(x, part(weights, "mlp"))


# %% exercise="model.run"
def run_model(tokens, real, state, look, layer, norm):
    x = functional.embedding(tokens, state["model.embed_tokens.weight"])
    layers = 1 + max((int(name.split(".")[2]) for name in state if ".layers." in name), default=-1)
    for number in range(layers):
        x = layer(x, part(state, f"model.layers.{number}"), torch.arange(x.shape[1]), look(real))
    x = norm(x, state["model.norm.weight"])
    if "lm_head.weight" in state:
        return functional.linear(x, state["lm_head.weight"])
    return functional.linear(x, state["model.embed_tokens.weight"])
