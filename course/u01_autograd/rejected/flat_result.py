# Goes through the numbers in a row and gives the slopes back as a flat array.
# fails: every_slope_is_measured
# %% exercise="slope.measure"
def numerical_gradient(f, x, step=1e-5):
    point = np.array(x, dtype=np.float64)
    slopes = []
    for place in np.ndindex(point.shape):
        move = np.zeros(point.shape)
        move[place] = step
        slopes.append((f(point + move) - f(point - move)) / (2 * step))
    return np.array(slopes)
