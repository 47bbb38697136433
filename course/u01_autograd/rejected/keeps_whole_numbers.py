# Copies the array with its dtype, so that the step is cut off where the numbers are whole.
# fails: whole_numbers_have_slopes
# %% exercise="slope.measure"
def numerical_gradient(f, x, step=1e-5):
    slopes = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[place] = x[place] + step
        below[place] = x[place] - step
        slopes[place] = (f(above) - f(below)) / (2 * step)
    return slopes
