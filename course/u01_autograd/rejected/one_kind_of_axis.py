# Sums over new axes or over stretched ones, and forgets that both can happen at once.
# fails: it_is_the_adjoint_of_stretching
# %% exercise="shape.unbroadcast"
def unbroadcast(g, shape):
    if g.ndim > len(shape):
        return g.sum(axis=tuple(range(g.ndim - len(shape)))).reshape(g.shape[g.ndim - len(shape) :])
    return g.sum(axis=tuple(axis for axis, size in enumerate(shape) if size == 1), keepdims=True)
