# Follows every path on its own, which is right and takes forever.
# fails: each_rule_is_called_once
# %% exercise="graph.backward"
def gradients(output, cotangent, *leaves):
    total = {}
    waiting = [(output, np.array(cotangent))]
    while waiting:
        node, g = waiting.pop()
        if node.parents:
            waiting.extend(zip(node.parents, node.rule(g), strict=True))
        else:
            total[node] = total.get(node, 0) + g
    return [np.array(total[leaf]) if leaf in total else np.zeros(leaf.data.shape) for leaf in leaves]
