class CannotStart(Exception):
    """Starting is impossible; the message names what is wrong and a way out, in one line each."""

    def __init__(self, problem: str, way_out: str) -> None:
        super().__init__(f"{problem}\n{way_out}")
        self.problem = problem
        self.way_out = way_out
