"""The course: exercises on simulated firms, checked while learning and graded on a firm that students have not seen."""
