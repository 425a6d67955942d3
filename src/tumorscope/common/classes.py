"""What labels mean: the names of the classes, in the order of their numbers."""

CLASSES = ("no tumour", "tumour")
"""Of the labels 0 and 1."""

TUMOUR_TYPES = ("glioma", "meningioma", "pituitary")

TYPE_CLASSES = ("no tumour", *TUMOUR_TYPES)
"""Of the task "tumour-type", in the order of its scores."""
