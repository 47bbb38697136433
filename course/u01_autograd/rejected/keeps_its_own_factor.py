# Multiplies each gradient by its own factor, not by the other one.
# fails: the_product_rule_holds
# %% exercise="rules.write"
def mul_rule(g, a, b):
    return g * a, g * b


def matmul_rule(g, a, b):
    return g @ b.T, a.T @ g


def exp_rule(g, a):
    return (g * np.exp(a),)


def log_rule(g, a):
    return (g / a,)


def sum_rule(g, a):
    return (np.broadcast_to(g, a.shape),)
