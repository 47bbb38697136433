# Uses the embedding for the logits even if the model has a matrix of its own.
# fails: a_head_that_is_not_tied_is_used
# %% exercise="model.run"
import torch


def run_model(tokens, real, state, look, layer, norm):
    embedding = state["model.embed_tokens.weight"]
    x = embedding[tokens]
    positions, allowed = torch.arange(tokens.shape[1]), look(real)
    number = 0
    while weights := part(state, f"model.layers.{number}"):
        x = layer(x, weights, positions, allowed)
        number += 1
    return norm(x, state["model.norm.weight"]) @ embedding.T
