# Measures in the mode in which the model comes out of training, and switches to evaluation mode only at the end.
# fails: nothing_is_dropped_while_measuring
# %% exercise="forgetting.measure"
def forgetting(model, measure):
    after = measure(model)
    with model.disable_adapter():
        before = measure(model)
    model.eval()
    return {"before": before, "after": after, "forgotten": before - after}
