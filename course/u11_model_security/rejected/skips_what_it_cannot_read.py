# Reports what was found before the trouble, as if the rest were harmless.
# fails: what_is_not_understood_is_refused
# %% exercise="pickle.imports"
def list_imports(data):
    stack, memo, found = [], {}, []
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name in STRINGS:
                stack.append(argument)
            elif opcode.name in PUTS:
                memo[argument] = stack[-1]
            elif opcode.name == "MEMOIZE":
                memo[len(memo)] = stack[-1]
            elif opcode.name in GETS:
                stack.append(memo[argument])
            elif opcode.name == "DUP":
                stack.append(stack[-1])
            else:
                if opcode.name in ("GLOBAL", "INST"):
                    found.append(argument)
                if opcode.name == "STACK_GLOBAL" and all(isinstance(item, str) for item in stack[-2:]):
                    found.append(" ".join(stack[-2:]))
                move(stack, opcode)
    except Exception:
        pass
    return found
