# Takes the learning rate of large models.
# fails: new_text_costs_few_bits
# %% exercise="language.train"
def settings(steps: int) -> dict:
    """Learning rate and warm-up for a run of `steps` steps: {"lr": …, "warmup": …}."""
    return {"lr": 0.0003, "warmup": steps // 5}
