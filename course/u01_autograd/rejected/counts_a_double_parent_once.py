# Collects the parents in a set, so that a node that is used twice gets one part.
# fails: gradients_of_random_graphs_are_right
# %% exercise="graph.backward"
def gradients(output, cotangent, *leaves):
    expected = {output: 0}
    waiting = [output]
    while waiting:
        for parent in set(waiting.pop().parents):
            if parent not in expected:
                expected[parent] = 0
                waiting.append(parent)
            expected[parent] += 1
    total = {output: cotangent}
    ready = [output]
    while ready:
        node = ready.pop()
        if not node.parents:
            continue
        for parent, part in dict(zip(node.parents, node.rule(total[node]), strict=True)).items():
            total[parent] = total[parent] + part if parent in total else part
            expected[parent] -= 1
            if expected[parent] == 0:
                ready.append(parent)
    return [np.array(total[leaf]) if leaf in total else np.zeros(leaf.data.shape) for leaf in leaves]
