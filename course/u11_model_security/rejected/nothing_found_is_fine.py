# Takes "not readable" and "nothing found" for "no objection".
# fails: what_was_not_read_is_not_admitted
# %% exercise="checkpoint.decide"
def objections(scans, allowed):
    return sorted({name for imports in scans for name in imports or []} - allowed)
