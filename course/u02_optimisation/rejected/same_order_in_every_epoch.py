# Seeds the generator with the seed alone, so that all epochs have the same batches.
# fails: each_epoch_mixes_anew
# %% exercise="batches.shuffle"
def epoch_batches(count, size, seed, epoch):
    order = list(range(count))
    random.Random(seed).shuffle(order)
    return [order[start : start + size] for start in range(0, count, size)]
