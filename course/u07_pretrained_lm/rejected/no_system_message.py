# Writes only the messages that are there, and forgets the system message that the template adds.
# fails: a_conversation_without_system_gets_one
# %% exercise="chat.template"
def render_chat(messages, reply):
    text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
    return text + "<|im_start|>assistant\n" if reply else text


def chat_ids(tokenizer, messages):
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
