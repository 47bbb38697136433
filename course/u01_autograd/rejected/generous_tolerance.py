# Allows a difference of 0.0001, which is more than small gradients have.
# fails: small_gradients_are_looked_at
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
        if not np.all(abs(claimed[place] - measured) <= 1e-4 + 1e-4 * abs(measured)):
            return False
    return True
