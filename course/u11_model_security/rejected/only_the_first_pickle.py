# Believes that a legacy checkpoint is one pickle.
# fails: pickles_that_follow_one_another_are_all_found
# %% exercise="checkpoint.pickles"
def find_pickles(data):
    if data.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                return [archive.read(member) for member in archive.infolist() if member.filename.endswith(".pkl")]
        except Exception as problem:
            raise ValueError("the archive cannot be read") from problem
    stream = io.BytesIO(data)
    try:
        list(pickletools.genops(stream))
    except ValueError:
        return []
    return [data[: stream.tell()]]
