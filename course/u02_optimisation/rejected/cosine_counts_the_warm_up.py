# Counts the warm-up as part of the way down, so that the rate jumps at its end.
# fails: behind_the_warm_up_half_a_cosine
# %% exercise="rate.schedule"
def learning_rate(step, peak, warmup, total, floor=0.0):
    if step < warmup:
        return peak * step / warmup
    share = min(1.0, step / total)
    return floor + (peak - floor) * (1 + math.cos(math.pi * share)) / 2
