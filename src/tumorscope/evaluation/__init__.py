"""Labels and scores → numbers with intervals, figures and reports. Knows no Keras, no scans."""
