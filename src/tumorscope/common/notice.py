"""The sentence that every screen, report and result carries."""

RESEARCH_USE_ONLY = "Research use only. Not a medical device. Not for diagnosis."
