# Takes the learning rate that was good for a long run for a short one too.
# fails: forty_steps_are_enough
# %% exercise="training.tune"
def settings_for(steps):
    return {"method": "adamw", "lr": 0.015}
