# Spreads the positions so that every text fills a window of the same size.
# fails: a_shorter_text_gives_the_beginning
# %% exercise="model.run"
import torch


def run_model(tokens, real, state, look, layer, norm):
    embedding = state["model.embed_tokens.weight"]
    x = embedding[tokens]
    positions, allowed = torch.linspace(0, 5, tokens.shape[1]), look(real)
    number = 0
    while weights := part(state, f"model.layers.{number}"):
        x = layer(x, weights, positions, allowed)
        number += 1
    return norm(x, state["model.norm.weight"]) @ state.get("lm_head.weight", embedding).T
