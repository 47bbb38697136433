# Looks at the training loss alone, where a run that learns by heart is the best of all.
# fails: an_overfitting_run_is_recognised
# %% exercise="training.diagnose"
def diagnose(train_losses, valid_losses):
    first, epochs = train_losses[0], len(valid_losses)
    per_epoch = len(train_losses) // epochs
    last = sum(train_losses[-per_epoch:]) / per_epoch
    profile = [sum(train_losses[place::per_epoch]) / epochs for place in range(per_epoch)]
    high, middle = max(profile), sorted(profile)[per_epoch // 2]
    if not math.isfinite(last) or last > 2 * first:
        return "diverging"
    if high > 4 * middle:
        return "not shuffled"
    return "too slow" if last > 0.8 * first else "healthy"
