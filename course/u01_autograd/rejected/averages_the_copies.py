# Averages over the copies instead of adding them up.
# fails: it_is_the_adjoint_of_stretching
# %% exercise="shape.unbroadcast"
def unbroadcast(g, shape):
    copies = g.size / int(np.prod(shape))
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    return g.sum(axis=tuple(axis for axis, size in enumerate(shape) if size == 1), keepdims=True) / copies
