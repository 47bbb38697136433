# Makes the mask as if there were no padding.
# fails: padding_changes_nothing
# %% exercise="model.run"
import torch


def run_model(tokens, real, state, look, layer, norm):
    embedding = state["model.embed_tokens.weight"]
    x = embedding[tokens]
    positions, allowed = torch.arange(tokens.shape[1]), look(torch.ones_like(real))
    number = 0
    while weights := part(state, f"model.layers.{number}"):
        x = layer(x, weights, positions, allowed)
        number += 1
    return norm(x, state["model.norm.weight"]) @ state.get("lm_head.weight", embedding).T
