# Chooses with the logits as they are, and applies the temperature to those that stay.
# fails: temperature_shapes_the_chances
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
    chances = logits.softmax(dim=-1)
    chances, tokens = chances.sort(descending=True)
    if top_k > 0:
        chances[top_k:] = 0
        chances = chances / chances.sum()
    before = chances.cumsum(dim=-1) - chances
    chances[before >= top_p] = 0
    chances = chances ** (1 / temperature)
    generator = torch.Generator().manual_seed(seed)
    return tokens[torch.multinomial(chances, count, replacement=True, generator=generator)]
