# Repeats the whole row of key heads, so that heads far apart share keys instead of neighbours.
# fails: neighbouring_heads_share_keys
# %% exercise="attention.layer"
def self_attention(x, weights, allowed, heads, turn, attend, split, join):
    size = weights["q_proj.weight"].shape[0] // heads
    key_heads = weights["k_proj.weight"].shape[0] // size
    queries = turn(split(x @ weights["q_proj.weight"].T, heads))
    keys = turn(split(x @ weights["k_proj.weight"].T, key_heads))
    values = split(x @ weights["v_proj.weight"].T, key_heads)
    group = heads // key_heads
    keys, values = keys.repeat(1, group, 1, 1), values.repeat(1, group, 1, 1)
    mixed, _ = attend(queries, keys, values, allowed[:, None])
    return join(mixed) @ weights["o_proj.weight"].T
