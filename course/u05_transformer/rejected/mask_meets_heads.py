# Passes the mask without an axis for the heads: head 1 of every text gets the mask of text 1.
# fails: each_text_has_its_own_mask
# %% exercise="attention.layer"
def self_attention(x, weights, allowed, heads, turn, attend, split, join):
    size = weights["q_proj.weight"].shape[0] // heads
    key_heads = weights["k_proj.weight"].shape[0] // size
    queries = turn(split(x @ weights["q_proj.weight"].T, heads))
    keys = turn(split(x @ weights["k_proj.weight"].T, key_heads))
    values = split(x @ weights["v_proj.weight"].T, key_heads)
    group = heads // key_heads
    keys, values = keys.repeat_interleave(group, dim=1), values.repeat_interleave(group, dim=1)
    mixed, _ = attend(queries, keys, values, allowed)
    return join(mixed) @ weights["o_proj.weight"].T
