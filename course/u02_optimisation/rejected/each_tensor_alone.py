# Limits each tensor by itself, which changes the direction of the step.
# fails: above_the_limit_all_are_shortened_alike
# %% exercise="gradients.clip"
def clip_gradients(grads, limit):
    norm = math.sqrt(sum(float((grad**2).sum()) for grad in grads if grad is not None))
    short = [None if grad is None else grad * min(1.0, limit / (grad.norm().item() + 1e-12)) for grad in grads]
    return short, norm
