# Compares the shapes from the left, so that new axes are looked for at the end.
# fails: it_is_the_adjoint_of_stretching
# %% exercise="shape.unbroadcast"
def unbroadcast(g, shape):
    g = g.sum(axis=tuple(range(len(shape), g.ndim)))
    return g.sum(axis=tuple(axis for axis, size in enumerate(shape) if size == 1), keepdims=True)
