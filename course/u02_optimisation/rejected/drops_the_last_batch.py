# Drops the last batch if it is smaller, so that some examples are missing in each epoch.
# fails: an_epoch_holds_each_example_once
# %% exercise="batches.shuffle"
def epoch_batches(count, size, seed, epoch):
    order = list(range(count))
    random.Random(f"{seed} {epoch}").shuffle(order)
    return [order[size * number : size * number + size] for number in range(count // size)]
