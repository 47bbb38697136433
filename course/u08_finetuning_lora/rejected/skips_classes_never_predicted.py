# Averages only over the classes that the program has predicted, because precision is 0 / 0 for the others.
# fails: a_class_that_is_never_predicted_counts
# %% exercise="score.macro"
def mean_f1(labels, predictions, classes):
    scores = []
    for one in classes:
        if one in predictions:
            hits = sum(right == one == said for right, said in zip(labels, predictions, strict=True))
            scores.append(2 * hits / (labels.count(one) + predictions.count(one)))
    return sum(scores) / len(scores)
