# Makes a new state for each step, so that the velocity and the averages are lost.
# fails: the_state_is_handed_on
# %% exercise="training.loop"
def train(params, batches, gradient, step, schedule, clip):
    losses = []
    for number, batch in enumerate(batches):
        loss, grads = gradient(params, batch)
        losses.append(loss)
        if not math.isfinite(loss):
            break
        grads, _ = clip(grads)
        params, _ = step(params, grads, [None] * len(params), schedule(number))
    return params, losses
