# Draws the weights of the norms around 1 as it draws the matrices around 0.
# fails: norms_change_nothing_at_first
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
                param.normal_(1, 0.02, generator=generator)
            else:
                param.normal_(0, 0.02, generator=generator)
