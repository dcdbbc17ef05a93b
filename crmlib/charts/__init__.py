"""Charts of the frames that the other rooms return: one message each, the finding as title, alt text.

A chart draws a frame and decides nothing: its title is the finding that the analysis left on the frame, in
`frame.attrs["finding"]`, or the one that is given. It draws on a sheet of its own or into `ax`, shows itself in a
notebook, and `.save(path)` writes a PNG, SVG or PDF. An empty frame gives a chart that says so.
Rows that are taken out of a frame keep the finding of the whole: give such a chart its own.
"""

from crmlib.lazy import public_face

__getattr__, __dir__, __all__ = public_face(__name__)
