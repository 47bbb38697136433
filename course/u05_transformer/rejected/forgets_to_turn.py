# Forgets the positions: queries and keys are not turned.
# fails: it_is_the_layer_of_transformers
# %% exercise="attention.layer"
def self_attention(x, weights, allowed, heads, turn, attend, split, join):
    size = weights["q_proj.weight"].shape[0] // heads
    key_heads = weights["k_proj.weight"].shape[0] // size
    queries = split(x @ weights["q_proj.weight"].T, heads)
    keys = split(x @ weights["k_proj.weight"].T, key_heads)
    values = split(x @ weights["v_proj.weight"].T, key_heads)
    group = heads // key_heads
    keys, values = keys.repeat_interleave(group, dim=1), values.repeat_interleave(group, dim=1)
    mixed, _ = attend(queries, keys, values, allowed[:, None])
    return join(mixed) @ weights["o_proj.weight"].T
