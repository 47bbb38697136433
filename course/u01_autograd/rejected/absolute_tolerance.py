# Demands the same tiny difference of large gradients as of small ones.
# fails: right_rules_pass
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
        if not np.all(abs(claimed[place] - measured) <= 1e-6):
            return False
    return True
