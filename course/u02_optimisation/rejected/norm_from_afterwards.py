# Gives back the norm after shortening, which says nothing about how long the gradients were.
# fails: the_norm_is_that_from_before
# %% exercise="gradients.clip"
def clip_gradients(grads, limit):
    norm = math.sqrt(sum(float((grad**2).sum()) for grad in grads if grad is not None))
    if norm > limit:
        grads = [None if grad is None else grad * (limit / norm) for grad in grads]
    return list(grads), min(norm, limit)
