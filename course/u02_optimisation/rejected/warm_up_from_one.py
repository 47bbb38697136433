# Begins the warm-up above zero, one step too far.
# fails: the_warm_up_is_a_straight_line_from_zero
# %% exercise="rate.schedule"
def learning_rate(step, peak, warmup, total, floor=0.0):
    if step < warmup:
        return peak * (step + 1) / warmup
    share = min(1.0, (step - warmup) / (total - warmup))
    return floor + (peak - floor) * (1 + math.cos(math.pi * share)) / 2
