# Stops at a loss that is not a number, but takes an infinite loss for a number.
# fails: training_stops_at_a_loss_that_is_not_finite
# %% exercise="training.loop"
def train(params, batches, gradient, step, schedule, clip):
    state, losses = [None] * len(params), []
    for number, batch in enumerate(batches):
        loss, grads = gradient(params, batch)
        losses.append(loss)
        if math.isnan(loss):
            break
        grads, _ = clip(grads)
        params, state = step(params, grads, state, schedule(number))
    return params, losses
