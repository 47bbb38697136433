# Permits a stride as large as the window, as the usual recipe does, and loses tokens without a word.
# fails: an_impossible_stride_is_refused
# %% exercise="windows.plan"
def windows(length, window, stride):
    if not 0 < stride <= window:
        raise ValueError("The stride must be at least 1 and not larger than the window.")
    plan, begin, first = [], 0, 1
    while first < length:
        end = min(begin + window, length)
        plan.append((begin, end, first))
        begin, first = begin + stride, end
    return plan
