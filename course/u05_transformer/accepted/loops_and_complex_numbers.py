# Einstein sums, complex numbers for the turning, loops over heads, and a model that calls itself block by block.
# %% exercise="attention.mix"
import torch


def attend(queries, keys, values):
    scores = torch.einsum("...qd,...kd->...qk", queries, keys) / queries.size(-1) ** 0.5
    powers = torch.exp(scores - scores.max(dim=-1, keepdim=True).values)
    weights = powers / powers.sum(dim=-1, keepdim=True)
    return torch.einsum("...qk,...kw->...qw", weights, values), weights


# %% exercise="mask.make"
def may_look(real):
    places = torch.arange(real.shape[1])
    return (places[None, :] <= places[:, None]) & real.unsqueeze(1) & real.unsqueeze(2)


# %% exercise="attention.masked"
def attend_allowed(queries, keys, values, allowed):
    scores = torch.einsum("...qd,...kd->...qk", queries, keys) / queries.size(-1) ** 0.5
    weights = torch.where(allowed, scores, -torch.inf).softmax(-1)
    weights = torch.where(allowed.any(-1, keepdim=True), weights, 0.0)
    return torch.matmul(weights, values), weights


# %% exercise="rope.rotate"
def rotate(x, positions, theta):
    first, second = x.double().chunk(2, dim=-1)
    half = first.shape[-1]
    angles = torch.outer(positions.double(), theta ** (-torch.arange(half, dtype=torch.float64) / half))
    turned = torch.complex(first, second) * torch.exp(1j * angles)
    return torch.cat([turned.real, turned.imag], dim=-1).to(x.dtype)


# %% exercise="heads.split"
def split_heads(x, heads):
    return torch.stack(x.chunk(heads, dim=-1), dim=1)


def join_heads(x):
    return torch.cat(tuple(x[:, head] for head in range(x.shape[1])), dim=-1)


# %% exercise="attention.layer"
def self_attention(x, weights, allowed, heads, turn, attend, split, join):
    size = len(weights["q_proj.weight"]) // heads
    queries = split(torch.einsum("bti,oi->bto", x, weights["q_proj.weight"]), heads)
    groups = len(weights["k_proj.weight"]) // size
    keys = split(torch.einsum("bti,oi->bto", x, weights["k_proj.weight"]), groups)
    values = split(torch.einsum("bti,oi->bto", x, weights["v_proj.weight"]), groups)
    results = []
    for head in range(heads):
        shared = head * groups // heads
        query, key = turn(queries[:, head : head + 1]), turn(keys[:, shared : shared + 1])
        results.append(attend(query, key, values[:, shared : shared + 1], allowed.unsqueeze(1))[0])
    return join(torch.cat(results, dim=1)) @ weights["o_proj.weight"].T


# %% exercise="block.build"
def rms_norm(x, weight, eps):
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return weight * x * torch.rsqrt(length**2 / x.shape[-1] + eps)


def feed_forward(x, weights):
    gate = x @ weights["gate_proj.weight"].T
    return (gate * torch.sigmoid(gate) * (x @ weights["up_proj.weight"].T)) @ weights["down_proj.weight"].T


def block(x, weights, attention, norm, mlp):
    own = {kind: {} for kind in ("self_attn", "mlp")}
    for name, weight in weights.items():
        kind, _, rest = name.partition(".")
        if kind in own:
            own[kind][rest] = weight
    looked = attention(norm(x, weights["input_layernorm.weight"]), own["self_attn"])
    thought = mlp(norm(x + looked, weights["post_attention_layernorm.weight"]), own["mlp"])
    return x + looked + thought


# %% exercise="model.run"
def run_model(tokens, real, state, look, layer, norm):
    numbers = {int(name.split(".")[2]) for name in state if name.startswith("model.layers.")}

    def after(block):
        if block < 0:
            return state["model.embed_tokens.weight"][tokens]
        start = f"model.layers.{block}."
        weights = {name[len(start) :]: weight for name, weight in state.items() if name.startswith(start)}
        return layer(after(block - 1), weights, torch.arange(tokens.shape[1]), look(real))

    head = "lm_head.weight" if "lm_head.weight" in state else "model.embed_tokens.weight"
    return norm(after(len(numbers) - 1), state["model.norm.weight"]) @ state[head].T
