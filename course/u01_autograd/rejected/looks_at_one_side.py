# Takes the difference between the moved point and the point itself: only one side is looked at.
# fails: both_sides_are_looked_at
# %% exercise="slope.measure"
def numerical_gradient(f, x, step=1e-5):
    point = np.array(x, dtype=np.float64)
    here = f(point)
    slopes = np.empty(point.shape)
    for place in np.ndindex(point.shape):
        moved = point.copy()
        moved[place] += step
        slopes[place] = (f(moved) - here) / step
    return slopes
