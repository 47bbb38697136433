# Makes a warm-up of one step where none was asked for, so that the first step is lost.
# fails: without_a_warm_up_the_peak_comes_first
# %% exercise="rate.schedule"
def learning_rate(step, peak, warmup, total, floor=0.0):
    if step < max(1, warmup):
        return peak * step / max(1, warmup)
    share = min(1.0, (step - warmup) / (total - warmup))
    return floor + (peak - floor) * (1 + math.cos(math.pi * share)) / 2
