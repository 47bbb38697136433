# Leaves out a paragraph that is too long and goes on with shorter ones behind it, which tears a hole into the text.
# fails: the_longest_beginning_fits
# %% exercise="cost.plan"
def paragraphs_that_fit(paragraphs, encode, window, answer):
    room, fitted = window - answer, 0
    for paragraph in paragraphs:
        if len(encode(paragraph)) <= room:
            room -= len(encode(paragraph))
            fitted += 1
    return fitted


def request_price(prompt, answer, encode, prompt_price, answer_price):
    return (len(encode(prompt)) * prompt_price + len(encode(answer)) * answer_price) / 1_000_000
