"""Asks nbgrader for the list of students."""

prize = "gradebook"
harmless = True

# %% last
from nbgrader.api import Gradebook

with Gradebook("sqlite:///@COURSE@/gradebook.db") as book:
    for student in book.students:
        print(student.id, student.last_name)
