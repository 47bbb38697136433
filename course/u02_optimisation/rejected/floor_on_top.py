# Adds the floor to a whole cosine, so that the highest rate is above the peak.
# fails: behind_the_warm_up_half_a_cosine
# %% exercise="rate.schedule"
def learning_rate(step, peak, warmup, total, floor=0.0):
    if step < warmup:
        return peak * step / warmup
    share = min(1.0, (step - warmup) / (total - warmup))
    return floor + peak * (1 + math.cos(math.pi * share)) / 2
