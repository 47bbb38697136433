# Takes all examples of a class that has too few, and says nothing.
# fails: a_class_with_too_few_examples_is_refused
# %% exercise="split.grouped"
def few_shot_split(labels, groups, per_class, seed):
    order = list(range(len(labels)))
    random.Random(seed).shuffle(order)
    train = []
    for label in sorted(set(labels)):
        train += [place for place in order if labels[place] == label][:per_class]
    drawn = {groups[place] for place in train}
    return train, [place for place in range(len(labels)) if groups[place] not in drawn]
