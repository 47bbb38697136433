# Keeps the result of a step under another name, so that each step starts from the beginning again.
# fails: every_batch_moves_the_newest_parameters
# %% exercise="training.loop"
def train(params, batches, gradient, step, schedule, clip):
    state, losses, new_params = [None] * len(params), [], params
    for number, batch in enumerate(batches):
        loss, grads = gradient(params, batch)
        losses.append(loss)
        if not math.isfinite(loss):
            break
        grads, _ = clip(grads)
        new_params, state = step(params, grads, state, schedule(number))
    return new_params, losses
