# Forgets the taint as soon as another tool has answered.
# fails: text_from_outside_reaches_no_privileged_tool
# %% exercise="assistant.guard"
def run_assistant(request, model, run, kinds, confirm, limit=8):
    transcript, tainted = [("user", request)], False
    for _ in range(limit):
        proposal = model(list(transcript))
        if proposal is None:
            break
        tool, argument = proposal
        kind = kinds.get(tool)
        if kind == "inside":
            transcript.append(("tool", run(tool, argument)))
            tainted = False
        elif kind == "outside":
            transcript.append(("data", run(tool, argument)))
            tainted = True
        elif kind == "privileged" and not tainted and confirm(tool, argument):
            transcript.append(("tool", run(tool, argument)))
        else:
            transcript.append(("refused", tool))
    return transcript
