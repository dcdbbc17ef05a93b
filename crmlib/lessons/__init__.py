"""The course: exercises on simulated firms, checked while one learns and graded on a firm that nobody has seen."""
