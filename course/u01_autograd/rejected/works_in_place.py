# Saves memory by multiplying into the array that it was given.
# fails: rules_change_nothing
# %% exercise="rules.write"
def mul_rule(g, a, b):
    return g * b, g * a


def matmul_rule(g, a, b):
    return g @ b.T, a.T @ g


def exp_rule(g, a):
    g *= np.exp(a)
    return (g,)


def log_rule(g, a):
    return (g / a,)


def sum_rule(g, a):
    return (np.broadcast_to(g, a.shape),)
