# Stores what arrives and overwrites what was there.
# fails: all_parts_are_added
# %% exercise="grad.collect"
def collect(leaf, g):
    leaf.grad = g.copy()


def zero_grad(*leaves):
    for leaf in leaves:
        leaf.grad = None
