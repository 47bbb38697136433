# Looks for suspicious words in documents and trusts the rest.
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
        elif kind == "outside":
            text = run(tool, argument)
            transcript.append(("data", text))
            tainted = any(bad in text.lower() for bad in ("ignore", "instruction", "system prompt", "delete", "send"))
        elif kind == "privileged" and not tainted and confirm(tool, argument):
            transcript.append(("tool", run(tool, argument)))
        else:
            transcript.append(("refused", tool))
    return transcript
