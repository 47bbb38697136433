# Divides by the number of elements, as if the sum were an average.
# fails: the_sum_reaches_every_element
# %% exercise="rules.write"
def mul_rule(g, a, b):
    return g * b, g * a


def matmul_rule(g, a, b):
    return g @ b.T, a.T @ g


def exp_rule(g, a):
    return (g * np.exp(a),)


def log_rule(g, a):
    return (g / a,)


def sum_rule(g, a):
    return (np.broadcast_to(g, a.shape) * np.size(g) / a.size,)
