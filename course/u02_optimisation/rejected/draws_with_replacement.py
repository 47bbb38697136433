# Draws each example independently, so that some come twice in an epoch and others not at all.
# fails: an_epoch_holds_each_example_once
# %% exercise="batches.shuffle"
def epoch_batches(count, size, seed, epoch):
    order = random.Random(f"{seed} {epoch}").choices(range(count), k=count)
    return [order[start : start + size] for start in range(0, count, size)]
