# Gives back None for a leaf that was not reached, as PyTorch does.
# fails: a_leaf_without_influence_gets_zeros
# %% exercise="graph.backward"
def gradients(output, cotangent, *leaves):
    expected = {output: 0}
    waiting = [output]
    while waiting:
        for parent in waiting.pop().parents:
            if parent not in expected:
                expected[parent] = 0
                waiting.append(parent)
            expected[parent] += 1
    total = {output: cotangent}
    ready = [output]
    while ready:
        node = ready.pop()
        for parent, part in zip(node.parents, node.rule(total[node]) if node.parents else [], strict=True):
            total[parent] = total[parent] + part if parent in total else part
            expected[parent] -= 1
            if expected[parent] == 0:
                ready.append(parent)
    return [np.array(total[leaf]) if leaf in total else None for leaf in leaves]
