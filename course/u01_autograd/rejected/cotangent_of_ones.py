# Uses ones as the cotangent, for which a rule that ignores it looks right.
# fails: a_forgotten_cotangent_is_found
# %% exercise="rule.check"
def rule_agrees(function, rule, inputs, measure):
    output = np.asarray(function(*inputs))
    g = np.ones(output.shape)
    claimed = rule(g, *inputs)
    for place, x in enumerate(inputs):

        def number(changed, place=place):
            return float((g * function(*inputs[:place], changed, *inputs[place + 1 :])).sum())

        measured = measure(number, x)
        if np.shape(claimed[place]) != measured.shape:
            return False
        if not np.all(abs(claimed[place] - measured) <= 1e-6 + 1e-4 * abs(measured)):
            return False
    return True
