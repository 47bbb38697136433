# Believes that a table of zeros is the fairest start, since all logits are then equal.
# fails: it_can_learn_one_batch_by_heart
# %% exercise="model.start"
def start_weights(model: LlamaForCausalLM, seed: int) -> None:
    """Give all parameters of `model` new values to begin with, in place.

    Matrices (two axes) get small random numbers that depend on `seed` alone; vectors (the weights of the norms) get
    ones. The first loss must then be near ln V, for narrow models and wide ones.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for param in model.parameters():
            if param.dim() == 1:
                param.fill_(1)
            else:
                param.normal_(0, 0.02, generator=generator)
        model.model.embed_tokens.weight.zero_()
