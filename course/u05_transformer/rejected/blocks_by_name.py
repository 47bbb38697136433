# Sorts the blocks by their names, and as a name 10 comes before 2.
# fails: many_blocks_keep_their_order
# %% exercise="model.run"
import torch


def run_model(tokens, real, state, look, layer, norm):
    embedding = state["model.embed_tokens.weight"]
    x = embedding[tokens]
    positions, allowed = torch.arange(tokens.shape[1]), look(real)
    names = sorted({".".join(name.split(".")[:3]) for name in state if name.startswith("model.layers.")})
    for name in names:
        x = layer(x, part(state, name), positions, allowed)
    return norm(x, state["model.norm.weight"]) @ state.get("lm_head.weight", embedding).T
