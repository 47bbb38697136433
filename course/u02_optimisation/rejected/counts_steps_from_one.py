# Asks the schedule for step 1 first, so that every rate comes one step too early.
# fails: each_step_has_its_own_rate
# %% exercise="training.loop"
def train(params, batches, gradient, step, schedule, clip):
    state, losses = [None] * len(params), []
    for number, batch in enumerate(batches, 1):
        loss, grads = gradient(params, batch)
        losses.append(loss)
        if not math.isfinite(loss):
            break
        grads, _ = clip(grads)
        params, state = step(params, grads, state, schedule(number))
    return params, losses
