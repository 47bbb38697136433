# Joins wherever the letters spell the pair, by replacing text, and forgets where one symbol ends and the next begins.
# fails: only_whole_symbols_are_joined
# %% exercise="pairs.merge"
def merge_pair(symbols, pair):
    result, rest = [], list(symbols)
    while rest:
        two = "".join(rest[:2])
        if len(rest) > 1 and two == "".join(pair):
            result.append(two)
            del rest[:2]
        else:
            result.append(rest.pop(0))
    return tuple(result)
