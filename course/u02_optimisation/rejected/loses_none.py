# Leaves out the parameters without a gradient, so that the others move to wrong places of the list.
# fails: none_keeps_its_place
# %% exercise="gradients.clip"
def clip_gradients(grads, limit):
    grads = [grad for grad in grads if grad is not None]
    norm = math.sqrt(sum(float((grad**2).sum()) for grad in grads))
    return [grad * min(1.0, limit / max(norm, 1e-12)) for grad in grads], norm
