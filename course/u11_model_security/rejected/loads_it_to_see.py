# Loads the pickle and writes down what is imported on the way.
# fails: listing_the_imports_runs_nothing
# %% exercise="pickle.imports"
class Unknown(dict):
    def __new__(cls, *args, **named):
        return dict.__new__(cls)

    def __init__(self, *args, **named):
        pass


class Watcher(pickle._Unpickler):
    def find_class(self, module, name):
        self.names.append(f"{module} {name}")
        try:
            return super().find_class(module, name)
        except Exception:
            return Unknown


def list_imports(data):
    watcher = Watcher(io.BytesIO(data))
    watcher.names = []
    try:
        watcher.load()
    except Exception as problem:
        raise ValueError("cannot be loaded") from problem
    return watcher.names
