# Lets numpy compare arrays of different shapes.
# fails: a_wrong_shape_is_found
# %% exercise="rule.check"
def rule_agrees(function, rule, inputs, measure):
    output = np.asarray(function(*inputs))
    g = np.random.default_rng().normal(size=output.shape)
    claimed = rule(g, *inputs)
    for place, x in enumerate(inputs):

        def number(changed, place=place):
            return float((g * function(*inputs[:place], changed, *inputs[place + 1 :])).sum())

        measured = measure(number, x)
        if not np.allclose(claimed[place], measured, rtol=1e-4, atol=1e-6):
            return False
    return True
