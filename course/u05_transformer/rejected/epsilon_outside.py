# Adds epsilon after the root.
# fails: each_vector_is_normalised_by_itself
# %% exercise="block.build"
import torch


def rms_norm(x, weight, eps):
    return x / (x.square().mean(dim=-1, keepdim=True).sqrt() + eps) * weight


def feed_forward(x, weights):
    gate = torch.nn.functional.silu(x @ weights["gate_proj.weight"].T)
    return (gate * (x @ weights["up_proj.weight"].T)) @ weights["down_proj.weight"].T


def block(x, weights, attention, norm, mlp):
    x = x + attention(norm(x, weights["input_layernorm.weight"]), part(weights, "self_attn"))
    return x + mlp(norm(x, weights["post_attention_layernorm.weight"]), part(weights, "mlp"))
