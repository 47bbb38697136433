"""How work passes between students and instructors: through a service that alone touches what is stored."""
