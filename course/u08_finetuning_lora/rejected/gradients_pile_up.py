# Never sets the gradients to zero, so each step uses those of all earlier batches too.
# fails: each_step_is_the_one_of_adamw
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
            accelerator.backward(loss)
            optimizer.step()
    model.eval()
    return losses
