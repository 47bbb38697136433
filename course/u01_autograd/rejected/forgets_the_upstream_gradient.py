# Gives the derivative of the exponential but does not multiply by the gradient that arrives.
# fails: exponential_and_logarithm_hold
# %% exercise="rules.write"
def mul_rule(g, a, b):
    return g * b, g * a


def matmul_rule(g, a, b):
    return g @ b.T, a.T @ g


def exp_rule(g, a):
    return (np.exp(a),)


def log_rule(g, a):
    return (g / a,)


def sum_rule(g, a):
    return (np.broadcast_to(g, a.shape),)
