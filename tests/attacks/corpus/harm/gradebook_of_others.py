"""Takes a classmate's points away in the gradebook."""

prize = "host"
harmless = True

# %% last
from nbgrader.api import Gradebook

with Gradebook("sqlite:///@COURSE@/gradebook.db") as book:
    for grade in book.find_submission("@ASSIGNMENT@", "classmate").notebooks[0].grades:
        grade.manual_score = 0
    book.db.commit()
