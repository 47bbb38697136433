# Adds parts in place, into an array that another node holds as well.
# fails: gradients_of_random_graphs_are_right
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
    total = {output: np.array(cotangent)}
    ready = [output]
    while ready:
        node = ready.pop()
        for parent, part in zip(node.parents, node.rule(total[node]) if node.parents else [], strict=True):
            if parent in total:
                total[parent] += part
            else:
                total[parent] = part
            expected[parent] -= 1
            if expected[parent] == 0:
                ready.append(parent)
    return [np.array(total[leaf]) if leaf in total else np.zeros(leaf.data.shape) for leaf in leaves]
