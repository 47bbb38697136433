# Reads the members by name, and so reads one of two members with the same name twice.
# fails: every_pickle_of_an_archive_is_found
# %% exercise="checkpoint.pickles"
def find_pickles(data):
    if data.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                return [archive.read(name) for name in archive.namelist() if name.endswith(".pkl")]
        except Exception as problem:
            raise ValueError("the archive cannot be read") from problem
    stream, pickles = io.BytesIO(data), []
    while True:
        start = stream.tell()
        try:
            list(pickletools.genops(stream))
        except ValueError:
            return pickles
        pickles.append(data[start : stream.tell()])
