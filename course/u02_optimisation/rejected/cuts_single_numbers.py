# Cuts each number to the limit instead of shortening the whole.
# fails: above_the_limit_all_are_shortened_alike
# %% exercise="gradients.clip"
def clip_gradients(grads, limit):
    norm = math.sqrt(sum(float((grad**2).sum()) for grad in grads if grad is not None))
    return [None if grad is None else grad.clamp(-limit, limit) for grad in grads], norm
