# Moves each number up and then down, but does not put it back before the next one.
# fails: nothing_else_moves
# %% exercise="slope.measure"
def numerical_gradient(f, x, step=1e-5):
    point = np.array(x, dtype=np.float64)
    slopes = np.empty(point.shape)
    for place in np.ndindex(point.shape):
        point[place] += step
        above = f(point)
        point[place] -= 2 * step
        slopes[place] = (above - f(point)) / (2 * step)
    return slopes
