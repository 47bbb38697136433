# Reports the size of the change, so a model that has become better counts as forgetful.
# fails: worse_is_positive
# %% exercise="forgetting.measure"
def forgetting(model, measure):
    model.eval()
    after = measure(model)
    with model.disable_adapter():
        before = measure(model)
    return {"before": before, "after": after, "forgotten": abs(before - after)}
