# Believes that waiting for the disk is enough, and writes into the old file.
# fails: the_old_file_stays_until_the_new_one_is_ready
# %% exercise="checkpoint.write"
def write_safely(path: Path, data: bytes) -> None:
    """Make `data` the content of the file `path`, such that a power cut leaves the old content or the new one.

    The second file is called as the first, with ".part" behind the name. Afterwards only `path` is there.
    """
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
