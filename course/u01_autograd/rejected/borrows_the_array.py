# Keeps the array that arrives as its own and later adds into it, in place.
# fails: every_leaf_has_an_array_of_its_own
# %% exercise="grad.collect"
def collect(leaf, g):
    if leaf.grad is None:
        leaf.grad = g
    else:
        leaf.grad += g


def zero_grad(*leaves):
    for leaf in leaves:
        leaf.grad = None
