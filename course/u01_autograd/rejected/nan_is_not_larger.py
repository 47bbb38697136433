# Asks whether a difference is too large, and nan never is.
# fails: not_a_number_is_found
# %% exercise="rule.check"
def rule_agrees(function, rule, inputs, measure):
    output = np.asarray(function(*inputs))
    g = np.random.default_rng().normal(size=output.shape)
    claimed = rule(g, *inputs)
    for place, x in enumerate(inputs):

        def number(changed, place=place):
            return float((g * function(*inputs[:place], changed, *inputs[place + 1 :])).sum())

        measured = measure(number, x)
        if np.shape(claimed[place]) != measured.shape:
            return False
        if np.any(abs(claimed[place] - measured) > 1e-6 + 1e-4 * abs(measured)):
            return False
    return True
