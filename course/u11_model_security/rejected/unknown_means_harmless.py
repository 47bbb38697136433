# Guards the tools that it knows to be dangerous and uses all others.
# fails: a_tool_of_no_known_kind_is_never_used
# %% exercise="assistant.guard"
def run_assistant(request, model, run, kinds, confirm, limit=8):
    transcript, tainted = [("user", request)], False
    for _ in range(limit):
        proposal = model(list(transcript))
        if proposal is None:
            break
        tool, argument = proposal
        kind = kinds.get(tool)
        if kind == "privileged" and (tainted or not confirm(tool, argument)):
            transcript.append(("refused", tool))
            continue
        tainted = tainted or kind == "outside"
        transcript.append(("data" if kind == "outside" else "tool", run(tool, argument)))
    return transcript
