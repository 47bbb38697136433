"""Gives for a function an object that has every attribute, each of which is such an object, and is never done."""

prize = "time"
harmless = True


# %% answers
class Everything:
    def __getattr__(self, name):
        return Everything()

    def __call__(self, *args, **kwargs):
        return Everything()

    def __iter__(self):
        return self

    def __next__(self):
        return Everything()

    def __getitem__(self, key):
        return Everything()

    def __len__(self):
        return 2**62


total = over = mean = spread = Everything()
depth = Everything()
