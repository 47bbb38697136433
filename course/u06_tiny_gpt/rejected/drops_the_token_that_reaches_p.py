# Keeps only tokens with which the sum is still below p.
# fails: top_p_keeps_the_smallest_set
# %% exercise="text.sample"
def sample(
    logits: torch.Tensor, count: int, seed: int, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0
) -> torch.Tensor:
    """`count` independent draws of a token, for `logits` of the shape [vocabulary]; the result has the shape [count].

    A `top_k` of 0 and a `top_p` of 1 keep all tokens. A `temperature` of 0 always gives the most likely token.
    The draws depend on the arguments and on `seed` alone.
    """
    if temperature == 0:
        return logits.argmax().repeat(count)
    chances = (logits / temperature).softmax(dim=-1)
    chances, tokens = chances.sort(descending=True)
    if top_k > 0:
        chances[top_k:] = 0
        chances = chances / chances.sum()
    so_far = chances.cumsum(dim=-1)
    so_far[0] = 0
    if top_p < 1:
        chances[so_far > top_p] = 0
    generator = torch.Generator().manual_seed(seed)
    return tokens[torch.multinomial(chances, count, replacement=True, generator=generator)]
