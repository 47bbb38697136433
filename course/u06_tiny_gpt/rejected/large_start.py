# Takes random numbers that are ten times too large.
# fails: the_first_loss_is_near_ln_v
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
                param.normal_(0, 0.2, generator=generator)
