# Takes the model in the mode in which it comes, so dropout acts on the answers.
# fails: chance_has_no_say
# %% exercise="inbox.sort"
def predict(model, states, classes, size, collate):
    found = []
    with torch.no_grad():
        for first in range(0, len(states), size):
            logits = model(**collate(states[first : first + size]))["logits"]
            found += [classes[place] for place in logits.argmax(dim=-1).tolist()]
    return found
