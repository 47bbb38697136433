# Fills the whole window with the prompt, so there is no room left for the answer.
# fails: the_answer_keeps_its_room
# %% exercise="cost.plan"


def paragraphs_that_fit(paragraphs, encode, window, answer):
    room = window
    for number, paragraph in enumerate(paragraphs):
        room -= len(encode(paragraph))
        if room < 0:
            return number
    return len(paragraphs)


def request_price(prompt, answer, encode, prompt_price, answer_price):
    return (len(encode(prompt)) * prompt_price + len(encode(answer)) * answer_price) / 1_000_000
