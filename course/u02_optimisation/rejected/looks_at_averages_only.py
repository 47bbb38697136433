# Looks at averages only, and never at the peaks inside an epoch.
# fails: a_run_in_order_is_recognised
# %% exercise="training.diagnose"
def diagnose(train_losses, valid_losses):
    first, epochs = train_losses[0], len(valid_losses)
    per_epoch = len(train_losses) // epochs
    last = sum(train_losses[-per_epoch:]) / per_epoch
    if not math.isfinite(last) or last > 2 * first:
        return "diverging"
    if last > 0.8 * first:
        return "too slow"
    return "overfitting" if valid_losses[-1] > 1.3 * min(valid_losses) else "healthy"
