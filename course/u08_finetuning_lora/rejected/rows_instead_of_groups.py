# Keeps the drawn examples out of the test set, but not the others of their groups.
# fails: no_group_is_on_both_sides
# %% exercise="split.grouped"
def few_shot_split(labels, groups, per_class, seed):
    order = list(range(len(labels)))
    random.Random(seed).shuffle(order)
    train = []
    for label in sorted(set(labels)):
        members = [place for place in order if labels[place] == label]
        if len(members) < per_class:
            raise ValueError(f"too few of {label}")
        train += members[:per_class]
    return train, [place for place in range(len(labels)) if place not in train]
