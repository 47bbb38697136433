# Admits every name of a module of which one name is allowed.
# fails: only_the_exact_names_are_allowed
# %% exercise="checkpoint.decide"
def objections(scans, allowed):
    if not scans:
        return [NOTHING]
    trusted = {name.split()[0] for name in allowed}
    found = {UNREADABLE} if None in scans else set()
    found |= {name for imports in scans for name in imports or () if name.split()[0] not in trusted}
    return sorted(found)
