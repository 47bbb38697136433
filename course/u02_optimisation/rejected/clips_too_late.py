# Calls `clip` but goes on with the gradients from before.
# fails: the_step_gets_what_clip_gave_back
# %% exercise="training.loop"
def train(params, batches, gradient, step, schedule, clip):
    state, losses = [None] * len(params), []
    for number, batch in enumerate(batches):
        loss, grads = gradient(params, batch)
        losses.append(loss)
        if not math.isfinite(loss):
            break
        clip(grads)
        params, state = step(params, grads, state, schedule(number))
    return params, losses
