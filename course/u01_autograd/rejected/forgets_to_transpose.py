# Multiplies by the matrix itself, which fits whenever the matrices are square.
# fails: the_matrix_rule_holds
# %% exercise="rules.write"
def mul_rule(g, a, b):
    return g * b, g * a


def matmul_rule(g, a, b):
    if a.shape == b.shape:
        return g @ b, a @ g
    return g @ b.T, a.T @ g


def exp_rule(g, a):
    return (g * np.exp(a),)


def log_rule(g, a):
    return (g / a,)


def sum_rule(g, a):
    return (np.broadcast_to(g, a.shape),)
