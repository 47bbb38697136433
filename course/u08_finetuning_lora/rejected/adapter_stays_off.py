# Switches the adapter off and on by hand, and it stays off if the measurement fails.
# fails: the_adapter_is_on_again
# %% exercise="forgetting.measure"
def forgetting(model, measure):
    model.eval()
    after = measure(model)
    model.base_model.disable_adapter_layers()
    before = measure(model)
    model.base_model.enable_adapter_layers()
    return {"before": before, "after": after, "forgotten": before - after}
