# Compares with the loss of this model in nats, and takes a slow run in bits for a diverging one.
# fails: a_slow_run_is_recognised
# %% exercise="training.diagnose"
def diagnose(train_losses, valid_losses):
    first, epochs = train_losses[0], len(valid_losses)
    per_epoch = len(train_losses) // epochs
    last = sum(train_losses[-per_epoch:]) / per_epoch
    profile = [sum(train_losses[place::per_epoch]) / epochs for place in range(per_epoch)]
    high, middle = max(profile), sorted(profile)[per_epoch // 2]
    if not math.isfinite(last) or last > 0.9:
        return "diverging"
    if high > 4 * middle:
        return "not shuffled"
    if last > 0.8 * first:
        return "too slow"
    return "overfitting" if valid_losses[-1] > 1.3 * min(valid_losses) else "healthy"
