# Keeps a large learning rate to the end, which is good in a short run and never settles in a long one.
# fails: three_hundred_steps_are_enough
# %% exercise="training.tune"
def settings_for(steps):
    return {"method": "adamw", "lr": 0.2, "floor": 0.2}
