# Writes down the loss of a batch after the step on that batch, which looks better than it is.
# fails: the_losses_are_written_down
# %% exercise="training.loop"
def train(params, batches, gradient, step, schedule, clip):
    state, losses = [None] * len(params), []
    for number, batch in enumerate(batches):
        loss, grads = gradient(params, batch)
        if not math.isfinite(loss):
            losses.append(loss)
            break
        grads, _ = clip(grads)
        params, state = step(params, grads, state, schedule(number))
        losses.append(gradient(params, batch)[0])
    return params, losses
