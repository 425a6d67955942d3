"""Brain-MRI tumour detection that is honest about itself.

Research use only. Not a medical device. Not for diagnosis.
"""

__version__ = "0.1.0"
