# Leaves the model in training mode, so whoever uses it next gets random answers.
# fails: training_has_its_mode
# %% exercise="adapt.train"
def adapt(model, batches, epochs, lr, accelerator):
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr)
    model, optimizer = accelerator.prepare(model, optimizer)
    model.train()
    losses = []
    for _ in range(epochs):
        for batch in batches:
            loss = model(**batch)["loss"]
            losses.append(loss.item())
            optimizer.zero_grad()
            accelerator.backward(loss)
            optimizer.step()
    return losses
