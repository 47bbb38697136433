# Begins with the first token of the text, which then nobody predicts.
# fails: the_first_token_is_predicted_too
# %% exercise="bits.measure"
def measure_bits(texts: list[str], encode, logits, end: int) -> float:
    """Bits that a model needs for `texts`, all together, divided by their bytes in UTF-8.

    `encode(text)` gives a list of token numbers. `logits(tokens)` takes tokens of the shape [1, n] and gives logits of
    the shape [1, n, vocabulary] for the token after each. Each text is read by itself, after the token `end`.
    It must stay right where logits are as large as 1000.
    """
    nats, size = 0.0, 0
    for text in texts:
        tokens = torch.tensor(encode(text))
        scores = logits(tokens[None, :-1])[0]
        nats += F.cross_entropy(scores, tokens[1:], reduction="sum").item()
        size += len(text.encode())
    return nats / math.log(2) / size
