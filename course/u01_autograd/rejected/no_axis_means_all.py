# Writes `axes or None`, but for numpy None means all axes.
# fails: without_stretching_nothing_is_added
# %% exercise="shape.unbroadcast"
def unbroadcast(g, shape):
    new = g.ndim - len(shape)
    axes = tuple(axis for axis in range(g.ndim) if axis < new or shape[axis - new] != g.shape[axis])
    return np.resize(g.sum(axis=axes or None, keepdims=True), shape)
