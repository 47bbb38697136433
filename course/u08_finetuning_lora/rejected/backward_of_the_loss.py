# Calls `loss.backward()` as on one's own machine, past the accelerator.
# fails: accelerate_computes_the_gradients
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
            loss.backward()
            optimizer.step()
    model.eval()
    return losses
