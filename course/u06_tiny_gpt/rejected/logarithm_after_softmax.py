# Takes the logarithm of probabilities that have become zero.
# fails: large_logits_stay_right
# %% exercise="bits.measure"
def measure_bits(texts: list[str], encode, logits, end: int) -> float:
    """Bits that a model needs for `texts`, all together, divided by their bytes in UTF-8.

    `encode(text)` gives a list of token numbers. `logits(tokens)` takes tokens of the shape [1, n] and gives logits of
    the shape [1, n, vocabulary] for the token after each. Each text is read by itself, after the token `end`.
    It must stay right where logits are as large as 1000.
    """
    nats, size = 0.0, 0
    for text in texts:
        tokens = torch.tensor([end, *encode(text)])
        scores = logits(tokens[None, :-1])[0]
        nats += -scores.softmax(-1)[torch.arange(len(tokens) - 1), tokens[1:]].log().sum().item()
        size += len(text.encode())
    return nats / math.log(2) / size
