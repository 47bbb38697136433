# Believes that the opcode INST is history and no longer loads.
# fails: imports_of_every_protocol_are_listed
# %% exercise="pickle.imports"
def list_imports(data):
    stack, memo, found = [], {}, []
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name in NUMBERED:
                raise ValueError("a number instead of a name")
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
                if opcode.name == "GLOBAL":
                    found.append(argument)
                if opcode.name == "STACK_GLOBAL":
                    found.append(" ".join(stack[-2:]))
                move(stack, opcode)
    except (IndexError, KeyError, TypeError) as problem:
        raise ValueError("not understood") from problem
    return found
