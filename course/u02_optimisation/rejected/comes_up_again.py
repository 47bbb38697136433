# Lets the cosine come up again behind the end.
# fails: behind_the_end_stays_the_floor
# %% exercise="rate.schedule"
def learning_rate(step, peak, warmup, total, floor=0.0):
    if step < warmup:
        return peak * step / warmup
    share = (step - warmup) / (total - warmup)
    return floor + (peak - floor) * (1 + math.cos(math.pi * share)) / 2
