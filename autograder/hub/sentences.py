"""What students are told about their servers."""

from __future__ import annotations

import html
from collections.abc import Sequence

FULL = {
    "en": "The lab's computer has no memory left for another server; try again when somebody has logged out.",
    "tg": "Дар компютери лаборатория барои сервери дигар хотира намондааст; вақте ки касе аз система баромад, аз нав "
    "кӯшиш кунед.",
    "ru": "На компьютере лаборатории не осталось памяти для ещё одного сервера; попробуйте снова, когда кто-нибудь "
    "выйдет из системы.",
}
TAKEN = {
    "en": "Another program stood where your server was to be, and nothing of yours was sent to it; start your server "
    "again, and tell your teacher if this comes back.",
    "tg": "Дар ҷойи сервери шумо барномаи дигар буд ва ба он ягон маълумоти шумо фиристода нашуд; серверро аз нав оғоз "
    "кунед ва агар ин такрор шавад, ба омӯзгор хабар диҳед.",
    "ru": "На месте вашего сервера оказалась другая программа, и ничего вашего ей не отправлено; запустите сервер "
    "снова, а если это повторится, скажите преподавателю.",
}
ENDED = {
    "en": "Your server ended before it was ready; show your teacher the file {log} in your home.",
    "tg": "Сервери шумо пеш аз омода шудан қатъ гардид; файли {log}-ро аз папкаи хонагии худ ба омӯзгор нишон диҳед.",
    "ru": "Ваш сервер завершился, не успев подготовиться; покажите преподавателю файл {log} из вашей домашней папки.",
}
MEMORY = {
    "en": "A program of yours was ended because your programs together used more than {memory} MiB of memory; what you "
    "saved is safe. Work on smaller pieces of the data.",
    "tg": "Яке аз барномаҳои шумо қатъ карда шуд, зеро барномаҳои шумо якҷоя зиёда аз {memory} МиБ хотира истифода "
    "бурданд; он чи нигоҳ доштед, бехатар аст. Бо қисмҳои хурдтари маълумот кор кунед.",
    "ru": "Одна из ваших программ завершена, потому что вместе они заняли больше {memory} МиБ памяти; всё сохранённое "
    "цело. Работайте с меньшими частями данных.",
}


def lines(texts: dict[str, str], languages: Sequence[str], **values: object) -> str:
    """The text in `languages`, a line each."""
    return "\n".join(texts[language].format(**values) for language in languages)


def paragraphs(texts: dict[str, str], languages: Sequence[str], **values: object) -> str:
    """The text in `languages` as HTML, a paragraph each."""
    return "".join(
        f'<p lang="{language}">{html.escape(texts[language].format(**values))}</p>' for language in languages
    )
