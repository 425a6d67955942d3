"""Findings over the wire: DICOM results, a node beside a PACS, an HTTP service with its page."""
