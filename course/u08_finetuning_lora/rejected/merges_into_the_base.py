# Merges in place, so the weights of the base are gone.
# fails: what_is_given_stays_as_it_is
# %% exercise="lora.merge"
def merge(weight, A, B, alpha):
    weight += alpha / len(A) * (B @ A)
    return weight


def unmerge(merged, A, B, alpha):
    merged -= alpha / len(A) * (B @ A)
    return merged
