# Lets the user decide about every privileged call, also after a document was read.
# fails: text_from_outside_reaches_no_privileged_tool
# %% exercise="assistant.guard"
def run_assistant(request, model, run, kinds, confirm, limit=8):
    transcript = [("user", request)]
    for _ in range(limit):
        proposal = model(list(transcript))
        if proposal is None:
            break
        tool, argument = proposal
        kind = kinds.get(tool)
        if kind == "inside":
            transcript.append(("tool", run(tool, argument)))
        elif kind == "outside":
            transcript.append(("data", run(tool, argument)))
        elif kind == "privileged" and confirm(tool, argument):
            transcript.append(("tool", run(tool, argument)))
        else:
            transcript.append(("refused", tool))
    return transcript
