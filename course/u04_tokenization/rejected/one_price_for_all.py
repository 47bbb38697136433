# Bills the answer at the price of the prompt.
# fails: prompt_and_answer_have_their_prices
# %% exercise="cost.plan"


def paragraphs_that_fit(paragraphs, encode, window, answer):
    room = window - answer
    for number, paragraph in enumerate(paragraphs):
        room -= len(encode(paragraph))
        if room < 0:
            return number
    return len(paragraphs)


def request_price(prompt, answer, encode, prompt_price, answer_price):
    return (len(encode(prompt)) * prompt_price + len(encode(answer)) * prompt_price) / 1_000_000
